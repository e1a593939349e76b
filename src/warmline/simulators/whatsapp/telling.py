"""How a server is told: signed, at least once, again until it says 200, and in no order to be relied upon."""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import aiohttp
import anyio

from warmline.core.clock import Clock
from warmline.simulators.attempt import Attempt
from warmline.simulators.whatsapp.report import ToldWebhook
from warmline.simulators.whatsapp.script import WhatsAppScript
from warmline.simulators.whatsapp.webhooks import Event, body_of, signature

__all__ = ["Reaching", "Telling", "retry_delays_s"]

_HELD_S: Final = 0.25
"""For how long something is held back for others that it is to come with, or behind."""

_KEPT: Final = 10_000
"""Webhooks; the oldest are forgotten."""

_OK: Final = 200

OnTold = Callable[[float], object]
"""Is handed the instant at which a server first answered with 200."""

_Waiting = list[tuple[Event, OnTold]]


class Reaching(Protocol):
    """What telling needs of the simulator."""

    script: WhatsAppScript
    clock: Clock

    @property
    def client(self) -> aiohttp.ClientSession:
        """Asks servers."""
        ...

    def start(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Have work done for as long as the simulator runs."""
        ...


def retry_delays_s(script: WhatsAppScript) -> Iterator[float]:
    """Return after how long a webhook is sent again, time after time, until it is lost."""
    delay_s, waited_s = script.webhook_retry_s, 0.0
    while (waited_s := waited_s + delay_s) <= script.webhook_retry_for_s:
        yield delay_s
        delay_s = min(delay_s * script.webhook_retry_growth, script.webhook_retry_most_s)


class Telling:
    """Tells servers of messages and statuses.

    What changes here: the log; what waits for a batch, and what is held back, in `_take` and `_hold`.
    """

    def __init__(self, network: Reaching, secret: str) -> None:
        self.log: deque[ToldWebhook] = deque(maxlen=_KEPT)
        self._network = network
        self._secret = secret
        self._batches: dict[tuple[str, ...], _Waiting] = {}
        self._held: anyio.Event | None = None
        """Set when what is held back has been overtaken."""

        self._turn = itertools.count()

    def tell(self, event: Event, urls: Sequence[str], on_told: OnTold) -> None:
        """Tell of something; nothing happens where there is nobody to be told.

        Args:
            event: What happened.
            urls: The server's processes; each webhook goes to one, and its copies to the next.
            on_told: Called when one of them has answered with 200 for the first time.
        """
        if urls:
            self._network.start(self._take, event, tuple(urls), on_told)

    async def _take(self, event: Event, urls: tuple[str, ...], on_told: OnTold) -> None:
        script = self._network.script
        await anyio.sleep(script.webhook_delay_ms / 1000)
        batch = self._batches.setdefault(urls, [])
        batch.append((event, on_told))
        if len(batch) < script.webhook_batch:
            await anyio.sleep(_HELD_S)
            # Whoever filled it has taken it away, or another that waited as long.
            if self._batches.get(urls) is not batch:
                return
        del self._batches[urls]
        await self._deliver(batch, urls)

    async def _deliver(self, batch: _Waiting, urls: tuple[str, ...]) -> None:
        overtaken = await self._hold() if self._network.script.webhook_reorder else None
        body = body_of([event for event, _ in batch])
        log = ToldWebhook(
            events=[event.name for event, _ in batch],
            ids=[event.item["id"] for event, _ in batch],
            at_s=self._now_s,
        )
        self.log.append(log)
        is_told = False

        def told() -> None:
            nonlocal is_told
            if overtaken is not None:
                overtaken.set()
            if not is_told:
                is_told = True
                for _, on_told in batch:
                    on_told(self._now_s)

        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(self._network.script.webhook_copies):
                    url = urls[next(self._turn) % len(urls)]
                    tasks.start_soon(self._insist, url, body, log, told)
        finally:
            if overtaken is not None:
                overtaken.set()

    async def _hold(self) -> anyio.Event | None:
        """Wait to be overtaken, or return what is to be set when something was."""
        held, self._held = self._held, None
        if held is not None:
            return held
        mine = self._held = anyio.Event()
        with anyio.move_on_after(_HELD_S):
            await mine.wait()
        if self._held is mine:
            self._held = None
        return None

    async def _insist(self, url: str, body: bytes, log: ToldWebhook, told: Callable[[], None]) -> None:
        delays_s = retry_delays_s(self._network.script)
        while await self._post(url, body, log) != _OK:
            delay_s = next(delays_s, None)
            if delay_s is None:
                return
            await anyio.sleep(delay_s)
        told()

    async def _post(self, url: str, body: bytes, log: ToldWebhook) -> int:
        """Send it once; return the status, 0 where no answer came."""
        script = self._network.script
        secret = secrets.token_hex(16) if script.webhook_forged else self._secret
        headers = {
            "content-type": "application/json",
            "user-agent": "facebookexternalua",
            "x-hub-signature-256": signature(secret, body),
        }
        attempt = Attempt(url=url, at_s=self._now_s, took_ms=0.0)
        log.attempts.append(attempt)
        timeout = aiohttp.ClientTimeout(total=script.webhook_timeout_s)
        try:
            async with self._network.client.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                attempt.status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            attempt.problem = str(problem) or type(problem).__name__
        attempt.took_ms = round((self._now_s - attempt.at_s) * 1000, 1)
        return attempt.status

    @property
    def _now_s(self) -> float:
        return self._network.clock.now_s()

"""What Telnyx tells a server: signed, at least once, and in no order that can be relied upon."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import anyio
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from warmline.core.clock import unix_time_s, utc_now
from warmline.simulators.attempt import Attempt
from warmline.simulators.telephone.call import Network
from warmline.simulators.telephone.placing import CallFaults
from warmline.simulators.telephone.report import SentWebhook

__all__ = ["SigningKey", "Webhooks"]

_RETRIED: Final = frozenset({408, 429})
_STALE_S: Final = 600
_HELD_S: Final = 0.25
"""For how long a fault holds a webhook back if none comes that it could be overtaken by."""


class SigningKey:
    """An account's key; made when the simulator starts."""

    def __init__(self, seed: bytes | None = None) -> None:
        """Prepare.

        Args:
            seed: 32 bytes, for a key that is known beforehand.
        """
        self._key = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """What a server checks signatures with: 32 bytes in base64, as the portal shows them."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def headers(self, body: bytes, timestamp: int) -> dict[str, str]:
        """Return the headers that say when and by whom a body was signed."""
        signature = self._key.sign(str(timestamp).encode() + b"|" + body)
        return {
            "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
            "telnyx-timestamp": str(timestamp),
        }


class Webhooks:
    """Tells one call's server what happens.

    What changes here: the address, where a command gives another; the log, and what is held back.
    """

    def __init__(
        self,
        network: Network,
        key: SigningKey,
        faults: CallFaults,
        log: list[SentWebhook],
        now: Callable[[], float],
        *,
        url: str,
        failover_url: str = "",
        timeout_s: float = 5.0,
        retry_s: tuple[float, ...] = (1.0, 2.0, 4.0),
    ) -> None:
        self.url = url
        self._network = network
        self._key = SigningKey() if faults.forge_webhooks else key
        self._faults = faults
        self._log = log
        self._now = now
        self._failover_url = failover_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._retry_s = retry_s
        self._held: anyio.Event | None = None
        """Set when what a fault holds back has been overtaken."""

    def send(self, event: str, payload: dict[str, Any]) -> anyio.Event:
        """Tell the server that something happened; return what is set when it was told for the first time.

        The number of tries, their pace, and that other statuses are not tried again: Telnyx does not say
        what its defaults are, so `webhook_retry_s` of the call does.
        """
        told = anyio.Event()
        if event == "call.hangup" and self._faults.lose_hangup:
            told.set()
            return told
        occurred_at = utc_now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        name = str(uuid.uuid4())
        data = {
            "record_type": "event",
            "event_type": event,
            "id": name,
            "occurred_at": occurred_at,
            "payload": payload,
        }
        sent = SentWebhook(event=event, id=name, at_s=self._now(), body=data)
        self._log.append(sent)
        held, self._held = self._held, None
        if self._faults.reorder_webhooks and held is None and len(self._log) > 1:
            self._held = anyio.Event()
            self._network.start(self._deliver, sent, told, self._held)
            # Whoever waited for this one would keep from coming what is to overtake it.
            passed = anyio.Event()
            passed.set()
            return passed
        self._network.start(self._deliver, sent, told, None)
        if held is not None:
            self._network.start(_release, told, held)
        return told

    async def _deliver(self, sent: SentWebhook, told: anyio.Event, behind: anyio.Event | None) -> None:
        if behind is not None:
            with anyio.move_on_after(_HELD_S):
                await behind.wait()
        url = self.url
        attempt = 0
        for delay_s in (0.0, *self._retry_s):
            attempt += 1
            await anyio.sleep(delay_s)
            if not await self._post(sent, url, attempt):
                break
            told.set()
        else:
            if self._failover_url:
                await self._post(sent, self._failover_url, attempt + 1)
        told.set()
        if self._faults.duplicate_webhooks:
            await self._post(sent, url, attempt)

    async def _post(self, sent: SentWebhook, url: str, number: int) -> bool:
        """Send it; return whether to try again."""
        body = msgspec.json.encode({"data": sent.body, "meta": {"attempt": number, "delivered_to": url}})
        timestamp = unix_time_s() - (_STALE_S if self._faults.stale_webhooks else 0)
        headers = {"content-type": "application/json", **self._key.headers(body, timestamp)}
        attempt = Attempt(url=url, at_s=self._now(), took_ms=0.0)
        sent.attempts.append(attempt)
        try:
            async with self._network.client.post(
                url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                attempt.status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            attempt.problem = str(problem) or type(problem).__name__
        attempt.took_ms = round((self._now() - attempt.at_s) * 1000, 1)
        return attempt.status in _RETRIED or not 0 < attempt.status < 500


async def _release(overtaking: anyio.Event, held: anyio.Event) -> None:
    await overtaking.wait()
    held.set()

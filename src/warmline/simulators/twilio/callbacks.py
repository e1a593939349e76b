"""What Twilio asks and tells a server about one call: signed forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import anyio

from warmline.core.clock import utc_now
from warmline.core.ids import new_id
from warmline.simulators.attempt import Attempt
from warmline.simulators.telephone.call import Network
from warmline.simulators.telephone.placing import CallFaults
from warmline.simulators.telephone.report import SentWebhook
from warmline.simulators.twilio.signing import HEADER, signature

__all__ = ["Callbacks", "now_rfc2822"]

_ASKED_S: Final = 15.0
_HELD_S: Final = 0.25
"""For how long a fault holds a callback back if none comes that it could be overtaken by."""

_LOGGED_CHARACTERS: Final = 4_000


class Callbacks:
    """One call's.

    What changes here: the log; what a fault holds back.
    """

    def __init__(
        self,
        network: Network,
        auth_token: str,
        faults: CallFaults,
        log: list[SentWebhook],
        now: Callable[[], float],
    ) -> None:
        self._network = network
        self._auth_token = new_id("forged") if faults.forge_webhooks else auth_token
        self._faults = faults
        self._log = log
        self._now = now
        self._held: anyio.Event | None = None

    def signature(self, url: str) -> str:
        """Return what a media socket's handshake is signed with."""
        return signature(self._auth_token, url)

    async def ask(self, url: str, fallback_url: str, fields: Mapping[str, str]) -> str | None:
        """Return what a server answers when it is asked what to do; None if it has no answer."""
        sent = self._noted("voice", fields)
        for each in filter(None, (url, fallback_url)):
            attempt = await self._post(sent, each, fields)
            if 0 < attempt.status < 400:
                return attempt.answer
        return None

    def tell(self, event: str, url: str, fields: Mapping[str, str]) -> anyio.Event:
        """Tell a server something; return what is set when it was told."""
        told = anyio.Event()
        sent = self._noted(event, fields)
        held, self._held = self._held, None
        if self._faults.reorder_webhooks and held is None:
            self._held = anyio.Event()
            self._network.start(self._tell, sent, url, fields, told, self._held, None)
            passed = anyio.Event()
            passed.set()
            return passed
        self._network.start(self._tell, sent, url, fields, told, None, held)
        return told

    def _noted(self, event: str, fields: Mapping[str, str]) -> SentWebhook:
        sent = SentWebhook(event=event, id=new_id("webhook"), at_s=self._now(), body=dict(fields))
        self._log.append(sent)
        return sent

    async def _tell(
        self,
        sent: SentWebhook,
        url: str,
        fields: Mapping[str, str],
        told: anyio.Event,
        behind: anyio.Event | None,
        before: anyio.Event | None,
    ) -> None:
        if behind is not None:
            with anyio.move_on_after(_HELD_S):
                await behind.wait()
        await self._post(sent, url, fields)
        told.set()
        if before is not None:
            before.set()
        if self._faults.duplicate_webhooks:
            await self._post(sent, url, fields)

    async def _post(self, sent: SentWebhook, url: str, fields: Mapping[str, str]) -> Attempt:
        attempt = Attempt(url=url, at_s=self._now(), took_ms=0.0)
        sent.attempts.append(attempt)
        headers = {HEADER: signature(self._auth_token, url, fields)}
        timeout = aiohttp.ClientTimeout(total=_ASKED_S)
        try:
            async with self._network.client.post(
                url, data=dict(fields), headers=headers, timeout=timeout
            ) as response:
                attempt.status = response.status
                attempt.answer = (await response.text())[:_LOGGED_CHARACTERS]
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            attempt.problem = str(problem) or type(problem).__name__
        attempt.took_ms = round((self._now() - attempt.at_s) * 1000, 1)
        return attempt


def now_rfc2822() -> str:
    """Return the date as Twilio writes it in callbacks and resources."""
    return utc_now().strftime("%a, %d %b %Y %H:%M:%S +0000")

"""Commands sent to Telnyx, on warm lines; a call waits for no lost packet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import msgspec
from anyio.abc import TaskGroup

from warmline.channels.telephone.telnyx.command import TelnyxCommand
from warmline.channels.telephone.telnyx.failures import PROVIDER, failure, is_call_over, pool_failure
from warmline.errors import PoolError, ProviderError, ProviderUnavailable
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest

__all__ = ["BALANCE", "TelnyxAnswer", "TelnyxClient"]

BALANCE: Final = HttpRequest("GET", "/balance", is_idempotent=True)
"""Costs nothing, and needs a valid key."""

_TRIES: Final = 3
_RESEND_S: Final = 0.5
"""Telnyx's advice: https://developers.telnyx.com/docs/voice/programmable-voice/command-retries"""

_GIVE_UP_S: Final = 5.0
_ANSWER_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True)
class TelnyxAnswer:
    """What Telnyx says to a command that it took; what comes of it, webhooks tell."""

    is_call_over: bool = False
    """It was too late: the call has ended. What was to end it has succeeded."""

    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def call_control_id(self) -> str:
        """Of a call that was dialled."""
        return str(self.data.get("call_control_id") or "")

    @property
    def call_leg_id(self) -> str:
        """As above."""
        return str(self.data.get("call_leg_id") or "")

    @property
    def call_session_id(self) -> str:
        """As above."""
        return str(self.data.get("call_session_id") or "")


class _Tries:
    """One command's tries, several of which may be under way.

    What changes here: the answer, once, and the failures, as they come.
    """

    def __init__(self) -> None:
        self.answer: TelnyxAnswer | ProviderError | None = None
        """That of the first try that was answered; a refusal is one too."""

        self.failures: list[ProviderError] = []
        self._changed = anyio.Event()

    def answered(self, answer: TelnyxAnswer | ProviderError) -> None:
        self.answer = self.answer or answer
        self._changed.set()

    def failed(self, error: ProviderError) -> None:
        self.failures.append(error)
        self._changed.set()

    async def until_changed(self) -> None:
        await self._changed.wait()
        self._changed = anyio.Event()


class TelnyxClient:
    """Sends commands; keeps nothing between them."""

    def __init__(
        self, endpoint: HttpEndpoint, *, resend_s: float = _RESEND_S, give_up_s: float = _GIVE_UP_S
    ) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key. Its base URL ends with `/v2`.
            resend_s: How long an answer is waited for before the command is sent once more, beside the
                first.
            give_up_s: How long it is waited for in all.
        """
        self._endpoint = endpoint
        self._resend_s = resend_s
        self._give_up_s = give_up_s

    async def send(self, command: TelnyxCommand) -> TelnyxAnswer:
        """Send a command and return the first answer.

        The same command goes out again, three times at most: at once when the connection breaks or Telnyx
        has a problem of its own, and when no answer came for a while. Cancelling takes no command back.

        Raises:
            ProviderUnavailable: there was no answer, or it is busy.
            ProviderRejected: the key, the account or the command is wrong.
        """
        what = command.name.replace("_", " ")
        tries = _Tries()
        with anyio.move_on_after(self._give_up_s):
            async with anyio.create_task_group() as tasks:
                await self._send_until_answered(command.request(), what, tries, tasks)
                tasks.cancel_scope.cancel()
        if isinstance(tries.answer, TelnyxAnswer):
            return tries.answer
        if tries.answer is not None:
            raise tries.answer
        if tries.failures:
            raise tries.failures[-1]
        raise ProviderUnavailable(
            f"{what} at Telnyx: no answer came within {self._give_up_s:g} s",
            provider=PROVIDER,
            phase="first_result",
        )

    async def _send_until_answered(
        self, request: HttpRequest, what: str, tries: _Tries, tasks: TaskGroup
    ) -> None:
        sent = 0
        while tries.answer is None and len(tries.failures) < _TRIES:
            if sent < _TRIES:
                tasks.start_soon(self._try, request, what, tries)
                sent += 1
            with anyio.move_on_after(self._resend_s if sent < _TRIES else None):
                await tries.until_changed()

    async def _try(self, request: HttpRequest, what: str, tries: _Tries) -> None:
        try:
            async with self._endpoint.request(
                request, first_result_s=self._give_up_s, wait_s=self._give_up_s
            ) as response:
                body = await response.read(at_most_bytes=_ANSWER_BYTES)
        except PoolError as error:
            tries.failed(pool_failure(error, what=what))
            return
        if response.status in (200, 201, 202):
            tries.answered(TelnyxAnswer(data=_data(body)))
        elif is_call_over(response.status, body):
            tries.answered(TelnyxAnswer(is_call_over=True))
        elif response.status >= 500:
            tries.failed(failure(response.status, response.headers, body, what=what))
        else:
            tries.answered(failure(response.status, response.headers, body, what=what))


def _data(body: bytes) -> Mapping[str, Any]:
    try:
        found: Any = msgspec.json.decode(body)["data"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}

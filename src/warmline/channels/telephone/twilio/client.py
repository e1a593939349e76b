"""Commands sent to Twilio, on warm lines."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from warmline.channels.telephone.twilio.commands import TwilioCommand
from warmline.channels.telephone.twilio.failures import failure, is_call_over, pool_failure
from warmline.errors import PoolError
from warmline.pool.endpoint import HttpEndpoint

__all__ = ["TwilioAnswer", "TwilioClient", "authorization"]

_GIVE_UP_S: Final = 5.0
_ANSWER_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True)
class TwilioAnswer:
    """What Twilio says to a command that it took; what comes of it, callbacks tell."""

    is_call_over: bool = False
    """It was too late: the call has ended. What was to end it has succeeded."""

    call_id: str = ""
    """`CallSid`."""

    status: str = ""


class TwilioClient:
    """Sends commands; keeps nothing between them."""

    def __init__(self, endpoint: HttpEndpoint, *, give_up_s: float = _GIVE_UP_S) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the account and the token (see `authorization`).
            give_up_s: How long an answer is waited for.
        """
        self._endpoint = endpoint
        self._give_up_s = give_up_s

    async def send(self, command: TwilioCommand) -> TwilioAnswer:
        """Send a command and return the answer.

        One that may be repeated is, by the endpoint, when a connection breaks. Of any other it is not
        known whether it was done if this fails.

        Raises:
            ProviderUnavailable: there was no answer, or it is busy.
            ProviderRejected: the token, the account or the command is wrong.
        """
        try:
            async with self._endpoint.request(
                command.request(), first_result_s=self._give_up_s, wait_s=self._give_up_s
            ) as response:
                body = await response.read(at_most_bytes=_ANSWER_BYTES)
        except PoolError as error:
            raise pool_failure(error, what=command.name) from error
        if response.status in (200, 201, 202, 204):
            return _answer(body)
        if is_call_over(response.status, body):
            return TwilioAnswer(is_call_over=True)
        raise failure(response.status, response.headers, body, what=command.name)


def authorization(account_id: str, auth_token: str) -> str:
    """Return the value of the header `authorization`: secret, as the token is."""
    return f"Basic {base64.b64encode(f'{account_id}:{auth_token}'.encode()).decode()}"


def _answer(body: bytes) -> TwilioAnswer:
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return TwilioAnswer()
    if not isinstance(found, dict):
        return TwilioAnswer()
    return TwilioAnswer(call_id=str(found.get("sid") or ""), status=str(found.get("status") or ""))

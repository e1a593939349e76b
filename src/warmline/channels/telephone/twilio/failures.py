"""What Twilio's errors mean for the operator; the one place where they are translated. No I/O.

https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from warmline.errors import PoolError, ProviderError, ProviderRejected, ProviderUnavailable

__all__ = ["PROVIDER", "failure", "is_call_over", "pool_failure"]

PROVIDER: Final = "twilio"

_SHOWN_CHARACTERS: Final = 300
_NUMBER: Final = re.compile(r"\+?\d{7,}")
"""A telephone number, which is nobody's business in a log."""

_OVER: Final = frozenset({21220})
"""The call is not in a state in which that could be done."""

_KEY: Final = (ProviderRejected, "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN to those of one account")
_BUSY: Final = (ProviderUnavailable, "more was asked for at once than the account allows: take fewer calls")
_BROKEN: Final = (ProviderUnavailable, "it has a problem of its own: try again")
_REFUSED: Final = (ProviderRejected, "it does not take this command: see the [twilio] settings")
_ADVICE: Final[Mapping[int, tuple[type[ProviderError], str]]] = {
    20003: _KEY,
    20404: (ProviderRejected, "the account knows no such call: see twilio.account_sid"),
    20429: _BUSY,
    21210: (ProviderRejected, "the caller's number is not the account's: verify it in Twilio's console"),
    21211: (ProviderRejected, "the number that is called is none: write it in international form"),
    21215: (ProviderRejected, "the account may not call there: see the console's geographic permissions"),
    21219: (ProviderRejected, "a trial account calls verified numbers alone: verify it, or upgrade"),
}
_BY_STATUS: Final = {401: _KEY, 403: _KEY, 404: _ADVICE[20404], 408: _BROKEN, 429: _BUSY}


def is_call_over(status: int, body: bytes) -> bool:
    """Return whether a command was refused because its call has ended."""
    code, _ = _said(body)
    return status == 400 and code in _OVER


def failure(status: int, headers: Mapping[str, str], body: bytes, *, what: str) -> ProviderError:
    """Return the error for an answer that is no success.

    Args:
        status: The HTTP status.
        headers: Names in lower case.
        body: As much of it as came.
        what: What was being done, such as `dialling`.
    """
    code, message = _said(body)
    by_status = _BY_STATUS.get(status, _BROKEN if status >= 500 else _REFUSED)
    kind, advice = _ADVICE.get(code or 0, by_status)
    said = "the key was refused" if status == 401 else message
    shown = _NUMBER.sub("(number)", " ".join(said.split()))[:_SHOWN_CHARACTERS].rstrip(". ")
    codes = f"{status} {code}" if code else f"{status}"
    return kind(
        f"{what} at Twilio: {f'{shown} ({codes})' if shown else f'HTTP status {codes}'}; {advice}",
        provider=PROVIDER,
        phase="first_result",
        request_id=headers.get("twilio-request-id", ""),
        status=status,
        code=code or "",
    )


def pool_failure(error: PoolError, *, what: str) -> ProviderError:
    """Return the error for a connection that could not be had or kept."""
    return ProviderUnavailable(f"{what} at Twilio: {error}", provider=PROVIDER, phase="first_result")


def _said(body: bytes) -> tuple[int | None, str]:
    """Return an error's code, and what it says."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, ""
    if not isinstance(found, dict):
        return None, ""
    code = found.get("code")
    return (code if isinstance(code, int) else None), str(found.get("message") or "")

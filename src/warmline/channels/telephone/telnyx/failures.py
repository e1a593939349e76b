"""What Telnyx's errors mean for the operator; the one place where they are translated. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from warmline.errors import PoolError, ProviderError, ProviderRejected, ProviderUnavailable

__all__ = ["PROVIDER", "failure", "is_call_over", "pool_failure"]

PROVIDER: Final = "telnyx"

_SHOWN_CHARACTERS: Final = 300
_NUMBER: Final = re.compile(r"\+?\d{7,}")
"""A telephone number, which is nobody's business in a log."""

_CALL_OVER: Final = "90018"

_ADVICE: Final[Mapping[str, tuple[type[ProviderError], str]]] = {
    "10009": (ProviderRejected, "set TELNYX_API_KEY to a key that is valid for telnyx.base_urls"),
    "10005": (ProviderRejected, "it knows no such call or application: see telnyx.connection_id"),
    "10011": (ProviderUnavailable, "more was asked for at once than the account allows: take fewer calls"),
    "90103": (ProviderUnavailable, "calls were dialled faster than the account allows: dial more slowly"),
}
_BY_STATUS: Final[Mapping[int, tuple[type[ProviderError], str]]] = {
    401: _ADVICE["10009"],
    402: (ProviderRejected, "the account's credit is used up: see its billing page"),
    403: (ProviderRejected, "the account may not do this: see its verification level and outbound profile"),
    404: _ADVICE["10005"],
    408: (ProviderUnavailable, "it has a problem of its own: try again"),
    409: (ProviderUnavailable, "it is busy with this call: try again"),
    429: _ADVICE["10011"],
}
_REFUSED: Final = (ProviderRejected, "it does not take this command: see the [telnyx] settings")
_BROKEN: Final = (ProviderUnavailable, "it has a problem of its own: try again")


def is_call_over(status: int, body: bytes) -> bool:
    """Return whether a command was refused because its call has ended."""
    return status == 422 and any(code == _CALL_OVER for code, _ in _errors(body))


def failure(status: int, headers: Mapping[str, str], body: bytes, *, what: str) -> ProviderError:
    """Return the error for an answer that is no success.

    Args:
        status: The HTTP status.
        headers: Names in lower case.
        body: As much of it as came.
        what: What was being done, such as `answering`.
    """
    errors = _errors(body)
    by_status = _BY_STATUS.get(status, _BROKEN if status >= 500 else _REFUSED)
    code = next((code for code, _ in errors if code in _ADVICE), "")
    kind, advice = _ADVICE.get(code, by_status)
    # What it says about a key may quote the key.
    said = "the key was refused" if status == 401 else "; ".join(text for _, text in errors if text)
    shown = _NUMBER.sub("(number)", " ".join(said.split()))[:_SHOWN_CHARACTERS].rstrip(". ")
    codes = " ".join([str(status), *dict.fromkeys(code for code, _ in errors if code)])
    return kind(
        f"{what} at Telnyx: {f'{shown} ({codes})' if shown else f'HTTP status {codes}'}; {advice}",
        provider=PROVIDER,
        phase="first_result",
        request_id=headers.get("x-request-id", ""),
        status=status,
        code=next((code for code, _ in errors if code), ""),
    )


def pool_failure(error: PoolError, *, what: str) -> ProviderError:
    """Return the error for a connection that could not be had or kept."""
    return ProviderUnavailable(f"{what} at Telnyx: {error}", provider=PROVIDER, phase="first_result")


def _errors(body: bytes) -> list[tuple[str, str]]:
    """Return each error's code, and what it says."""
    try:
        found: Any = msgspec.json.decode(body)["errors"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [
        (
            str(each.get("code") or ""),
            ": ".join(str(each[key]) for key in ("title", "detail") if each.get(key)),
        )
        for each in found
        if isinstance(each, dict)
    ]

"""What Deepgram's errors mean for the operator; the one place where they are translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from warmline.errors import (
    HandshakeRefused,
    LineLost,
    PoolError,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)

__all__ = ["PROVIDER", "failure", "pool_failure", "stream_failure"]

PROVIDER: Final = "deepgram"

_SHOWN_CHARACTERS: Final = 300

_ADVICE: Final[Mapping[int, tuple[type[ProviderError], str]]] = {
    400: (ProviderRejected, "it does not take this request: see the [deepgram] settings"),
    401: (ProviderRejected, "set DEEPGRAM_API_KEY to a key that is valid for deepgram.base_urls"),
    402: (ProviderRejected, "the project's credit is used up: see its billing page"),
    403: (ProviderRejected, "the key's project may not use this model: see deepgram.model"),
    404: (ProviderRejected, "see deepgram.base_urls"),
    429: (
        ProviderUnavailable,
        "the project's limit of streams at once is reached: ask for a higher one if that lasts",
    ),
}
_ANY: Final = (ProviderUnavailable, "it has a problem of its own: try again")

_CLOSED: Final[Mapping[str, str]] = {
    "NET-0001": "no audio reached it in time: see the network between",
    "DATA-0000": "it could not read the audio",
}
"""By the code in a close frame's reason."""


def failure(
    status: int, headers: Mapping[str, str], body: bytes, *, phase: str = "first_result"
) -> ProviderError:
    """Return the error for a refused request or handshake.

    Args:
        status: The HTTP status.
        headers: Names in lower case; of a handshake they say what the body does.
        body: As much of it as came.
        phase: `connect`, `first_result` or `stream`.
    """
    kind, advice = _ADVICE.get(status, _ANY)
    said = "the key was refused" if status == 401 else _message(body) or headers.get("dg-error", "")
    shown = " ".join(said.split())[:_SHOWN_CHARACTERS].rstrip(". ")
    return kind(
        f"listening by Deepgram: {f'{shown} ({status})' if shown else f'HTTP status {status}'}; {advice}",
        provider=PROVIDER,
        phase=phase,
        request_id=headers.get("dg-request-id", ""),
        status=status,
    )


def pool_failure(error: PoolError, *, phase: str, request_id: str = "") -> ProviderError:
    """Return the error for a connection that could not be had or kept."""
    if isinstance(error, HandshakeRefused):
        return failure(error.status, error.headers, error.body, phase="connect")
    why = str(error)
    if isinstance(error, LineLost):
        why += "".join(f"; {advice}" for code, advice in _CLOSED.items() if code in error.reason)
    return ProviderUnavailable(
        f"listening by Deepgram: {why}", provider=PROVIDER, phase=phase, request_id=request_id
    )


def stream_failure(what: str, *, request_id: str) -> ProviderUnavailable:
    """Return the error for what a stream said, or should have said."""
    shown = " ".join(what.split())[:_SHOWN_CHARACTERS]
    return ProviderUnavailable(
        f"listening by Deepgram: {shown}", provider=PROVIDER, phase="stream", request_id=request_id
    )


def _message(body: bytes) -> str:
    """Return what a body says: `err_msg` as a rule, `message` in newer ones."""
    try:
        found: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    if not isinstance(found, dict):
        return ""
    return str(found.get("err_msg") or found.get("message") or found.get("details") or "")

"""What Anthropic's errors mean for the operator; the one place where they are translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from warmline.errors import (
    HandshakeRefused,
    PoolError,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)

__all__ = ["PROVIDER", "ErrorObject", "failure", "pool_failure", "stream_failure"]

PROVIDER: Final = "anthropic"

_SHOWN_CHARACTERS: Final = 300

_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error in the middle of a stream would have had for a status."""


class ErrorObject(msgspec.Struct):
    """`type` is for programs; the wording of `message` can change."""

    type: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    error: ErrorObject | None = None
    request_id: str | None = None


_BODY: Final = msgspec.json.Decoder(_Body)


def failure(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str, phase: str = "first_result"
) -> ProviderError:
    """Return the error for an answer that is not a success.

    Args:
        status: The HTTP status.
        headers: Names in lower case.
        body: As much of it as came.
        model: What was asked for.
        phase: `connect`, `first_result` or `stream`.
    """
    try:
        told = _BODY.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        told = _Body()
    request_id = headers.get("request-id") or told.request_id or ""
    return _classified(status, told.error or ErrorObject(), model, phase, request_id)


def stream_failure(error: ErrorObject, *, model: str, request_id: str) -> ProviderError:
    """Return the error for one that came in the middle of a stream, where there is no status."""
    return _classified(_STATUSES.get(error.type, 500), error, model, "stream", request_id)


def pool_failure(error: PoolError, *, model: str, phase: str) -> ProviderError:
    """Return the error for a connection that could not be had or kept."""
    if isinstance(error, HandshakeRefused):
        return failure(error.status, error.headers, error.body, model=model, phase="connect")
    return ProviderUnavailable(f"asking {model}: {error}", provider=PROVIDER, phase=phase)


def _classified(status: int, error: ErrorObject, model: str, phase: str, request_id: str) -> ProviderError:
    kind, advice = _advice(status, model)
    return kind(
        f"asking {model}: {_said(status, error)}; {advice}",
        provider=PROVIDER,
        phase=phase,
        request_id=request_id,
        status=status,
        code=error.type,
    )


def _advice(status: int, model: str) -> tuple[type[ProviderError], str]:
    if status == 401:
        return ProviderRejected, "set ANTHROPIC_API_KEY to a key that is valid for anthropic.base_urls"
    if status == 402:
        return ProviderRejected, "the account's credit or its limit is used up: see its billing page"
    if status == 403:
        return ProviderRejected, "the key, its workspace or this country may not use it"
    if status == 404:
        return (
            ProviderRejected,
            f"set anthropic.model to a model that the key may use ({model!r} is not), "
            "and see anthropic.base_urls",
        )
    if status == 429:
        return (
            ProviderUnavailable,
            "it takes no more requests for now: ask for a higher rate limit if that lasts",
        )
    if status == 529:
        return (
            ProviderUnavailable,
            "it has more to do than it can: try again, and see its status page if that lasts",
        )
    if status in (408, 409) or status >= 500:
        return (
            ProviderUnavailable,
            "it has a problem of its own: try again, and see its status page if that lasts",
        )
    return ProviderRejected, "it does not take this request: see the [anthropic] settings"


def _said(status: int, error: ErrorObject) -> str:
    """Return what it said; never of a 401, whose message may quote the key."""
    if status == 401:
        return "the key was refused (401)"
    named = f"{status} {error.type}" if error.type else str(status)
    message = " ".join(error.message.split())[:_SHOWN_CHARACTERS].rstrip(". ")
    return f"{message} ({named})" if message else f"HTTP status {named}"

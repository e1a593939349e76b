"""What OpenAI's errors mean for the operator; the one place where they are translated."""

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
    RemoteProtocolError,
)

__all__ = ["PROVIDER", "ErrorBody", "ErrorDetail", "failure", "garbled", "pool_failure", "stream_failure"]

PROVIDER: Final = "openai"

_SHOWN_CHARACTERS: Final = 300

_STATUSES: Final = {
    "invalid_api_key": 401,
    "model_not_found": 404,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "previous_response_not_found": 400,
}
"""By the code of an error that has no status: in a stream it is one of HTTP's no more."""


class ErrorDetail(msgspec.Struct):
    """What OpenAI says of a failure."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class ErrorBody(msgspec.Struct):
    """`{"error": {...}}`; some compatible servers send a text in its place."""

    error: ErrorDetail | str | None = None


_BODY: Final = msgspec.json.Decoder(ErrorBody)


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
        error = _BODY.decode(body).error
    except (msgspec.DecodeError, msgspec.ValidationError):
        error = None
    if not isinstance(error, ErrorDetail):
        error = ErrorDetail(message=error)
    return _classified(status, error, model, phase, headers.get("x-request-id", ""))


def stream_failure(
    error: ErrorDetail | str, *, model: str, request_id: str, status: int = 0, phase: str = "stream"
) -> ProviderError:
    """Return the error for one that came in the middle of a stream.

    Args:
        error: What the far end says.
        model: What was asked for.
        request_id: The far end's own name for the request, or empty.
        status: What it would have been over HTTP, if the far end says so; else the code tells.
        phase: `first_result` or `stream`.
    """
    if isinstance(error, str):
        error = ErrorDetail(message=error)
    return _classified(status or _STATUSES.get(str(error.code), 500), error, model, phase, request_id)


def pool_failure(error: PoolError, *, model: str, phase: str) -> ProviderError:
    """Return the error for a connection that could not be had or kept."""
    if isinstance(error, HandshakeRefused):
        return failure(error.status, error.headers, error.body, model=model, phase="connect")
    return ProviderUnavailable(f"asking {model}: {error}", provider=PROVIDER, phase=phase)


def garbled(error: RemoteProtocolError, *, model: str, request_id: str) -> ProviderError:
    """Return the error for bytes that are no answer."""
    return ProviderUnavailable(
        f"asking {model}: it sent {error}; see openai.base_urls",
        provider=PROVIDER,
        phase="stream",
        request_id=request_id,
    )


def _classified(status: int, error: ErrorDetail, model: str, phase: str, request_id: str) -> ProviderError:
    code = str(error.code or error.type or "")
    kind, advice = _advice(status, code, model, is_about_tools="tool" in (error.message or ""))
    return kind(
        f"asking {model}: {_said(status, error)}; {advice}",
        provider=PROVIDER,
        phase=phase,
        request_id=request_id,
        status=status,
        code=code,
    )


def _advice(
    status: int, code: str, model: str, *, is_about_tools: bool = False
) -> tuple[type[ProviderError], str]:
    if status == 401:
        # The message is left out on purpose: it quotes a part of the key.
        return ProviderRejected, "set OPENAI_API_KEY to a key that is valid for openai.base_urls"
    if code == "insufficient_quota":
        return ProviderRejected, "the account's credit or its limit is used up: see its billing page"
    if code == "model_not_found" or status == 404:
        return (
            ProviderRejected,
            f"the key may not use {model!r} there: see the models in the [openai] settings, "
            "and openai.base_urls",
        )
    if status == 403:
        return ProviderRejected, "the key, its project or this country may not use it"
    if status == 429:
        return (
            ProviderUnavailable,
            "it takes no more requests for now: ask for a higher rate limit if that lasts",
        )
    if status in (408, 409) or status >= 500:
        return (
            ProviderUnavailable,
            "it has a problem of its own: try again, and see its status page if that lasts",
        )
    if is_about_tools:
        return (
            ProviderRejected,
            "it takes no tools, or not these: name another model in the [openai] settings, "
            "or send none with tools.builtin = []",
        )
    return ProviderRejected, "it does not take this request: see the [openai] settings"


def _said(status: int, error: ErrorDetail) -> str:
    """Return what it said; never of a 401, whose message quotes a part of the key."""
    if status == 401:
        return "the key was refused (401)"
    named = f"{status} {error.code}" if error.code else str(status)
    message = " ".join((error.message or "").split())[:_SHOWN_CHARACTERS].rstrip(". ")
    return f"{message} ({named})" if message else f"HTTP status {named}"

"""What ElevenLabs's errors mean for the operator; the one place where they are translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from warmline.errors import (
    HandshakeRefused,
    PoolError,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)

__all__ = ["PROVIDER", "failure", "pool_failure", "socket_failure"]

PROVIDER: Final = "elevenlabs"

_SHOWN_CHARACTERS: Final = 300

_ADVICE: Final[Mapping[str, str]] = {
    "invalid_api_key": "set ELEVENLABS_API_KEY to a key that is valid for elevenlabs.base_urls",
    "missing_permissions": "allow the key text to speech and reading voices, on the account's API keys page",
    "quota_exceeded": "the account's credits are used up: see its subscription page",
    "detected_unusual_activity": "the account was limited by ElevenLabs: write to its support",
    "voice_not_found": "set elevenlabs.voice to a voice that the account has",
    "voice_id_does_not_exist": "set elevenlabs.voice to a voice that the account has",
    "model_not_found": "set elevenlabs.model to a model that the key may use",
    "model_not_supported": "set elevenlabs.model to one that streams over sockets, such as eleven_flash_v2_5",
    "max_character_limit_exceeded": "the text is longer than the model takes",
}
"""What trying again will not help, by the code."""

_BUSY: Final = frozenset({
    "concurrent_limit_exceeded",
    "too_many_concurrent_requests",
    "max_active_conversations",
    "rate_limit_exceeded",
    "system_busy",
})
_BUSY_ADVICE: Final = (
    "more speech was asked for at once than the plan allows: take a larger plan, or fewer calls at once"
)


def failure(
    status: int, headers: Mapping[str, str], body: bytes, *, what: str, phase: str = "first_result"
) -> ProviderError:
    """Return the error for an answer that is not a success.

    Args:
        status: The HTTP status.
        headers: Names in lower case.
        body: As much of it as came.
        what: What was being done, such as `speaking`.
        phase: `connect`, `first_result` or `stream`.
    """
    code, message = _detail(body)
    request_id = headers.get("request-id", "")
    if status == 401 and not code:
        code = "invalid_api_key"
    return _classified(status, code, message, what, phase, request_id)


def socket_failure(code: str, message: str, *, phase: str) -> ProviderError:
    """Return the error for one that a socket was closed with."""
    return _classified(0, code, message, "speaking", phase, "")


def pool_failure(error: PoolError, *, what: str, phase: str) -> ProviderError:
    """Return the error for a connection that could not be had or kept."""
    if isinstance(error, HandshakeRefused):
        return failure(error.status, error.headers, error.body, what=what, phase="connect")
    return ProviderUnavailable(f"{what} by ElevenLabs: {error}", provider=PROVIDER, phase=phase)


def _classified(
    status: int, code: str, message: str, what: str, phase: str, request_id: str
) -> ProviderError:
    kind: type[ProviderError] = ProviderRejected
    if code in _ADVICE:
        advice = _ADVICE[code]
    elif code in _BUSY or status == 429:
        kind, advice = ProviderUnavailable, _BUSY_ADVICE
    elif status in (0, 408, 409) or status >= 500:
        kind, advice = ProviderUnavailable, "it has a problem of its own: try again"
    elif status == 403:
        advice = "the plan does not include this format or model: see the [elevenlabs] settings"
    elif status == 404:
        advice = (
            "set elevenlabs.voice and elevenlabs.model to what the account has, and see elevenlabs.base_urls"
        )
    else:
        advice = "it does not take this request: see the [elevenlabs] settings"
    return kind(
        f"{what} by ElevenLabs: {_said(status, code, message)}; {advice}",
        provider=PROVIDER,
        phase=phase,
        request_id=request_id,
        status=status,
        code=code,
    )


def _said(status: int, code: str, message: str) -> str:
    named = " ".join(part for part in (str(status or ""), code) if part)
    # What it says about a key may quote the key.
    if code == "invalid_api_key":
        return f"the key was refused ({named})"
    shown = " ".join(message.split())[:_SHOWN_CHARACTERS].rstrip(". ")
    return f"{shown} ({named})" if shown and named else shown or f"it failed ({named or 'no reason given'})"


def _detail(body: bytes) -> tuple[str, str]:
    """Return the code and the message: `detail` is an object, new or old, a list, or a text."""
    try:
        detail: Any = msgspec.json.decode(body)["detail"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return "", ""
    if isinstance(detail, dict):
        code = detail.get("code") or detail.get("status") or ""
        return str(code), str(detail.get("message") or "")
    if isinstance(detail, list):
        problems = [each for each in detail if isinstance(each, dict)]
        return "", "; ".join(f"{_place(each)}: {each.get('msg', '')}" for each in problems)
    return "", str(detail)


def _place(problem: Mapping[str, Any]) -> str:
    place = problem.get("loc")
    return ".".join(map(str, place)) if isinstance(place, list) else "the request"

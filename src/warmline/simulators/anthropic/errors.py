"""Anthropic's error bodies, and the statuses they come with."""

from __future__ import annotations

from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.faults import FaultKind
from warmline.simulators.simulator import json_response

__all__ = ["error_body", "problem", "refusal"]

_REFUSALS = {
    FaultKind.BAD_KEY: (401, "authentication_error", "invalid x-api-key"),
    FaultKind.QUOTA: (402, "billing_error", "Your credit balance is too low to access the API."),
    FaultKind.RATE_LIMITED: (429, "rate_limit_error", "This request would exceed your rate limit."),
    FaultKind.RATE_LIMITED_OLD: (429, "rate_limit_error", "This request would exceed your rate limit."),
    FaultKind.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    FaultKind.OVERLOADED_529: (529, "overloaded_error", "Overloaded"),
}


def error_body(kind: str, text: str, request_id: str) -> dict[str, object]:
    """Return the body of an error, or an error among a stream's events."""
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}


def problem(status: int, kind: str, text: str) -> web.Response:
    """Return the answer to a request that cannot be met."""
    request_id = new_id("req")
    return json_response(
        error_body(kind, text, request_id), status=status, headers={"request-id": request_id}
    )


def refusal(kind: FaultKind, retry_after: str = "") -> web.Response:
    """Return the answer to a refused request."""
    response = problem(*_REFUSALS.get(kind, (500, "api_error", "Internal server error")))
    if response.status == 429 or retry_after:
        response.headers["retry-after"] = retry_after or "0.05"
    return response

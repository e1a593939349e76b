"""OpenAI's error bodies, and the statuses they come with."""

from __future__ import annotations

from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.faults import FaultKind
from warmline.simulators.simulator import json_response

__all__ = ["error_body", "refusal"]

_TEXTS = {
    "invalid_api_key": "Incorrect API key provided. You can find your API key at the account page.",
    "rate_limit_exceeded": "Rate limit reached for requests per min (RPM): Limit 500, Used 500, Requested 1.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "server_error": "The server had an error while processing your request. Sorry about that!",
    "overloaded": "The engine is currently overloaded, please try again later.",
}
_TYPES = {
    "rate_limit_exceeded": "requests",
    "insufficient_quota": "insufficient_quota",
    "server_error": "server_error",
    "overloaded": "server_error",
}
_WITHOUT_CODE = frozenset({"server_error", "overloaded"})


def error_body(code: str | None, text: str = "", param: str | None = None) -> dict[str, object]:
    """Return the body of an error; some have no code."""
    return {
        "error": {
            "message": text or _TEXTS.get(code or "", code),
            "type": _TYPES.get(code or "", "invalid_request_error"),
            "param": param,
            "code": None if code in _WITHOUT_CODE else code,
        }
    }


def refusal(kind: FaultKind, retry_after: str = "") -> web.Response:
    """Return the answer to a refused request."""
    status, code = {
        FaultKind.BAD_KEY: (401, "invalid_api_key"),
        FaultKind.QUOTA: (429, "insufficient_quota"),
        FaultKind.RATE_LIMITED: (429, "rate_limit_exceeded"),
        FaultKind.RATE_LIMITED_OLD: (429, "rate_limit_exceeded"),
        FaultKind.OVERLOADED: (503, "overloaded"),
    }.get(kind, (500, "server_error"))
    headers = {"x-request-id": new_id("req")}
    if kind in (FaultKind.RATE_LIMITED, FaultKind.RATE_LIMITED_OLD):
        after = retry_after or "0.05"
        headers["retry-after"] = after
        if kind is FaultKind.RATE_LIMITED and after.replace(".", "", 1).isdigit():
            headers["retry-after-ms"] = str(round(float(after) * 1000))
    return json_response(error_body(code), status=status, headers=headers)

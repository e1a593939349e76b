"""ElevenLabs's error bodies: the new shape, and the one before."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.faults import FaultKind
from warmline.simulators.simulator import json_response

__all__ = ["problem", "refusal", "socket_error", "unprocessable", "unreadable"]

_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_PLACE: Final = re.compile(r"at `\$\.([\w.]+)`")

_REFUSALS = {
    FaultKind.BAD_KEY: (401, "authentication_error", "invalid_api_key", "invalid_api_key", "Invalid API key"),
    FaultKind.QUOTA: (
        401,
        "quota_error",
        "quota_exceeded",
        "quota_exceeded",
        "This request exceeds your quota of 10000. You have 0 credits remaining.",
    ),
    FaultKind.RATE_LIMITED: (
        429,
        "rate_limit_error",
        "concurrent_limit_exceeded",
        "too_many_concurrent_requests",
        "Too many concurrent requests. Your current subscription allows up to 5.",
    ),
    FaultKind.OVERLOADED: (
        503,
        "server_error",
        "system_busy",
        "system_busy",
        "We are experiencing heavy traffic",
    ),
}


def problem(status: int, kind: str, code: str, message: str, old: str = "") -> web.Response:
    """Return an error in the shape of 2026."""
    name = new_id("req")
    detail = {"type": kind, "code": code, "message": message, "status": old or code, "request_id": name}
    return json_response({"detail": detail}, status=status, headers={"request-id": name})


def refusal(kind: FaultKind, retry_after: str = "") -> web.Response:
    """Return the answer to a refused request."""
    if kind is FaultKind.RATE_LIMITED_OLD:
        status, _, _, old, message = _REFUSALS[FaultKind.RATE_LIMITED]
        response = json_response({"detail": {"status": old, "message": message}}, status=status)
    else:
        default = (
            500,
            "server_error",
            "internal_error",
            "internal_server_error",
            "An internal error occurred",
        )
        status, group, code, old, message = _REFUSALS.get(kind, default)
        response = problem(status, group, code, message, old)
    if retry_after:
        response.headers["retry-after"] = retry_after
    return response


def unprocessable(field: str, message: str, kind: str = "missing") -> web.Response:
    """Return the answer to a body in which a field is missing or wrong."""
    detail = [{"loc": ["body", *field.split(".")], "msg": message, "type": kind}]
    return json_response({"detail": detail}, status=422)


def unreadable(error: msgspec.MsgspecError) -> web.Response:
    """Return the answer to a body that could not be decoded."""
    missing = _MISSING.search(str(error))
    if missing is not None:
        return unprocessable(missing[1], "Field required")
    place = _PLACE.search(str(error))
    return unprocessable(place[1] if place else "", str(error), "value_error")


def socket_error(error: str, message: str) -> dict[str, Any]:
    """Return the message that comes before a socket is closed with 1008."""
    return {"message": message, "error": error, "code": 1008}

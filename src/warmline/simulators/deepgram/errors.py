"""Deepgram's refusals, of requests and of handshakes."""

from __future__ import annotations

import uuid

from aiohttp import web

from warmline.simulators.faults import FaultKind
from warmline.simulators.simulator import json_response

__all__ = ["bad_request", "refusal"]

_REFUSALS = {
    FaultKind.BAD_KEY: (401, "INVALID_AUTH", "Invalid credentials."),
    FaultKind.QUOTA: (
        402,
        "ASR_PAYMENT_REQUIRED",
        "Project does not have enough credits for an ASR request.",
    ),
    FaultKind.RATE_LIMITED: (429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
    FaultKind.RATE_LIMITED_OLD: (429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later"),
    FaultKind.OVERLOADED: (503, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable"),
}


def refusal(kind: FaultKind, retry_after: str = "") -> web.Response:
    """Return the answer to a refused request or handshake."""
    status, code, message = _REFUSALS.get(kind, (500, "INTERNAL_SERVER_ERROR", "An internal error occurred"))
    response = _response(status, code, message)
    if retry_after:
        response.headers["retry-after"] = retry_after
    return response


def bad_request(message: str) -> web.Response:
    """Return the answer to a query that does not fit."""
    return _response(400, "Bad Request", message)


def _response(status: int, code: str, message: str) -> web.Response:
    name = str(uuid.uuid4())
    body = {"err_code": code, "err_msg": message, "request_id": name}
    return json_response(body, status=status, headers={"dg-request-id": name, "dg-error": message})

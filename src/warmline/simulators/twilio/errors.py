"""Twilio's error bodies."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from warmline.simulators.faults import FaultKind
from warmline.simulators.simulator import json_response

__all__ = ["NOT_FOUND", "Refused", "problem", "refusal"]

NOT_FOUND: Final = (404, 20404, "The requested resource was not found")

_REFUSALS: Final = {
    FaultKind.BAD_KEY: (401, 20003, "Authenticate"),
    FaultKind.RATE_LIMITED: (429, 20429, "Too Many Requests"),
    FaultKind.OVERLOADED: (503, 20503, "Service is unavailable"),
}


class Refused(Exception):
    """A request that can't be met."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def problem(refused: Refused) -> web.Response:
    """Return the answer to a request that can't be met."""
    body = {
        "code": refused.code,
        "message": str(refused),
        "more_info": f"https://www.twilio.com/docs/errors/{refused.code}",
        "status": refused.status,
    }
    return json_response(body, status=refused.status)


def refusal(kind: FaultKind, retry_after: str = "") -> web.Response:
    """Return the answer to a request that is refused whatever it asks for."""
    known = FaultKind.RATE_LIMITED if kind is FaultKind.RATE_LIMITED_OLD else kind
    response = problem(Refused(*_REFUSALS.get(known, (500, 20500, "Internal Server Error"))))
    if retry_after:
        response.headers["retry-after"] = retry_after
    return response

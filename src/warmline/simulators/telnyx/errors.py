"""Telnyx's error bodies."""

from __future__ import annotations

import re
from typing import Final

import msgspec
from aiohttp import web

from warmline.simulators.faults import FaultKind
from warmline.simulators.simulator import json_response

__all__ = ["ENDED", "Refused", "problem", "refusal", "unfit"]

_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_UNKNOWN: Final = re.compile(r"contains unknown field `(\w+)`")
_PLACE: Final = re.compile(r"at `\$\.(\w+)")
_DOCS: Final = "https://developers.telnyx.com/docs/overview/errors/"

_REFUSALS: Final = {
    FaultKind.BAD_KEY: (
        401,
        "10009",
        "Authentication failed",
        "The required authentication headers were either invalid or not included in the request.",
    ),
    FaultKind.RATE_LIMITED: (
        429,
        "10011",
        "Too many requests",
        "You have exceeded the maximum number of allowed requests.",
    ),
    FaultKind.OVERLOADED: (503, "10007", "Unexpected error", "The service is unavailable."),
}


class Refused(Exception):
    """A command that can't be done."""

    def __init__(self, status: int, code: str, title: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.pointer = pointer


ENDED: Final = (
    422,
    "90018",
    "Call has already ended",
    "This call is no longer active and can't receive commands.",
)


def problem(refused: Refused) -> web.Response:
    """Return the answer to a command that can't be done."""
    error: dict[str, object] = {
        "code": refused.code,
        "title": refused.title,
        "detail": str(refused),
        "meta": {"url": f"{_DOCS}{refused.code}"},
    }
    if refused.pointer:
        error["source"] = {"pointer": refused.pointer}
    return json_response({"errors": [error]}, status=refused.status)


def refusal(kind: FaultKind, retry_after: str = "") -> web.Response:
    """Return the answer to a request that is refused whatever it asks for."""
    known = FaultKind.RATE_LIMITED if kind is FaultKind.RATE_LIMITED_OLD else kind
    default = (500, "10007", "Unexpected error", "An unexpected error occured.")
    response = problem(Refused(*_REFUSALS.get(known, default)))
    if known is FaultKind.RATE_LIMITED:
        response.headers["x-ratelimit-limit"] = "200"
        response.headers["x-ratelimit-remaining"] = "0"
        response.headers["x-ratelimit-reset"] = "1"
    if retry_after:
        response.headers["retry-after"] = retry_after
    return response


def unfit(error: msgspec.MsgspecError) -> Refused:
    """Return the refusal of a body that does not fit."""
    missing = _MISSING.search(str(error))
    if missing is not None:
        detail = f"A required parameter was missing: {missing[1]}."
        return Refused(422, "10004", "Missing required parameter", detail, f"/{missing[1]}")
    place = _UNKNOWN.search(str(error)) or _PLACE.search(str(error))
    return Refused(422, "10015", "Bad Request", str(error), f"/{place[1]}" if place else "")

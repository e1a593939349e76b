"""What all of OpenAI's answers over HTTP have in common."""

from __future__ import annotations

from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.openai.refused import Refused
from warmline.simulators.simulator import Handler, json_response

__all__ = ["answered", "headers", "telling"]


def headers() -> dict[str, str]:
    """Return the headers of an answer, with a name of its own."""
    return {
        "x-request-id": new_id("req"),
        "openai-version": "2020-10-01",
        "openai-processing-ms": "42",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-reset-requests": "6ms",
    }


def answered(body: object) -> web.Response:
    """Return a success."""
    return json_response(body, headers=headers())


def telling(handler: Handler) -> Handler:
    """Return a handler that answers what the given one refuses."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as problem:
            return json_response(problem.body, status=problem.status, headers=headers())

    return handle

"""Answers in JSON, and errors in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from warmline.errors import ConfigError
from warmline.server.access import Refusal
from warmline.server.observability.dashboard.asking import BadQuery

__all__ = ["Handler", "NotKept", "as_json", "body_of", "encoded", "refused", "with_words"]

_BODY_BYTES: Final = 4_096

Handler = Callable[[Request], Awaitable[Response]]


class NotKept(Exception):
    """There is no such thing, or no store; says which."""


def as_json(body: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return an answer."""
    return encoded(msgspec.json.encode(body), status)


def encoded(body: bytes, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return an answer that is JSON already."""
    return Response(body, status, media_type="application/json")


def refused(refusal: Refusal) -> Response:
    """Return why not."""
    return as_json({"error": {"code": refusal.code, "message": refusal.message}}, refusal.status)


def with_words(handler: Handler) -> Handler:
    """Return a handler whose errors are answers."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as problem:
            refusal = _refusal(problem)
            if refusal is None:
                raise
            return refused(refusal)

    return answer


async def body_of(request: Request) -> bytes:
    """Return a small body.

    Raises:
        BadQuery: it is none.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise BadQuery(f"the body is over {_BODY_BYTES} bytes")
    return body


def _refusal(problem: Exception) -> Refusal | None:
    match problem:
        case BadQuery() | ConfigError():
            return Refusal(HTTPStatus.BAD_REQUEST, "invalid_request", str(problem))
        case NotKept():
            return Refusal(HTTPStatus.NOT_FOUND, "not_kept", str(problem))
        case SQLAlchemyError():
            told = str(getattr(problem, "orig", None) or problem).strip().splitlines()[0]
            text = f"The database did not answer: {told}"
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "store_failed", text)
    return None

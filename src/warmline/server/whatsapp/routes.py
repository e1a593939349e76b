"""Where WhatsApp sends what it has to tell."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from warmline.channels.whatsapp.signature import verified_challenge
from warmline.errors import RemoteProtocolError
from warmline.server.whatsapp.receiving import Receiving

__all__ = ["WHATSAPP_WEBHOOK", "whatsapp_routes"]

_log = logging.getLogger(__name__)

WHATSAPP_WEBHOOK: Final = "/whatsapp/webhook"

_BODY_BYTES: Final = 4_194_304
"""Webhooks have up to 3 MB."""


def whatsapp_routes(receiving: Receiving, verify_token: str) -> Sequence[Route]:
    """Return what WhatsApp is served.

    Args:
        receiving: Who takes webhooks.
        verify_token: What Meta was told where the webhook was subscribed.
    """

    async def subscribe(request: Request) -> Response:
        try:
            return PlainTextResponse(verified_challenge(request.query_params, verify_token))
        except RemoteProtocolError as problem:
            return _refused(HTTPStatus.FORBIDDEN, str(problem))

    async def receive(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_BYTES:
                return _refused(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a webhook is at most {_BODY_BYTES} bytes"
                )
        try:
            status, why = await receiving.receive(bytes(body), request.headers)
        except SQLAlchemyError as problem:
            # It comes again.
            _log.error("whatsapp.not_kept", extra={"problem": type(problem).__name__})
            return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "it can't be kept now: send it again")
        return JSONResponse({"received": True}) if status is HTTPStatus.OK else _refused(status, why)

    return [
        Route(WHATSAPP_WEBHOOK, subscribe, methods=["GET"]),
        Route(WHATSAPP_WEBHOOK, receive, methods=["POST"]),
    ]


def _refused(status: HTTPStatus, why: str) -> Response:
    return JSONResponse({"error": {"message": why}}, status_code=status)

"""Where networks send what they have to tell."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warmline.core.clock import unix_time_s
from warmline.server.telephone.telnyx import TELNYX_WEBHOOK, TelnyxWebhooks
from warmline.server.telephone.twilio import TWILIO_STATUS, TwilioWebhooks

__all__ = ["TWILIO_VOICE", "telnyx_routes", "twilio_routes"]

TWILIO_VOICE: Final = "/twilio/voice"
_BODY_BYTES: Final = 262_144


def telnyx_routes(webhooks: TelnyxWebhooks, public_url: str) -> Sequence[Route]:
    """Return what Telnyx is served.

    Args:
        webhooks: Who takes it.
        public_url: Where networks reach this server; empty: under the name that each webhook was sent to.
    """

    async def receive(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _too_large()
        status, why = webhooks.receive(body, request.headers, unix_time_s(), _reached_at(request, public_url))
        return JSONResponse({"received": True}) if status is HTTPStatus.OK else _refused(status, why)

    return [Route(TELNYX_WEBHOOK, receive, methods=["POST"])]


def twilio_routes(webhooks: TwilioWebhooks, public_url: str) -> Sequence[Route]:
    """Return what Twilio is served; arguments as `telnyx_routes`'s."""

    async def voice(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _too_large()
        base_url = _reached_at(request, public_url)
        status, document = await webhooks.voice(base_url + _asked(request), body, request.headers, base_url)
        return Response(document, status, media_type="text/xml" if status is HTTPStatus.OK else "text/plain")

    async def status(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _too_large()
        base_url = _reached_at(request, public_url)
        status, why = webhooks.status(base_url + _asked(request), body, request.headers)
        return Response(why or None, status)

    return [Route(TWILIO_VOICE, voice, methods=["POST"]), Route(TWILIO_STATUS, status, methods=["POST"])]


async def _body(request: Request) -> bytes | None:
    """Return a request's body, or None if it is larger than any webhook."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            return None
    return bytes(body)


def _asked(request: Request) -> str:
    """Return a request's path and query, as they are signed."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _too_large() -> Response:
    return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a webhook is at most {_BODY_BYTES} bytes")


def _refused(status: HTTPStatus, why: str) -> Response:
    return JSONResponse({"error": {"message": why}}, status_code=status)


def _reached_at(request: Request, public_url: str) -> str:
    """Return the base URL under which a network reached this server.

    Networks speak HTTPS to everything that has a name; a proxy in front speaks HTTP to us.
    """
    if public_url:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    proto = request.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    if proto not in ("http", "https"):
        proto = "http" if _is_here(urlsplit(f"//{host}").hostname or "") else "https"
    return f"{proto}://{host}"


def _is_here(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True

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
from warmline.server.telephone.telnyx import TelnyxWebhooks

__all__ = ["TELNYX_WEBHOOK", "reached_at", "telnyx_routes"]

TELNYX_WEBHOOK: Final = "/telnyx/webhook"
_BODY_BYTES: Final = 262_144


def telnyx_routes(webhooks: TelnyxWebhooks) -> Sequence[Route]:
    """Return what Telnyx is served."""

    async def receive(request: Request) -> Response:
        body = await read_body(request)
        if body is None:
            return refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a webhook is at most {_BODY_BYTES} bytes")
        status, why = webhooks.receive(body, request.headers, unix_time_s(), reached_at(request))
        return JSONResponse({"received": True}) if status is HTTPStatus.OK else refused(status, why)

    return [Route(TELNYX_WEBHOOK, receive, methods=["POST"])]


async def read_body(request: Request) -> bytes | None:
    """Return a request's body, or None if it is larger than any webhook."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            return None
    return bytes(body)


def refused(status: HTTPStatus, why: str) -> Response:
    """Return the answer to what is not taken."""
    return JSONResponse({"error": {"message": why}}, status_code=status)


def reached_at(request: Request) -> str:
    """Return the base URL under which a network reached this server.

    Networks speak HTTPS to everything that has a name; a proxy in front speaks HTTP to us.
    """
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

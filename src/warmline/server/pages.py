"""The HTTP side: the page, its files, and whether the server is well."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmline.core.clock import unix_time_s
from warmline.server.access import Access

__all__ = ["application"]

_FOLDER: Final = Path(__file__).parent / "page"
_PLACE: Final = "__WARMLINE_SESSION__"

_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # The page holds a token, and its files must be those of the server that runs.
    "cache-control": "no-cache",
}


def application(
    access: Access,
    facts: dict[str, Any],
    figures: Callable[[], dict[str, Any]],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the ASGI application.

    Args:
        access: Who may ask, and the tokens of pages.
        facts: What the page is told, beside its token; see docs/reference/realtime.md.
        figures: What `/health` tells beside that the server answers.
        lifespan: Runs while the server does.
        routes: What is served besides.
    """
    template = (_FOLDER / "index.html").read_text(encoding="utf-8")

    async def page(request: Request) -> Response:
        told = json.dumps({"token": access.token(unix_time_s()), **facts})
        # Within a script element only "</" and "<!--" could end the JSON early.
        return HTMLResponse(template.replace(_PLACE, told.replace("<", "\\u003c")))

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", **figures()})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/health", health),
            *routes,
            Mount("/page", StaticFiles(directory=_FOLDER)),
        ],
        middleware=[Middleware(_Guard, access=access)],
        lifespan=lifespan,
    )


class _Guard:
    """Refuses requests under names that are not the server's, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._access.check_host(Headers(scope=scope).get("host", ""))
        if refusal is not None:
            error = {"error": {"code": refusal.code, "message": refusal.message}}
            await JSONResponse(error, status_code=refusal.status)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)

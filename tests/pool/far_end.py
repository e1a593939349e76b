"""A real HTTPS and WebSocket server in the test's own loop, with a certificate made on the spot."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import trustme
from aiohttp import web

from warmline.core.clock import SystemClock
from warmline.pool.dialling import Dialler, ssl_context
from warmline.pool.resolver import Resolver

__all__ = ["FarEnd", "far_end"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FarEnd:
    """Where it listens, and a dialler that trusts it."""

    url: str
    dialler: Dialler
    connections: set[int]
    """The client's ports that were seen."""

    certificate: bytes
    """The authority to trust, as PEM."""


@asynccontextmanager
async def far_end(routes: Mapping[str, Handler]) -> AsyncIterator[FarEnd]:
    """Serve `routes` by path, any method, over TLS on localhost."""
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = ssl_context()
    authority.configure_trust(client_tls)
    connections: set[int] = set()

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        assert request.transport is not None
        connections.add(request.transport.get_extra_info("peername")[1])
        return await handler(request)

    application = web.Application(middlewares=[count])
    for path, handler in routes.items():
        application.router.add_route("*", path, handler)
    runner = web.AppRunner(application, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", 0, ssl_context=server_tls).start()
        port = runner.addresses[0][1]
        clock = SystemClock()
        dialler = Dialler(Resolver(clock), clock, tls=client_tls)
        yield FarEnd(f"https://localhost:{port}", dialler, connections, authority.cert_pem.bytes())
    finally:
        await runner.cleanup()
        # It knows of no connection whose handshake is not done; one that was given up ends by itself.
        await anyio.sleep(0.01)

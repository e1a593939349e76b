"""A dashboard on a real port, over a store that a test filled, without the rest of a server."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import uvicorn
from starlette.applications import Starlette

from warmline.pool.view import PoolView
from warmline.server.access import Access
from warmline.server.observability.dashboard.access import DashboardAccess
from warmline.server.observability.dashboard.live import LiveCalls
from warmline.server.observability.dashboard.plots import plot_folder
from warmline.server.observability.dashboard.routes import dashboard_routes
from warmline.server.observability.dashboard.shown import Shown
from warmline.server.pages import application
from warmline.server.settings import Secret

__all__ = ["KEY", "POOLS", "running_dashboard", "shown"]

KEY = "a-key-of-some-length"


def _pool(name: str, kind: str, region: str, **figures) -> PoolView:
    told = {
        "is_current": True,
        "idle": 2,
        "leased": 0,
        "opening": 0,
        "draining": 0,
        "waiting": 0,
        "warm_target": 2,
        "most": 10,
        "opened": 12,
        "oldest_s": 412.0,
        "round_trip_s": None,
        "is_broken": False,
        "problem": "",
        **figures,
    }
    return PoolView(name=name, kind=kind, region=region, **told)


POOLS = (
    _pool("openai", "http2", "api.openai.com", leased=1, round_trip_s=0.0113),
    _pool("anthropic", "http", "api.anthropic.com", idle=1, warm_target=1, round_trip_s=0.0142),
    _pool("deepgram", "socket", "", idle=2, leased=3, warm_target=2, oldest_s=95.0),
    _pool("elevenlabs", "socket", "", idle=1, leased=3, opening=1, oldest_s=201.0),
    _pool(
        "elevenlabs",
        "http",
        "api.eu.elevenlabs.io",
        idle=1,
        warm_target=1,
        round_trip_s=0.088,
        is_current=False,
    ),
)


def shown(live: LiveCalls | None = None, **parts) -> Shown:
    """Return what is shown, made up where a test says nothing."""
    figures = {"sessions": 3, "tasks": 41, "loop_lag_p95_ms": 0.4, "loop_lag_max_ms": 2.1}
    told = {
        "figures": lambda: figures,
        "pools": lambda: POOLS,
        "drafts_band": (0.3, 0.4),
        "plots": plot_folder(),
        **parts,
    }
    return Shown(live=live or LiveCalls(lambda: 0.0), **told)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running_dashboard(
    what: Shown, *, host: str = "127.0.0.1", api_key: str = "", public_names: tuple[str, ...] = ()
) -> AsyncIterator[str]:
    """Serve it; give its URL.

    Args:
        what: What is shown.
        host: Where the server says that it listens; it listens on this machine alone.
        api_key: Its key, if it has one.
        public_names: Under which it is known.
    """
    key = Secret(api_key) if api_key else None
    access = DashboardAccess(host=host, public_names=public_names, api_key=key)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield

    app = application(
        Access(host=host, allowed_hosts=["voice.example"], api_key=key),
        {},
        dict,
        lifespan,
        dashboard_routes(what, access),
    )
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = _Server(config)
    # asyncio sends small answers at once only where it is said that this is TCP.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:  # noqa: ASYNC110 - uvicorn tells in no other way
                await anyio.sleep(0.01)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                what.live.close()
                server.should_exit = True

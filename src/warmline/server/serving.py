"""One server: its page and its sessions on one port, from the first request to the last goodbye."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from warmline.core.clock import SystemClock, unix_now_s
from warmline.core.collecting import collect_when_calm
from warmline.errors import ConfigError
from warmline.server.access import Access
from warmline.server.assembly import provider_facts, session_settings
from warmline.server.observability.dashboard.access import dashboard_access
from warmline.server.observability.dashboard.live import LiveCalls
from warmline.server.observability.dashboard.plots import plot_folder
from warmline.server.observability.dashboard.routes import dashboard_routes
from warmline.server.observability.dashboard.shown import Shown
from warmline.server.observability.history import History
from warmline.server.observability.observer import Observer, log_turn
from warmline.server.observability.opening import Observability
from warmline.server.pages import application
from warmline.server.realtime import REALTIME_PATH, Realtime
from warmline.server.services.knowledge import Knowledge
from warmline.server.sessions import Sessions
from warmline.server.settings import Settings
from warmline.server.settings.phone_tables import telephone_formats
from warmline.server.sockets import by_path
from warmline.server.telephone.api import api_routes
from warmline.server.telephone.calls import Calls
from warmline.server.telephone.opening import call_policy, call_session_settings, open_networks
from warmline.server.telephone.records import Records
from warmline.server.vitals import Vitals
from warmline.server.websocket import media_protocol
from warmline.session.ready_made import make_ahead
from warmline.session.settings import Providers
from warmline.store.database import Database

__all__ = ["bind", "serve"]


def bind(settings: Settings) -> socket.socket:
    """Return the listening socket; bound first of all, so that a taken port is told at once.

    Raises:
        ConfigError: the address can't be listened on.
    """
    host, port = settings.server.host, settings.server.port
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise ConfigError(f"listening on {host} (server.host): {error.strerror or error}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"listening on {host} port {port}: {error.strerror or error}; "
            "choose another with --port, or --port 0 for any that is free"
        ) from error
    return listener


async def serve(
    listener: socket.socket,
    settings: Settings,
    knowledge: Knowledge,
    providers: Providers,
    on_ready: Callable[[], None],
) -> None:
    """Serve until cancelled; every session has ended when this returns.

    Args:
        listener: From `bind`; closed at the end.
        settings: What is in force.
        knowledge: What the page says about the documents.
        providers: Whom sessions share; open while this runs.
        on_ready: Called when requests are being answered.
    """
    access = Access(
        host=settings.server.host,
        allowed_hosts=(*settings.server.allowed_hosts, *_host_of(settings.phone.public_url)),
        public_origins=settings.server.public_origins,
        api_key=settings.server.api_key,
    )
    vitals = Vitals(SystemClock())
    port = int(listener.getsockname()[1])
    history = History(settings.store, settings.history, port=port)
    watching = Observability(settings, providers, access, vitals, SystemClock(), gauges=history.gauges)
    sinks = (log_turn, history.take, *watching.sinks)
    observer = Observer(sinks, SystemClock(), unix_now_s, vitals, provider_facts(settings, providers))
    live = LiveCalls(unix_now_s)
    sessions = Sessions(settings.limits.sessions, settings.limits.shutdown_s, (observer, live))
    realtime = Realtime(
        sessions,
        providers,
        session_settings(settings),
        access,
        SystemClock(),
        text_chars=settings.limits.text_chars,
    )
    call_settings = call_session_settings(session_settings(settings), settings.phone)
    calls = Calls(
        sessions,
        providers,
        call_settings,
        call_policy(settings.phone),
        Records(settings.phone.records),
        SystemClock(),
    )
    sockets = {REALTIME_PATH: realtime.accept}
    routes: list[BaseRoute] = [*api_routes(calls, access), *watching.routes(sessions)]
    facts = {
        "example_questions": knowledge.example_questions,
        "documents": {
            "name": knowledge.name,
            "files": knowledge.index.document_count,
            "passages": knowledge.index.passage_count,
        },
        "recogniser_note": providers.recogniser_note,
        "problem": "\n".join(providers.problems),
        "max_session_s": settings.limits.session_s,
    }

    def health() -> dict[str, Any]:
        return {"sessions": sessions.count, **vitals.figures(), "history": history.health()}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with (
            watching.running(),
            sessions.running(),
            calls.running(),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(vitals.run)
            for audio_format in telephone_formats(settings.telnyx, settings.twilio):
                tasks.start_soon(make_ahead, providers, call_settings, audio_format)
            tasks.start_soon(
                collect_when_calm, lambda: not sessions.has_somebody_waiting, lambda: not sessions.count
            )
            on_ready()
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async with (
        history.running(),
        open_networks(settings, providers.census) as networks,
        _messages(settings, knowledge, providers, observer, port, history.database) as message_routes,
    ):
        routes += message_routes
        for each in networks:
            calls.add_network(each.network, each.make_wire)
            sockets[f"/{each.network.name}/media/"] = calls.accept
            routes += each.routes(calls)
        if settings.dashboard.enabled:
            shown = Shown(
                live=live,
                figures=lambda: {"sessions": sessions.count, **vitals.figures()},
                pools=lambda: [pool for each in providers.census.endpoints() for pool in each.pools],
                goals=lambda: [goal.fields() for goal in watching.alerts.states()],
                drafts_band=(settings.drafts.cancelled_low, settings.drafts.cancelled_high),
                turns=history.reading,
                store=history.figures,
                plots=plot_folder(),
                recordings=calls.recordings,
            )
            routes += dashboard_routes(shown, dashboard_access(settings))
        config = uvicorn.Config(
            application(access, facts, health, lifespan, routes),
            http="auto",
            ws=media_protocol(by_path(sockets), settings.limits.message_bytes),
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        await _run(_Server(config, on_stop=live.close), listener)


@asynccontextmanager
async def _messages(
    settings: Settings,
    knowledge: Knowledge,
    providers: Providers,
    observer: Observer,
    port: int,
    database: Database | None,
) -> AsyncIterator[Sequence[Route]]:
    """Answer messages, if any are to be answered; return where they come to."""
    if settings.whatsapp.token is None:
        yield ()
        return
    # Here, because the job engine takes most of a second to import, which others need not wait for.
    from warmline.server.whatsapp.opening import open_whatsapp

    told = session_settings(settings)
    watching = partial(observer.watching, facts={"channel": "whatsapp"})
    opening = open_whatsapp(
        settings, knowledge, providers, told, port=port, watching=watching, database=database
    )
    async with opening as routes:
        yield routes


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: that would end the process before the providers are closed."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Answers that go on for as long as the server does end now; else they would be waited for.
        self._on_stop()
        await super().shutdown(sockets)


def _host_of(url: str) -> tuple[str, ...]:
    host = urlsplit(url).hostname
    return (host,) if host else ()


async def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run uvicorn; cancelling stops it in its own time, as a signal would, and waits for that."""
    stopped = anyio.Event()

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listener])
        stopped.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            await stopped.wait()
        finally:
            server.should_exit = True

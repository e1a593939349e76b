"""One server: its page and its sessions on one port, from the first request to the last goodbye."""

from __future__ import annotations

import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from warmline.core.clock import SystemClock, unix_now_s
from warmline.errors import ConfigError
from warmline.server.access import Access
from warmline.server.assembly import provider_facts, session_settings
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

__all__ = ["bind", "serve"]

_COLLECT_AFTER: Final = 10_000
"""Objects made and not freed by themselves, after which the collector looks at the new ones. Python's 700 are
made by a call several times a second, and next to none of them wait for the collector."""


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
    watching = Observability(settings, providers, access, vitals, SystemClock())
    sinks = (log_turn, *watching.sinks)
    observer = Observer(sinks, SystemClock(), unix_now_s, vitals, provider_facts(settings, providers))
    sessions = Sessions(settings.limits.sessions, settings.limits.shutdown_s, (observer,))
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
    routes = [*api_routes(calls, access), *watching.routes(sessions)]
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
        return {"sessions": sessions.count, **vitals.figures()}

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
            # What exists now stays: the collector need not look at it again in the middle of a turn.
            gc.collect()
            gc.freeze()
            gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
            on_ready()
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async with (
        open_networks(settings, providers.census) as networks,
        _messages(settings, knowledge, providers, int(listener.getsockname()[1])) as message_routes,
    ):
        routes += message_routes
        for each in networks:
            calls.add_network(each.network, each.make_wire)
            sockets[f"/{each.network.name}/media/"] = calls.accept
            routes += each.routes(calls)
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
        await _run(_Server(config), listener)


@asynccontextmanager
async def _messages(
    settings: Settings, knowledge: Knowledge, providers: Providers, port: int
) -> AsyncIterator[Sequence[Route]]:
    """Answer messages, if any are to be answered; return where they come to."""
    if settings.whatsapp.token is None:
        yield ()
        return
    # Here, because the job engine takes most of a second to import, which others need not wait for.
    from warmline.server.whatsapp.opening import open_whatsapp

    told = session_settings(settings)
    async with open_whatsapp(settings, knowledge, providers, told, port=port) as routes:
        yield routes


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: that would end the process before the providers are closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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

"""From settings to messages that are answered."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal
from starlette.routing import Route

from warmline.channels.whatsapp.client import GraphClient, number_request
from warmline.channels.whatsapp.media_lines import MediaLines
from warmline.channels.whatsapp.retrying import CONFIRM_S
from warmline.channels.whatsapp.signature import WhatsAppSignatures
from warmline.core.clock import SystemClock, unix_now_s
from warmline.errors import ConfigError
from warmline.pool.lines import Lines
from warmline.server.services.knowledge import Knowledge
from warmline.server.services.opened import lines_of
from warmline.server.services.transcribers import open_transcriber
from warmline.server.services.voices import chosen_voice, open_voice
from warmline.server.settings import Secret, Settings, TelnyxTable, TwilioTable, WhatsAppTable
from warmline.server.whatsapp.agent import MessageAgent, Watching
from warmline.server.whatsapp.engine import JobEngine
from warmline.server.whatsapp.policy import PAUSE, MessagePolicy
from warmline.server.whatsapp.receiving import Receiving
from warmline.server.whatsapp.routes import whatsapp_routes
from warmline.server.whatsapp.upkeep import Upkeep
from warmline.server.whatsapp.work import MessageWork
from warmline.session.correspondence import Correspondence
from warmline.session.settings import Providers, SessionSettings
from warmline.store.database import Database, database_url
from warmline.store.messages import Messages
from warmline.store.outbox import Outbox
from warmline.store.workers import Workers

__all__ = ["message_policy", "open_whatsapp"]

_JOBS: Final = 32
"""At a time, in whatever state: most of them wait for somebody else. Each has a thread, and those that begin
at once keep the event loop waiting for the interpreter's lock."""

_IDLE_S: Final = 50.0
_MOST_LINES: Final = 20


@asynccontextmanager
async def open_whatsapp(
    settings: Settings,
    knowledge: Knowledge,
    providers: Providers,
    session_settings: SessionSettings,
    *,
    port: int,
    watching: Watching,
    database: Database | None = None,
    now_s: Callable[[], float] = unix_now_s,
) -> AsyncIterator[Sequence[Route]]:
    """Answer messages; return where WhatsApp tells of them.

    On leaving, every job is left where it is, for the next start.

    Args:
        settings: All of them.
        knowledge: Whose words a recogniser expects.
        providers: Who answers and speaks; shared with live sessions, which go first.
        session_settings: What sessions are told.
        port: The server's, for the process's name.
        watching: Has a message's turn watched, by its job's id.
        database: The store, where it is open already; whoever opened it closes it.
        now_s: The wall clock, in seconds since 1970.

    Raises:
        ConfigError: a secret is missing, something is wrong, or the database can't be had.
    """
    table = settings.whatsapp
    token = _needed(table.token, "WHATSAPP_TOKEN, which is sent along")
    app_secret = _needed(table.app_secret, "WHATSAPP_APP_SECRET, which webhooks are checked with")
    verify_token = _needed(table.verify_token, "WHATSAPP_VERIFY_TOKEN, which Meta was given for the webhook")
    worker = settings.store.worker or f"{socket.gethostname()}:{port}"
    async with AsyncExitStack() as held:
        lines = await held.enter_async_context(lines_of(settings, providers.census))
        providers = await _with_preset(settings, providers, lines, held)
        transcriber = await held.enter_async_context(
            open_transcriber(settings, knowledge, lines, providers.stt)
        )
        if database is None:
            database = Database(database_url(settings.store.url))
            await anyio.to_thread.run_sync(database.__enter__)
            held.callback(database.__exit__)
        messages, outbox, workers = Messages(database), Outbox(database), Workers(database)
        agent = MessageAgent(
            await _client(table, token, lines),
            transcriber,
            Correspondence(providers, session_settings, SystemClock()),
            watching=watching,
            language=table.language,
            most_bytes=table.recording_bytes,
            at_once=table.at_once,
        )
        portal = await held.enter_async_context(BlockingPortal())
        engine = JobEngine(
            database,
            lambda job_id: work(job_id),
            worker=worker,
            at_once=_JOBS,
            look_s=table.look_ms / 1000,
        )
        work = MessageWork(
            engine,
            portal,
            agent,
            messages,
            outbox,
            message_policy(table),
            now_s,
            confirm_scale=table.confirm_s / CONFIRM_S,
        )
        receiving = Receiving(
            WhatsAppSignatures(app_secret),
            messages,
            outbox,
            engine,
            now_s,
            phone_number_id=table.phone_number_id,
        )
        await anyio.to_thread.run_sync(workers.seen, worker, now_s())
        # Whoever starts the process has set another token, or found that this one was not at fault.
        await anyio.to_thread.run_sync(messages.resume, PAUSE)
        await anyio.to_thread.run_sync(engine.start)
        held.push_async_callback(_stop, engine, portal)
        await anyio.to_thread.run_sync(receiving.queue_again)
        upkeep = Upkeep(
            engine,
            agent,
            messages,
            outbox,
            workers,
            now_s,
            worker=worker,
            phone_number_id=table.phone_number_id,
            keep_days=table.keep_days,
        )
        tasks = await held.enter_async_context(anyio.create_task_group())
        tasks.start_soon(upkeep.run)
        held.callback(tasks.cancel_scope.cancel)
        yield whatsapp_routes(receiving, verify_token)


def message_policy(table: WhatsAppTable) -> MessagePolicy:
    """Return what is done about messages."""
    return MessagePolicy(
        speaks_to_text=table.answer_text_by == "voice",
        speaks_to_voice=table.answer_voice_by == "voice",
        apology=table.apology,
        not_understood=table.not_understood,
        not_readable=table.not_readable,
        forget_words=table.forget_words,
        forgotten=table.forgotten,
        history=table.history,
        template=table.template,
        template_language=table.template_language,
    )


async def _client(table: WhatsAppTable, token: str, lines: Lines) -> GraphClient:
    endpoint = await lines.endpoint(
        "whatsapp",
        table.base_urls,
        warm=2,
        max_lines=_MOST_LINES,
        idle_s=_IDLE_S,
        headers={"authorization": f"Bearer {token}"},
        probe=number_request(table.phone_number_id) if table.phone_number_id else None,
    )
    return GraphClient(endpoint, MediaLines(lines, token, table.base_urls))


async def _with_preset(
    settings: Settings, providers: Providers, lines: Lines, held: AsyncExitStack
) -> Providers:
    """Return the providers with a voice of the preset for messages, if that is another one."""
    preset = settings.whatsapp.voice_preset
    if preset == "" or preset == settings.elevenlabs.preset or chosen_voice(settings) != "elevenlabs":
        return providers
    # Without telephones: no lines stand ready in their formats.
    alone = replace(
        settings,
        elevenlabs=replace(settings.elevenlabs, preset=preset),
        telnyx=TelnyxTable(),
        twilio=TwilioTable(),
    )
    voice = await held.enter_async_context(open_voice(alone, lines))
    return replace(providers, tts=voice.provider)


async def _stop(engine: JobEngine, portal: BlockingPortal) -> None:
    """Leave the jobs; what they are doing on the event loop is cancelled."""
    with anyio.CancelScope(shield=True):
        engine.leave()
        await portal.stop(cancel_remaining=True)
        await anyio.to_thread.run_sync(partial(engine.stop))


def _needed(secret: Secret | None, what: str) -> str:
    if secret is None:
        raise ConfigError(f"answering WhatsApp messages: set {what}")
    return secret.reveal()

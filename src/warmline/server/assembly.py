"""From settings to what sessions share and are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from warmline.interfaces.channel import TurnSettings
from warmline.knowledge.index import OnProgress
from warmline.providers.offline.voice_activity import OfflineVoiceActivity
from warmline.server.services.knowledge import Knowledge
from warmline.server.services.language_models import open_language_model
from warmline.server.services.opened import lines_of
from warmline.server.services.recognisers import open_recogniser
from warmline.server.services.retrievers import open_retriever
from warmline.server.services.tools import open_tools
from warmline.server.services.voices import open_voice
from warmline.server.settings import Settings
from warmline.server.settings.turn_tables import DraftsTable
from warmline.session.settings import Endpointing, Providers, SessionSettings
from warmline.turns.debounce import DebouncePolicy
from warmline.turns.drafting import DraftingPolicy

__all__ = ["RECOGNISER_NOTE", "open_providers", "session_settings"]

RECOGNISER_NOTE = (
    "Speech is recognised on this machine, in English, without any service. It knows the words of your "
    "documents best. Of ordinary speech it gets about one word in four wrong even in a quiet room, and more "
    "with noise, an accent it has not met, a telephone or a Bluetooth headset. A wired headset helps, "
    "and typing always works."
)
"""What people are told about the recogniser's limits; the figure is `bench/words.py`'s."""


@asynccontextmanager
async def open_providers(
    settings: Settings, knowledge: Knowledge, on_progress: OnProgress | None = None
) -> AsyncIterator[Providers]:
    """Start the providers; leaving stops their processes and closes their lines.

    Those on this machine are ready then. A service's lines are being opened; a key that is
    refused is a problem to be told, and no error.

    Args:
        settings: Which ones.
        knowledge: What answers are drawn from.
        on_progress: Told how far a service is with embedding the documents, on the event loop.

    Raises:
        ConfigError: a key is missing, or a plugin or a tool cannot be had.
        ProviderUnavailable: a process on this machine can't be started.
    """
    async with (
        OfflineVoiceActivity() as vad,
        lines_of(settings) as lines,
        open_retriever(settings, knowledge, lines, on_progress) as retriever,
        open_tools(settings, lines) as tools,
        open_recogniser(settings, knowledge, lines) as stt,
        open_language_model(settings, knowledge, lines) as llm,
        open_voice(settings, lines) as tts,
    ):
        problems = await _problems(stt.find_problem, llm.find_problem, tts.find_problem)
        yield Providers(
            vad=vad,
            stt=stt.provider,
            retriever=retriever.provider,
            llm=llm.provider,
            tts=tts.provider,
            tools=tools,
            listens_by=stt.name,
            answers_by=llm.name,
            speaks_by=tts.name,
            finds_by=retriever.name,
            notes=(retriever.note,) if retriever.note else (),
            problems=problems,
            recogniser_note=RECOGNISER_NOTE if stt.is_offline else "",
        )


async def _problems(*checks: Callable[[], Awaitable[str]] | None) -> tuple[str, ...]:
    """Return what is wrong, all of it asked for at once."""
    found: dict[int, str] = {}

    async def ask(number: int, check: Callable[[], Awaitable[str]]) -> None:
        found[number] = await check()

    async with anyio.create_task_group() as tasks:
        for number, check in enumerate(checks):
            if check is not None:
                tasks.start_soon(ask, number, check)
    return tuple(found[number] for number in sorted(found) if found[number])


def session_settings(settings: Settings) -> SessionSettings:
    """Return what each session is told."""
    return SessionSettings(
        turns=TurnSettings(
            speech_threshold=settings.turns.speech_threshold,
            silence_ms=settings.turns.silence_ms,
            can_be_interrupted=settings.turns.interrupt,
        ),
        endpointing=Endpointing(settings.turns.endpointing),
        longest_silence_ms=settings.turns.longest_silence_ms,
        resumes_replies=settings.turns.resume,
        drafting=_drafting(settings.drafts) if settings.drafts.enabled else None,
        stop_ms=settings.turns.stop_ms,
        final_deadline_s=settings.turns.final_deadline_ms / 1000,
        retrieval_deadline_s=settings.knowledge.retrieval_deadline_ms / 1000,
        typed_retrieval_deadline_s=settings.knowledge.typed_retrieval_deadline_ms / 1000,
        playout_lead_s=settings.playout.lead_ms / 1000,
        playout_timeout_s=settings.playout.timeout_ms / 1000,
        session_s=settings.limits.session_s,
        instructions=settings.agent.instructions,
        greeting=settings.agent.greeting,
        farewell=settings.agent.farewell,
    )


def _drafting(drafts: DraftsTable) -> DraftingPolicy:
    debounce = DebouncePolicy(
        default_ms=drafts.debounce_ms,
        step_ms=drafts.step_ms,
        floor_ms=drafts.floor_ms,
        ceiling_ms=drafts.ceiling_ms,
        band=(drafts.cancelled_low, drafts.cancelled_high),
        window=max(DebouncePolicy().window, drafts.least_samples),
        min_samples=drafts.least_samples,
    )
    return DraftingPolicy(
        debounce=debounce,
        drafts_per_turn=drafts.per_turn,
        wasted_tokens_per_minute=drafts.wasted_tokens_per_minute,
    )

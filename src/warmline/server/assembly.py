"""From settings to what sessions share and are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from warmline.interfaces.channel import TurnSettings
from warmline.providers.offline.voice_activity import OfflineVoiceActivity
from warmline.server.services.knowledge import Knowledge
from warmline.server.services.language_models import open_language_model
from warmline.server.services.opened import lines_of
from warmline.server.services.recognisers import open_recogniser
from warmline.server.services.tools import open_tools
from warmline.server.services.voices import open_voice
from warmline.server.settings import Settings
from warmline.session.settings import Providers, SessionSettings

__all__ = ["RECOGNISER_NOTE", "open_providers", "session_settings"]

RECOGNISER_NOTE = (
    "Speech is recognised on this machine, in English, without any service. It knows the words of your "
    "documents best. Of ordinary speech it gets about one word in four wrong even in a quiet room, and more "
    "with noise, an accent it has not met, a telephone or a Bluetooth headset. A wired headset helps, "
    "and typing always works."
)
"""What people are told about the recogniser's limits; the figure is `bench/words.py`'s."""


@asynccontextmanager
async def open_providers(settings: Settings, knowledge: Knowledge) -> AsyncIterator[Providers]:
    """Start the providers; leaving stops their processes and closes their lines.

    Those on this machine are ready then. A service's lines are being opened; a key that is
    refused is a problem to be told, and no error.

    Raises:
        ConfigError: a key is missing, or a plugin or a tool cannot be had.
        ProviderUnavailable: a process on this machine can't be started.
    """
    async with (
        OfflineVoiceActivity() as vad,
        lines_of(settings) as lines,
        open_tools(settings, lines) as tools,
        open_recogniser(settings, knowledge, lines) as stt,
        open_language_model(settings, knowledge, lines) as llm,
        open_voice(settings, lines) as tts,
    ):
        problems = await _problems(stt.find_problem, llm.find_problem, tts.find_problem)
        yield Providers(
            vad=vad,
            stt=stt.provider,
            retriever=knowledge.index,
            llm=llm.provider,
            tts=tts.provider,
            tools=tools,
            listens_by=stt.name,
            answers_by=llm.name,
            speaks_by=tts.name,
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
        stop_ms=settings.turns.stop_ms,
        final_deadline_s=settings.turns.final_deadline_ms / 1000,
        retrieval_deadline_s=settings.knowledge.retrieval_deadline_ms / 1000,
        playout_lead_s=settings.playout.lead_ms / 1000,
        playout_timeout_s=settings.playout.timeout_ms / 1000,
        session_s=settings.limits.session_s,
        instructions=settings.agent.instructions,
        greeting=settings.agent.greeting,
        farewell=settings.agent.farewell,
    )

"""From settings to the providers that sessions share: the one place that knows which they are."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import anyio

from warmline.errors import ConfigError, InputError, ProviderError
from warmline.interfaces.channel import TurnSettings
from warmline.interfaces.llm import LanguageModel
from warmline.knowledge.index import Index, OnProgress, Progress, build_index
from warmline.knowledge.sample_library import EXAMPLE_QUESTIONS, SAMPLE_FOLDER
from warmline.pool.lines import Lines
from warmline.providers.anthropic.messages import RETRY, AnthropicMessages, anthropic_headers
from warmline.providers.anthropic.protocol import MODELS as ANTHROPIC_MODELS
from warmline.providers.anthropic.protocol import MessagesSettings
from warmline.providers.offline.quoting import QuotingAnswerer
from warmline.providers.offline.recogniser import OfflineRecogniser
from warmline.providers.offline.voice import OfflineVoice
from warmline.providers.offline.voice_activity import OfflineVoiceActivity
from warmline.providers.openai.chat import OpenAiChat, openai_headers
from warmline.providers.openai.protocol import MODELS, ChatSettings
from warmline.server.plugins import open_plugin
from warmline.server.settings import AnthropicTable, OpenAiTable, Settings
from warmline.session.settings import Providers, SessionSettings

__all__ = ["RECOGNISER_NOTE", "Knowledge", "load_knowledge", "open_providers", "session_settings"]

_log = logging.getLogger(__name__)

_CHECK_S: Final = 6.0
"""How long the start waits to learn whether a key is accepted."""

RECOGNISER_NOTE = (
    "Speech is recognised on this machine, in English, without any service. It knows the words of your "
    "documents best. Of ordinary speech it gets about one word in four wrong even in a quiet room, and more "
    "with noise, an accent it has not met, a telephone or a Bluetooth headset. A wired headset helps, "
    "and typing always works."
)
"""What people are told about the recogniser's limits; the figure is `bench/words.py`'s."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The documents that answers are drawn from."""

    index: Index
    name: str
    """For people: the folder, or that it is the sample."""

    example_questions: tuple[str, ...]


async def load_knowledge(settings: Settings, on_progress: OnProgress | None = None) -> Knowledge:
    """Read and index the documents, on a thread; cancelling stops it within a batch.

    Args:
        settings: Which documents.
        on_progress: Called on that thread.

    Raises:
        InputError: the folder is not there, or nothing in it can be read.
    """
    table = settings.knowledge
    folder = table.documents or SAMPLE_FOLDER

    is_abandoned = threading.Event()

    def report(progress: Progress) -> None:
        if is_abandoned.is_set():
            raise InputError("indexing was stopped")
        if on_progress is not None:
            on_progress(progress)

    def build() -> Index:
        return build_index(folder, on_progress=report, cache_dir=table.cache_dir, top_k=table.passages)

    try:
        index = await anyio.to_thread.run_sync(build, abandon_on_cancel=True)
    finally:
        is_abandoned.set()
    if table.documents is None:
        return Knowledge(index, "Sample: the Harbour Lane library", EXAMPLE_QUESTIONS)
    examples = tuple(f"Tell me about {topic}." for topic in index.topics[:4])
    return Knowledge(index, table.documents.name or str(table.documents), examples)


@asynccontextmanager
async def open_providers(settings: Settings, knowledge: Knowledge) -> AsyncIterator[Providers]:
    """Start the providers; leaving stops their processes and closes their lines.

    Those on this machine are ready then. A service's lines are being opened; a key that is
    refused is a problem to be told, and no error.

    Raises:
        ProviderUnavailable: a process on this machine can't be started.
    """
    index = knowledge.index
    recogniser = OfflineRecogniser(
        index.sentences(),
        spare_processes=settings.recogniser.spare,
        max_processes=settings.recogniser.processes,
    )
    voice = OfflineVoice(
        voice=settings.voice.name, rate_wpm=settings.voice.rate_wpm, pitch=settings.voice.pitch
    )
    async with (
        OfflineVoiceActivity() as vad,
        voice,
        recogniser,
        _language_model(settings, knowledge) as model,
    ):
        yield Providers(
            vad=vad,
            stt=recogniser,
            retriever=index,
            llm=model.llm,
            tts=voice,
            answers_by=model.name,
            problem=model.problem,
        )


@dataclass(frozen=True, slots=True)
class _Model:
    llm: LanguageModel
    name: str
    problem: str = ""


@asynccontextmanager
async def _language_model(settings: Settings, knowledge: Knowledge) -> AsyncIterator[_Model]:
    """Open who answers."""
    table = settings.openai
    is_elsewhere = table.base_urls != OpenAiTable().base_urls
    wanted = _chosen_model(settings)
    if wanted not in ("offline", "openai"):
        opening = _anthropic(settings) if wanted == "anthropic" else _plugin_model(settings, wanted)
        async with opening as model:
            yield model
        return
    if wanted == "offline":
        example = next(iter(knowledge.example_questions), "")
        yield _Model(
            QuotingAnswerer(knowledge.index.topics, example), "passages of the documents, read aloud"
        )
        return
    if not table.api_key and not is_elsewhere:
        raise ConfigError('answering by OpenAI (providers.llm = "openai"): set OPENAI_API_KEY')
    async with _lines(settings) as lines:
        endpoint = await lines.endpoint(
            "openai",
            table.base_urls,
            warm=settings.lines.llm_warm,
            max_lines=settings.lines.llm_connections,
            idle_s=settings.lines.llm_idle_s,
            headers=openai_headers(
                table.api_key.reveal() if table.api_key else "", table.organization, table.project
            ),
            probe=MODELS,
        )
        chat = OpenAiChat(
            endpoint,
            ChatSettings(table.model, table.reasoning_effort, table.max_tokens, is_openai=not is_elsewhere),
        )
        problem = await _problem("openai", table.model, chat.check_key)
        yield _Model(chat, f"{table.model} at {urlsplit(table.base_urls[0]).hostname}", problem)


def _chosen_model(settings: Settings) -> str:
    if settings.providers.llm != "auto":
        return settings.providers.llm
    if settings.openai.api_key or settings.openai.base_urls != OpenAiTable().base_urls:
        return "openai"
    return "anthropic" if settings.anthropic.api_key else "offline"


@asynccontextmanager
async def _anthropic(settings: Settings) -> AsyncIterator[_Model]:
    table = settings.anthropic
    if not table.api_key and table.base_urls == AnthropicTable().base_urls:
        raise ConfigError('answering by Anthropic (providers.llm = "anthropic"): set ANTHROPIC_API_KEY')
    async with _lines(settings) as lines:
        endpoint = await lines.endpoint(
            "anthropic",
            table.base_urls,
            warm=settings.lines.llm_warm,
            max_lines=settings.lines.llm_connections,
            idle_s=settings.lines.llm_idle_s,
            headers=anthropic_headers(table.api_key.reveal() if table.api_key else ""),
            probe=ANTHROPIC_MODELS,
            retry=RETRY,
        )
        llm = AnthropicMessages(
            endpoint, MessagesSettings(table.model, table.max_tokens, table.thinking, table.effort)
        )
        problem = await _problem("anthropic", table.model, llm.check_key)
        yield _Model(llm, f"{table.model} at {urlsplit(table.base_urls[0]).hostname}", problem)


@asynccontextmanager
async def _plugin_model(settings: Settings, name: str) -> AsyncIterator[_Model]:
    table = settings.plugins.get(name, {})
    async with _lines(settings) as lines, open_plugin("llm", name, table, lines, os.environ) as llm:
        yield _Model(llm, name)


def _lines(settings: Settings) -> Lines:
    return Lines(
        certificate=settings.lines.certificate,
        proxy=settings.lines.proxy or None,
        connect_s=settings.lines.connect_s,
        dns_s=settings.lines.dns_s,
        dns_server=settings.lines.dns_server or None,
    )


async def _problem(provider: str, model: str, check_key: Callable[[], Awaitable[None]]) -> str:
    """Return why a provider is not ready; empty if it is."""
    problem = f"asking {model}: no answer within {_CHECK_S:g} s; see {provider}.base_urls"
    try:
        with anyio.move_on_after(_CHECK_S):
            await check_key()
            problem = ""
    except ProviderError as error:
        problem = str(error)
    if problem:
        _log.warning("provider.not_ready", extra={"provider": provider, "problem": problem})
    return problem


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

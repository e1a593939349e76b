"""From settings to what sessions share and are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import anyio

from warmline.core.setback import ProviderRole
from warmline.failover.health import LegKey
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.patience import Bounds, Wait
from warmline.failover.probing import Probe, Probing
from warmline.failover.settings import FailoverSettings, HedgeSettings
from warmline.interfaces.channel import TurnSettings
from warmline.knowledge.index import OnProgress
from warmline.providers.offline.voice_activity import OfflineVoiceActivity
from warmline.server.services.knowledge import Knowledge
from warmline.server.services.language_models import chosen_language_model, open_language_model
from warmline.server.services.opened import Opened, each_of, lines_of
from warmline.server.services.recognisers import chosen_recogniser, open_recogniser
from warmline.server.services.retrievers import open_retriever
from warmline.server.services.tools import open_tools
from warmline.server.services.voices import chosen_voice, open_voice
from warmline.server.settings import AgentTable, FailoverTable, Settings
from warmline.server.settings.turn_tables import DraftsTable
from warmline.session.settings import Endpointing, Providers, SessionSettings
from warmline.session.trimming import ContextPolicy
from warmline.turns.debounce import DebouncePolicy
from warmline.turns.drafting import DraftingPolicy
from warmline.turns.idling import IdlePolicy

__all__ = ["RECOGNISER_NOTE", "failover_settings", "open_providers", "provider_facts", "session_settings"]

_ProviderT = TypeVar("_ProviderT")

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
    llms = each_of(settings, "llm", chosen_language_model(settings))
    voices = each_of(settings, "tts", chosen_voice(settings))
    recognisers = each_of(settings, "stt", chosen_recogniser(settings))
    async with (
        OfflineVoiceActivity() as vad,
        lines_of(settings) as lines,
        open_retriever(settings, knowledge, lines, on_progress) as retriever,
        open_tools(settings, lines) as tools,
        AsyncExitStack() as held,
    ):
        enter = held.enter_async_context
        stt, *stt_fallbacks = [await enter(open_recogniser(each, knowledge, lines)) for each in recognisers]
        llm, *llm_fallbacks = [await enter(open_language_model(each, knowledge, lines)) for each in llms]
        tts, *tts_fallbacks = [await enter(open_voice(each, lines)) for each in voices]
        opened: dict[ProviderRole, Sequence[Opened[Any]]] = {
            ProviderRole.STT: [stt, *stt_fallbacks],
            ProviderRole.LLM: [llm, *llm_fallbacks],
            ProviderRole.TTS: [tts, *tts_fallbacks],
        }
        failover = FailoverState(failover_settings(settings.failover))
        await enter(Probing(failover.health, _probes(opened), lines.clock))
        problems = await _problems(*(each.find_problem for legs in opened.values() for each in legs))
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
            recogniser_note=RECOGNISER_NOTE if stt.leg == "offline" else "",
            stt_name=stt.leg,
            llm_name=llm.leg,
            tts_name=tts.leg,
            stt_fallbacks=_legs(stt_fallbacks),
            llm_fallbacks=_legs(llm_fallbacks),
            tts_fallbacks=_legs(tts_fallbacks),
            failover=failover,
            pools=lines.views,
        )


def _legs(opened: Sequence[Opened[_ProviderT]]) -> tuple[Leg[_ProviderT], ...]:
    return tuple(Leg(each.provider, each.leg, each.can_continue) for each in opened)


def _probes(opened: Mapping[ProviderRole, Sequence[Opened[Any]]]) -> dict[LegKey, Probe]:
    """Return what can be asked of each leg to know whether it works, where there is another to turn to."""
    return {
        (role, each.leg): each.probe
        for role, legs in opened.items()
        for each in legs
        if each.probe is not None and len(legs) > 1
    }


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


def provider_facts(settings: Settings, providers: Providers) -> dict[str, str]:
    """Return who listens, answers and speaks, and with which models, as turns are told apart by."""
    names = {"stt": providers.stt_name, "llm": providers.llm_name, "tts": providers.tts_name}
    models = {
        ("stt", "deepgram"): settings.deepgram.model,
        ("llm", "openai"): settings.openai.model,
        ("llm", "anthropic"): settings.anthropic.model,
        ("tts", "elevenlabs"): settings.elevenlabs.model or settings.elevenlabs.preset,
    }
    known = {f"{role}_model": models[role, name] for role, name in names.items() if (role, name) in models}
    return {**names, **known}


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
        expiry_farewell=settings.limits.farewell,
        expiry_farewell_s=settings.limits.farewell_s,
        context=ContextPolicy(settings.agent.context_tokens),
        summarises=settings.agent.summarise and chosen_language_model(settings) != "offline",
        idle=_idle(settings.agent),
        instructions=settings.agent.instructions,
        greeting=settings.agent.greeting,
        farewell=settings.agent.farewell,
    )


def _idle(agent: AgentTable) -> IdlePolicy:
    return IdlePolicy(agent.idle_s, agent.idle_prompts, agent.idle_texts, agent.idle_farewell)


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


def failover_settings(table: FailoverTable) -> FailoverSettings:
    """Return what sessions are told about failures."""
    milliseconds = {
        Wait.LLM_FIRST_TEXT: (table.llm_first_least_ms, table.llm_first_ms),
        Wait.LLM_STALL: (table.llm_stall_least_ms, table.llm_stall_ms),
        Wait.TTS_FIRST_AUDIO: (table.tts_first_least_ms, table.tts_first_ms),
        Wait.TTS_STALL: (table.tts_stall_least_ms, table.tts_stall_ms),
        Wait.STT_FINAL: (table.stt_final_least_ms, table.stt_final_ms),
    }
    return FailoverSettings(
        bounds={
            wait: Bounds(floor / 1000, ceiling / 1000) for wait, (floor, ceiling) in milliseconds.items()
        },
        again_s=table.again_ms / 1000,
        give_up_s=table.give_up_ms / 1000,
        tries=table.tries,
        hedge=HedgeSettings(table.hedge, table.hedge_percent, table.hedge_share),
        replay_s=table.replay_s,
        replays=table.replays,
        apology=table.apology,
    )

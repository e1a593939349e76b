"""Failing over between the simulated providers, over real TLS: what the user would get, and how late."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from tests.wire.server import knowledge
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_16K
from warmline.core.line_use import LineUse
from warmline.core.setback import ProviderRole, Remedy, Setback, SetbackKind
from warmline.errors import ConfigError
from warmline.failover.health import LegState
from warmline.failover.speaking import SpeakingLegs
from warmline.failover.thinking import stream
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.server.assembly import open_providers
from warmline.server.settings import load_settings
from warmline.session.settings import Providers
from warmline.simulators.faults import parse_fault
from warmline.simulators.running import Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

CLOCK = SystemClock()
documents = functools.cache(knowledge)
REPLY = "The library opens at nine in the morning. On Sundays it is closed all day long."
ASKED = LlmRequest([Message(Role.USER, "When do you open?")])
NOT_LATER_S = 1.0
"""What a failure before the first clause may add; the simulated model takes 0.18 s by itself."""


@dataclass
class House:
    """Providers over simulators."""

    running: Running
    providers: Providers

    def fault(self, name: str, text: str) -> None:
        self.running.simulators[name].faults.add(parse_fault(text))


@asynccontextmanager
async def house(**settings: object) -> AsyncIterator[House]:
    """Open the services of simulators, and offline ones where none is named."""
    known = await anyio.to_thread.run_sync(documents)
    scripts = {name: Script(reply=REPLY) for name in ("openai", "anthropic")}
    async with simulators_running(only=["openai", "anthropic", "elevenlabs"], scripts=scripts) as running:
        flags = {
            "providers.llm": "openai",
            "providers.tts": "offline",
            "providers.stt": "offline",
            "recogniser.spare": 0,
        }
        named = {name.replace("__", "."): value for name, value in settings.items()}
        loaded = load_settings(None, {**running.settings, **flags, **named}, running.environment)
        async with open_providers(loaded.settings, known) as providers:
            assert providers.problems == ()
            yield House(running, providers)


@dataclass
class Heard:
    text: str = ""
    first_s: float = 0.0
    setbacks: list[Setback] = field(default_factory=list)
    lines: list[LineUse] = field(default_factory=list)

    @property
    def story(self) -> list[tuple[str, SetbackKind, Remedy, str]]:
        return [(each.leg, each.kind, each.remedy, each.taken_by) for each in self.setbacks]


async def answer(providers: Providers) -> Heard:
    heard = Heard()
    began_s = CLOCK.now_s()
    answering = stream(
        providers.llm_legs,
        ASKED,
        providers.failover,
        CLOCK,
        on_line=heard.lines.append,
        on_setback=heard.setbacks.append,
    )
    async with answering as pieces:
        async for piece in pieces:
            heard.first_s = heard.first_s or CLOCK.now_s() - began_s
            heard.text += str(piece)
    return heard


@pytest.mark.parametrize("fault", ["mute", "drop", "503", "stall", "slow_first_byte;seconds=3"])
async def test_model_that_fails_once_is_asked_again_on_another_line(fault: str):
    async with house() as found:
        await answer(found.providers)
        found.fault("openai", f"{fault};path=chat")
        heard = await answer(found.providers)
        assert heard.text == REPLY
        assert heard.first_s < 0.18 + NOT_LATER_S
        assert all(each.taken_by == "openai" for each in heard.setbacks)
        # What the pool does not cure by itself is asked for on another line; a line that brought a refusal
        # is a good one.
        if heard.setbacks and fault != "503":
            assert len({use.line_id for use in heard.lines}) == len(heard.lines)
        assert all(use.reused and use.waited_s < 0.05 for use in heard.lines[:2])


async def test_model_that_nobody_stands_in_for_is_asked_until_it_has_recovered():
    async with house() as found:
        found.fault("openai", "503;times=3;path=chat")
        heard = await answer(found.providers)
        assert heard.text == REPLY


@pytest.mark.parametrize("fault", ["mute", "stall", "503", "429", "401"])
async def test_model_that_keeps_failing_is_left_for_another_within_a_second(fault: str):
    async with house(providers__llm_fallbacks=["anthropic", "offline"]) as found:
        found.fault("openai", f"{fault};times=0;path=chat")
        heard = await answer(found.providers)
        assert heard.text == REPLY
        assert heard.first_s < 0.18 + NOT_LATER_S + 0.1
        assert heard.setbacks[-1].taken_by == "anthropic"
        # Its free requests are answered, so it is tried again soon; and left again.
        again = await answer(found.providers)
        assert again.text == REPLY
        assert again.first_s < 0.18 + NOT_LATER_S + 0.1


async def test_model_that_is_down_altogether_costs_the_next_turn_nothing_and_comes_back():
    async with house(providers__llm_fallbacks=["anthropic"]) as found:
        found.fault("openai", "503;times=0")
        await answer(found.providers)
        await anyio.sleep(1.0)  # Its probe has failed as well.
        during = await answer(found.providers)
        assert during.story == [("openai", SetbackKind.SKIPPED, Remedy.NONE, "anthropic")]
        assert during.first_s < 0.5
        found.running.simulators["openai"].faults.clear()
        with anyio.fail_after(20):
            while not found.providers.failover.health.is_up(ProviderRole.LLM, "openai"):  # noqa: ASYNC110
                await anyio.sleep(0.05)
        back = await answer(found.providers)
        assert (back.text, back.setbacks) == (REPLY, [])
        assert found.providers.failover.health.state(ProviderRole.LLM, "openai") is LegState.HEALTHY


@pytest.mark.parametrize("fault", ["cut", "error_mid_stream", "stall", "garbage"])
async def test_answer_that_breaks_off_is_continued_and_nothing_is_said_twice(fault: str):
    """The simulated model begins anew, as models do; what it repeats is left out."""
    async with house(providers__llm_fallbacks=["anthropic"]) as found:
        found.fault("openai", f"{fault};after=6;path=chat")
        heard = await answer(found.providers)
        assert heard.text == REPLY
        [setback] = heard.setbacks
        assert setback.remedy is Remedy.CONTINUATION


async def test_offline_answers_stand_in_for_a_model_and_are_not_asked_to_go_on_with_its_words():
    async with house(providers__llm_fallbacks=["offline"]) as found:
        found.fault("openai", "401;times=0;path=chat")
        heard = await answer(found.providers)
        assert heard.text
        assert heard.setbacks[-1].taken_by == "offline"


CLAUSES = ("The library opens at nine. ", "It closes at five on Sundays.")
TEXT = "".join(CLAUSES)


@dataclass
class Spoken(Heard):
    audio: bytes = b""
    words: list[str] = field(default_factory=list)
    starts_ms: list[int] = field(default_factory=list)
    longest_gap_s: float = 0.0


@asynccontextmanager
async def voice_house(**settings: object) -> AsyncIterator[tuple[House, SpeakingLegs]]:
    async with house(providers__tts="elevenlabs", **settings) as found:
        yield found, SpeakingLegs(found.providers.tts_legs, found.providers.failover, CLOCK)


async def speak(voice, pace: float = 0.0) -> Spoken:
    spoken = Spoken()
    began_s = last_s = CLOCK.now_s()

    async def given() -> AsyncIterator[str]:
        for clause in CLAUSES:
            yield clause

    async with voice.speak(given(), PCM_16K, spoken.lines.append, spoken.setbacks.append) as chunks:
        async for chunk in chunks:
            now_s = CLOCK.now_s()
            if spoken.audio:
                spoken.longest_gap_s = max(spoken.longest_gap_s, now_s - last_s)
            elif chunk.audio:
                spoken.first_s = now_s - began_s
            last_s = now_s
            spoken.audio += chunk.audio
            spoken.words += [TEXT[word.text_start : word.text_end] for word in chunk.words]
            spoken.starts_ms += [word.start_ms for word in chunk.words]
    return spoken


@pytest.mark.parametrize(
    "fault",
    ["mute", "stall;after=2", "cut;after=2", "half_close;after=2", "garbage;after=1"],
)
async def test_voice_that_fails_is_gone_on_with_and_no_word_is_lost_or_said_twice(fault: str):
    async with voice_house() as (found, legs):
        voice = legs.open(PCM_16K)
        await anyio.sleep(0.3)
        whole = await speak(voice)
        found.fault("elevenlabs", fault)
        spoken = await speak(voice)
        assert [word.rstrip(".") for word in spoken.words] == TEXT.replace(".", "").split()
        assert spoken.starts_ms == sorted(spoken.starts_ms)
        assert spoken.starts_ms[-1] < PCM_16K.duration_s(len(spoken.audio)) * 1000
        assert 0.75 * len(whole.audio) < len(spoken.audio) <= 1.05 * len(whole.audio)
        assert spoken.first_s < 1.0
        assert spoken.longest_gap_s < 1.2
        after = await speak(voice)
        assert after.setbacks == []
        await voice.aclose()


async def test_voice_that_is_mute_everywhere_is_left_for_this_machines_within_a_second():
    async with voice_house(providers__tts_fallbacks=["offline"]) as (found, legs):
        voice = legs.open(PCM_16K)
        await anyio.sleep(0.3)
        found.fault("elevenlabs", "mute;times=0")
        spoken = await speak(voice)
        assert [word.rstrip(".") for word in spoken.words] == TEXT.replace(".", "").split()
        assert spoken.first_s < 1.2
        assert spoken.setbacks[-1].taken_by == "offline"
        await voice.aclose()


async def test_apology_is_made_ahead_and_is_there_when_nobody_speaks():
    async with voice_house() as (found, _):
        state, leg = found.providers.failover, found.providers.tts_legs[0]
        text = state.settings.apology
        assert await state.made_ahead.prepare(leg.name, leg.provider, PCM_16K, text)
        found.fault("elevenlabs", "mute;times=0")
        chunks = state.made_ahead.get(leg.name, PCM_16K, text)
        assert chunks is not None
        assert PCM_16K.duration_s(sum(len(chunk.audio) for chunk in chunks)) > 2.0


async def test_fallbacks_are_warm_before_anybody_fails():
    async with house(providers__llm_fallbacks=["anthropic"]) as found:
        await anyio.sleep(0.3)
        found.fault("openai", "401;path=chat")
        heard = await answer(found.providers)
        [_, anthropic] = heard.lines
        assert (anthropic.endpoint, anthropic.reused) == ("anthropic", True)
        assert anthropic.waited_s < 0.02


@pytest.mark.parametrize("fallbacks", [["openai"], ["anthropic", "anthropic"]])
async def test_fallback_that_is_asked_already_is_refused_at_the_start(fallbacks: list[str]):
    with pytest.raises(ConfigError, match="is asked already"):
        async with house(providers__llm_fallbacks=fallbacks):
            pass

"""From settings to services: which are chosen, how they are asked, and what is said of one that refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from tests.wire.server import knowledge
from warmline.core.formats import PCM_24K
from warmline.core.line_use import LineUse
from warmline.errors import ConfigError
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.providers.elevenlabs.settings import PRESETS
from warmline.providers.openai.chat import OpenAiChat
from warmline.providers.openai.responses_socket import OpenAiResponsesSocket
from warmline.server.assembly import open_providers
from warmline.server.services.voices import speech_settings
from warmline.server.settings import ElevenLabsTable, Settings, load_settings
from warmline.simulators.running import Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

KEYS = {"openai": "sk-right", "elevenlabs": "xi-right", "deepgram": "dg-right"}


def settings_for(running: Running, *, keys: dict[str, str] | None = None, **more: object) -> Settings:
    """Return settings as a server has them whose services are simulated."""
    variables = {f"{name.upper()}_API_KEY": key for name, key in {**KEYS, **(keys or {})}.items()}
    flags = {**running.settings, **{name.replace("__", "."): value for name, value in more.items()}}
    return load_settings(None, flags, variables).settings


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    scripts = {name: Script(key=key) for name, key in KEYS.items()}
    async with simulators_running(only=list(KEYS), scripts=scripts) as found:
        yield found


def test_presets_are_the_earlier_systems_figures():
    speed = speech_settings(ElevenLabsTable(), 120)
    quality = speech_settings(ElevenLabsTable(preset="quality"), 120)
    assert (speed.model, speed.voice_settings) == ("eleven_flash_v2_5", PRESETS["speed"].voice_settings)
    assert (quality.model, quality.voice_settings.stability) == ("eleven_multilingual_v2", 0.5)
    assert (speed.voice_settings.stability, speed.voice_settings.similarity_boost) == (0.35, 0.6)
    assert not speed.voice_settings.use_speaker_boost
    assert quality.voice_settings.use_speaker_boost


def test_each_figure_can_be_set_above_the_preset():
    table = ElevenLabsTable(model="eleven_turbo_v2_5", stability=0.0, speaker_boost="on", speed=1.1)
    found = speech_settings(table, 120)
    assert found.model == "eleven_turbo_v2_5"
    assert found.voice_settings.stability == 0.0
    assert found.voice_settings.similarity_boost == 0.6
    assert found.voice_settings.use_speaker_boost
    assert found.voice_settings.speed == 1.1


async def test_keys_alone_choose_the_services(running: Running):
    known = await anyio.to_thread.run_sync(knowledge)
    async with open_providers(settings_for(running), known) as providers:
        assert isinstance(providers.llm, OpenAiChat)
        assert providers.listens_by == "nova-3 at localhost"
        assert providers.answers_by == "gpt-5.4-mini at localhost"
        assert providers.speaks_by == "eleven_flash_v2_5 at localhost"
        assert providers.problems == ()
        assert providers.recogniser_note == ""


@pytest.mark.parametrize("name", list(KEYS))
async def test_key_that_is_refused_is_named_at_the_start_and_the_others_serve(running: Running, name: str):
    known = await anyio.to_thread.run_sync(knowledge)
    settings = settings_for(running, keys={name: "wrong-and-secret"})
    async with open_providers(settings, known) as providers:
        (problem,) = providers.problems
        assert f"set {name.upper()}_API_KEY" in problem
        assert "secret" not in problem


async def test_wanted_service_without_a_key_is_an_error_that_says_which(running: Running):
    known = await anyio.to_thread.run_sync(knowledge)
    for role, name, variable in (
        ("llm", "openai", "OPENAI_API_KEY"),
        ("tts", "elevenlabs", "ELEVENLABS_API_KEY"),
        ("stt", "deepgram", "DEEPGRAM_API_KEY"),
    ):
        settings = load_settings(None, {f"providers.{role}": name}, {}).settings
        with pytest.raises(ConfigError, match=variable):
            async with open_providers(settings, known):
                pass


@pytest.mark.parametrize("api", ["chat", "responses", "socket"])
async def test_every_api_of_openai_answers(running: Running, api: str):
    known = await anyio.to_thread.run_sync(knowledge)
    settings = settings_for(running, openai__api=api, providers__stt="offline", providers__tts="offline")
    async with open_providers(settings, known) as providers:
        request = LlmRequest([Message(Role.USER, "Hello there")], conversation_id="one")
        async with providers.llm.stream(request) as text:
            assert "Hello there" in "".join([str(piece) async for piece in text])
        assert isinstance(providers.llm, OpenAiResponsesSocket) == (api == "socket")


async def test_http2_that_a_far_end_does_not_speak_says_what_to_set(running: Running):
    known = await anyio.to_thread.run_sync(knowledge)
    settings = settings_for(running, openai__http2=True, providers__stt="offline", providers__tts="offline")
    async with open_providers(settings, known) as providers:
        (problem,) = providers.problems
        assert "HTTP/1.1" in problem


async def test_voice_of_a_session_speaks_over_its_call_s_socket(running: Running):
    known = await anyio.to_thread.run_sync(knowledge)
    async with open_providers(settings_for(running), known) as providers:
        voice = providers.tts.open(PCM_24K)

        async def clauses() -> AsyncIterator[str]:
            yield "It is open."

        uses: list[LineUse] = []
        await anyio.sleep(0.3)
        async with voice.speak(clauses(), PCM_24K, uses.append) as chunks:
            assert b"".join([chunk.audio async for chunk in chunks])
        assert [use.reused for use in uses] == [True]
        await voice.aclose()

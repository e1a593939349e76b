"""A telephone call over the simulated Deepgram and ElevenLabs: its audio goes through byte for byte."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import pytest

from tests.wire.server import knowledge
from warmline.core.clock import SystemClock
from warmline.core.formats import PCMA_8K, PCMU_8K, AudioFormat
from warmline.interfaces.channel import ReplyDone, UserTurn
from warmline.server.assembly import open_providers, session_settings
from warmline.server.settings import load_settings
from warmline.session.ready_made import make_ahead
from warmline.session.session import Session
from warmline.session.settings import Providers, SessionSettings
from warmline.simulators.faults import parse_fault
from warmline.simulators.running import Running, simulators_running
from warmline.simulators.script import Script
from warmline.simulators.speech import Ear, Speech, Spoken
from warmline.testing.line import Line

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

CLOCK = SystemClock()
documents = functools.cache(knowledge)
GREETING = "Good morning. This is the library."
QUESTION = "thank you"


@dataclass
class Wires:
    """The simulators' side: what their sockets were sent, and what they made."""

    running: Running
    heard: list[bytearray] = field(default_factory=list)
    """The bytes of each stream to the recogniser."""

    formats: list[AudioFormat] = field(default_factory=list)
    """And what its query said that they are."""

    made: list[tuple[str, bytes]] = field(default_factory=list)
    """Every text that was spoken, and its bytes."""

    spoken_formats: set[AudioFormat] = field(default_factory=set)
    """As the query asked for them."""

    @property
    def speech(self) -> Speech:
        return self.running.simulators["deepgram"].speech

    def tap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Note everything that passes."""
        listen, speak = Speech.listen, Speech.spoken

        async def listening(speech: Speech, audio_format: AudioFormat, *args: object) -> Ear:
            ear = await listen(speech, audio_format, *args)  # type: ignore[arg-type]
            stream, push = bytearray(), ear.push
            self.heard.append(stream)
            self.formats.append(audio_format)

            def pushed(audio: bytes) -> None:
                stream.extend(audio)
                push(audio)

            monkeypatch.setattr(ear, "push", pushed)
            return ear

        async def spoken(speech: Speech, text: str, audio_format: AudioFormat) -> Spoken:
            result = await speak(speech, text, audio_format)
            self.made.append((text, result.audio))
            self.spoken_formats.add(audio_format)
            return result

        monkeypatch.setattr(Speech, "listen", listening)
        monkeypatch.setattr(Speech, "spoken", spoken)


@asynccontextmanager
async def house(
    monkeypatch: pytest.MonkeyPatch, **settings: object
) -> AsyncIterator[tuple[Wires, Providers, SessionSettings]]:
    known = await anyio.to_thread.run_sync(documents)
    scripts = {"deepgram": Script(transcript=QUESTION)}
    async with simulators_running(only=["deepgram", "elevenlabs"], scripts=scripts) as running:
        wires = Wires(running)
        wires.tap(monkeypatch)
        flags = {
            "providers.llm": "offline",
            "providers.stt": "deepgram",
            "providers.tts": "elevenlabs",
            "failover.apology": "",
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        loaded = load_settings(None, {**running.settings, **flags}, running.environment)
        async with open_providers(loaded.settings, known) as providers:
            assert providers.problems == ()
            # Drafts that are dropped would have been spoken, and not played.
            settings_of_call = replace(session_settings(loaded.settings), playout_lead_s=0.4, drafting=None)
            yield wires, providers, settings_of_call


@asynccontextmanager
async def call(
    providers: Providers, settings: SessionSettings, audio_format: AudioFormat, *, is_ringing: bool = False
) -> AsyncIterator[Line]:
    line = Line(
        reports_playout=False,
        input_format=audio_format,
        output_format=audio_format,
        is_ringing=is_ringing,
        keeps_audio=True,
    )
    line.conversation = session = Session(line, providers, settings, CLOCK)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        yield line
        session.hang_up()


async def until(what: object, line: Line, count: int = 1) -> None:
    """Wait for so many events of a kind."""
    assert isinstance(what, type)
    with anyio.fail_after(20):
        while len(line.of_type(what)) < count:  # noqa: ASYNC110 - a channel is told by calls
            await anyio.sleep(0.02)


def played(line: Line) -> bytes:
    return b"".join(audio for _, audio in line.plays)


@pytest.mark.parametrize("audio_format", [PCMU_8K, PCMA_8K], ids=["mulaw", "alaw"])
@pytest.mark.parametrize("model", ["nova-3", "flux-general-en"])
async def test_what_is_said_and_what_is_heard_pass_through_undecoded(monkeypatch, audio_format, model):
    """The question to Deepgram, and the answer from ElevenLabs."""
    async with (
        house(monkeypatch, deepgram__model=model) as (wires, providers, settings),
        call(providers, settings, audio_format) as line,
    ):
        conversation = line.conversation
        assert conversation is not None
        question = await wires.speech.spoken("Thank you.", audio_format)
        wires.made.clear()
        said = audio_format.silence(0.5) + question.audio
        silence, size = audio_format.silence(0.02), audio_format.size_bytes(0.02)
        await anyio.sleep(0.5)
        sent = bytearray()
        async with anyio.create_task_group() as tasks:

            async def speak() -> None:
                while True:
                    frame = said[len(sent) : len(sent) + size] or silence
                    sent.extend(frame)
                    conversation.receive_audio(frame)
                    await anyio.sleep(0.02)

            tasks.start_soon(speak)
            await until(UserTurn, line)
            await until(ReplyDone, line)
            tasks.cancel_scope.cancel()
        [heard] = [bytes(stream) for stream in wires.heard]
        assert wires.formats == [audio_format]
        # Deepgram is sent silence of the format's own until somebody speaks.
        silent = audio_format.encoding.silent_byte
        assert heard.startswith(silence)
        assert len(heard.lstrip(silent)) > len(question.audio) * 0.9
        assert bytes(sent).lstrip(silent).startswith(heard.lstrip(silent))
        assert wires.spoken_formats == {audio_format}
        assert QUESTION in line.of_type(UserTurn)[0].text
        answer = line.of_type(ReplyDone)[0].text
        assert "".join(text for text, _ in wires.made).split() == answer.split()
        assert played(line) == b"".join(audio for _, audio in wires.made)


async def test_a_greeting_made_ahead_is_played_byte_for_byte_with_every_voice_gone(monkeypatch):
    async with house(monkeypatch) as (wires, providers, settings):
        settings = replace(settings, greeting=GREETING)
        assert await make_ahead(providers, settings, PCMU_8K)
        made = b"".join(audio for _, audio in wires.made)
        wires.running.simulators["elevenlabs"].faults.add(parse_fault("mute;times=0"))
        async with call(providers, settings, PCMU_8K, is_ringing=True) as line:
            await anyio.sleep(0.1)
            assert line.plays == []
            line.answer()
            assert line.plays
            await until(ReplyDone, line)
        assert played(line) == made
        assert line.turns()[0].heard_text == GREETING


async def test_a_reply_whose_socket_breaks_goes_on_over_http_in_the_same_format(monkeypatch):
    """What had come is followed by what was asked for anew, both as they were made."""
    async with house(monkeypatch) as (wires, providers, settings):
        settings = replace(settings, greeting=f"{GREETING} We are open from nine to six every day.")
        wires.running.simulators["elevenlabs"].faults.add(parse_fault("cut;after=2;path=multi-stream"))
        async with call(providers, settings, PCMU_8K) as line:
            await until(ReplyDone, line)
            await anyio.sleep(0.1)
        sound = played(line)
    whole = next(audio for text, audio in wires.made if text.strip() == settings.greeting)
    rest_text, rest = wires.made[-1]
    assert settings.greeting.endswith(rest_text.strip())
    assert rest_text.strip() != settings.greeting
    begun = len(sound) - len(rest)
    assert begun > 0
    assert sound == whole[:begun] + rest

"""The voice against the simulator, over real TLS: sockets, faults, and what is heard in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import pytest

from tests.simulators.far_ends import FarEnds, far_ends
from warmline.core.formats import PCM_16K, PCM_24K, PCMU_8K, AudioFormat
from warmline.core.line_use import LineUse
from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.providers.elevenlabs.protocol import socket_path, voice_request
from warmline.providers.elevenlabs.rest import ElevenLabsRest
from warmline.providers.elevenlabs.settings import PRESETS, SpeechSettings
from warmline.providers.elevenlabs.voice import ElevenLabs, ElevenLabsVoice
from warmline.simulators.running import KEY
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

VOICE = "21m00Tcm4TlvDq8ikWAM"
CLAUSES = ("The library opens at nine. ", "It closes at five on Sundays.")
TEXT = "".join(CLAUSES)
SPEED = PRESETS["speed"]
SETTINGS = SpeechSettings(VOICE, SPEED.model, SPEED.voice_settings, first_audio_s=0.6, stall_s=0.6)
HEADERS = {"xi-api-key": KEY}


@asynccontextmanager
async def speaking(
    ends: FarEnds, settings: SpeechSettings = SETTINGS, *, is_persistent: bool = True, key: str = KEY
) -> AsyncIterator[ElevenLabs]:
    headers = {"xi-api-key": key}
    endpoint = await ends.endpoint(headers, voice_request(settings))

    def sockets(audio_format: AudioFormat, has_contexts: bool):
        return ends.sockets(socket_path(settings, audio_format, has_contexts=has_contexts), headers)

    async with ElevenLabs(
        ElevenLabsRest(endpoint, settings),
        sockets,
        settings,
        ends.lines.clock,
        use_persistent_tts=is_persistent,
        ready_formats=(PCM_16K,),
    ) as voice:
        yield voice


@dataclass
class Spoken:
    audio: bytes = b""
    words: list[str] = field(default_factory=list)
    starts_ms: list[int] = field(default_factory=list)
    lines: list[LineUse] = field(default_factory=list)


async def spoken(
    voice: ElevenLabsVoice,
    clauses: Sequence[str] = CLAUSES,
    audio_format: AudioFormat = PCM_16K,
    *,
    pause_s: float = 0.0,
) -> Spoken:
    text, result = "".join(clauses), Spoken()

    async def given() -> AsyncIterator[str]:
        for clause in clauses:
            yield clause
            await anyio.sleep(pause_s)

    async with voice.speak(given(), audio_format, result.lines.append) as chunks:
        async for chunk in chunks:
            result.audio += chunk.audio
            result.words += [text[word.text_start : word.text_end] for word in chunk.words]
            result.starts_ms += [word.start_ms for word in chunk.words]
    return result


async def understood(ends: FarEnds, audio: bytes) -> set[str]:
    """Return the words that a recogniser hears in 16 kHz audio."""
    return set((await ends.simulator.speech.transcribed(audio)).lower().replace(".", "").split())


@pytest.mark.parametrize("is_persistent", [True, False], ids=["contexts", "utterances"])
async def test_whole_reply_is_heard_with_its_words_placed(is_persistent: bool):
    async with (
        far_ends("elevenlabs", sentences=CLAUSES) as ends,
        speaking(ends, is_persistent=is_persistent) as tts,
    ):
        voice = tts.open(PCM_16K)
        for _ in range(3):
            result = await spoken(voice)
            assert result.words == TEXT.split()
            assert result.starts_ms == sorted(result.starts_ms)
            assert result.starts_ms[-1] < PCM_16K.duration_s(len(result.audio)) * 1000
        heard = await understood(ends, result.audio)
        assert {"library", "open"} <= heard
        await voice.aclose()


async def test_one_socket_serves_a_whole_call_and_no_reply_waits_for_it():
    async with far_ends("elevenlabs") as ends, speaking(ends) as tts:
        voice = tts.open(PCM_16K)
        await anyio.sleep(0.2)
        results = [await spoken(voice) for _ in range(4)]
        lines = {use.line_id for result in results for use in result.lines}
        assert len(lines) == 1
        assert all(use.reused and use.waited_s < 0.02 for result in results for use in result.lines)
        paths = [each.path for each in ends.simulator.requests if "multi-stream" in each.path]
        # The call's, and the spare that stands ready for the next call.
        assert len(paths) == 2
        await voice.aclose()


async def test_socket_per_reply_is_opened_ahead():
    async with far_ends("elevenlabs") as ends, speaking(ends, is_persistent=False) as tts:
        voice = tts.open(PCM_16K)
        await anyio.sleep(0.2)
        uses = []
        for _ in range(3):
            uses += (await spoken(voice)).lines
            await anyio.sleep(0.1)
        assert len({use.line_id for use in uses}) == 3
        assert all(use.reused for use in uses)


@pytest.mark.parametrize("is_persistent", [True, False], ids=["contexts", "utterances"])
@pytest.mark.parametrize(
    "fault",
    [
        "cut;after=3",
        "stall;after=2",
        "half_close;after=2",
        "mute",
        "error_mid_stream;after=2",
        "garbage;after=1",
    ],
)
async def test_reply_whose_socket_fails_is_spoken_to_its_end(fault: str, is_persistent: bool):
    async with far_ends("elevenlabs") as ends, speaking(ends, is_persistent=is_persistent) as tts:
        voice = tts.open(PCM_16K)
        await anyio.sleep(0.2)
        whole = await spoken(voice)
        ends.fault(fault)
        result = await spoken(voice)
        assert result.words == TEXT.split()
        assert len(result.lines) == 2, "the rest came over another line"
        # A word that was begun is not said again, so a little of it may be missing; nothing is said twice.
        assert 0.75 * len(whole.audio) < len(result.audio) <= 1.05 * len(whole.audio)
        after = await spoken(voice)
        assert after.words == TEXT.split()
        assert len(after.lines) == 1, "the next reply has a socket again"
        await voice.aclose()


async def test_barge_in_costs_the_call_neither_its_socket_nor_a_word_of_the_next_reply():
    async with far_ends("elevenlabs", Script(key=KEY, speech_speed=2)) as ends, speaking(ends) as tts:
        voice = tts.open(PCM_16K)
        await anyio.sleep(0.2)
        lines: list[LineUse] = []
        for _ in range(8):

            async def given() -> AsyncIterator[str]:
                yield "This is a long sentence that nobody will hear the end of, as they say. "
                await anyio.sleep_forever()

            async with voice.speak(given(), PCM_16K, lines.append) as chunks:
                async for _chunk in chunks:
                    break
        result = await spoken(voice, ("Next. ",))
        assert result.words == ["Next."]
        assert not any(use.waited_s > 0.3 for use in [*lines, *result.lines])
        await voice.aclose()


async def test_no_more_than_five_contexts_are_ever_open():
    # The far end is slow to close contexts, and hangs up on a sixth.
    async with far_ends("elevenlabs", Script(key=KEY, speech_speed=0.5)) as ends, speaking(ends) as tts:
        voice = tts.open(PCM_16K)
        await anyio.sleep(0.2)
        for _ in range(7):

            async def given() -> AsyncIterator[str]:
                yield "Some words that take their time. "

            async with voice.speak(given(), PCM_16K) as chunks:
                async for _chunk in chunks:
                    break
        # Where they were all in use, the spare socket took over; HTTP was not needed.
        assert not any("/stream/with-timestamps" in each.path for each in ends.simulator.requests)
        assert len({each.connection for each in ends.simulator.requests if "multi" in each.path}) <= 4
        await voice.aclose()


async def test_call_that_is_silent_for_long_keeps_its_socket():
    settings = replace(SETTINGS, keep_alive_s=0.2)
    async with far_ends("elevenlabs", Script(key=KEY, idle_s=0.5)) as ends, speaking(ends, settings) as tts:
        voice = tts.open(PCM_16K)
        await anyio.sleep(0.2)
        first = await spoken(voice)
        await anyio.sleep(1.5)
        second = await spoken(voice)
        assert first.lines[0].line_id == second.lines[0].line_id
        await voice.aclose()


async def test_socket_that_the_far_end_closes_for_idleness_is_replaced_before_it_is_needed():
    async with far_ends("elevenlabs", Script(key=KEY, idle_s=0.3)) as ends, speaking(ends) as tts:
        voice = tts.open(PCM_16K)
        first = await spoken(voice)
        await anyio.sleep(1.0)
        second = await spoken(voice)
        assert second.words == TEXT.split()
        assert first.words == TEXT.split()
        await voice.aclose()


@pytest.mark.parametrize("audio_format", [PCM_24K, PCMU_8K], ids=["pcm_24000", "ulaw_8000"])
async def test_every_format_is_spoken_at_its_rate(audio_format: AudioFormat):
    async with far_ends("elevenlabs") as ends, speaking(ends) as tts:
        voice = tts.open(audio_format)
        result = await spoken(voice, CLAUSES, audio_format)
        reference = await spoken(voice, CLAUSES, PCM_16K)
        assert audio_format.duration_s(len(result.audio)) == pytest.approx(
            PCM_16K.duration_s(len(reference.audio)), rel=0.05
        )
        await voice.aclose()


async def test_pieces_that_cut_samples_in_two_are_put_together():
    script = Script(key=KEY, chunk_bytes=4_001)
    async with far_ends("elevenlabs", script, sentences=CLAUSES) as ends, speaking(ends) as tts:
        voice = tts.open(PCM_16K)
        result = await spoken(voice)
        assert {"library", "open"} <= await understood(ends, result.audio)
        await voice.aclose()


async def test_file_in_a_container_is_one():
    async with far_ends("elevenlabs") as ends, speaking(ends) as tts:
        audio = await tts.rest.file(TEXT, "opus_48000_32")
        assert audio.startswith(b"OggS")


async def test_wrong_key_says_what_to_do_and_quotes_no_key():
    async with far_ends("elevenlabs") as ends, speaking(ends, key="sk-wrong-and-secret") as tts:
        with pytest.raises(ProviderRejected, match="set ELEVENLABS_API_KEY") as caught:
            await tts.rest.check_key()
        assert "secret" not in str(caught.value)
        with pytest.raises(ProviderRejected, match="set ELEVENLABS_API_KEY"):
            await spoken(tts.open(PCM_16K))


async def test_voice_that_does_not_exist_says_so():
    settings = replace(SETTINGS, voice_id="nobody")
    async with far_ends("elevenlabs") as ends, speaking(ends, settings) as tts:
        with pytest.raises(ProviderRejected, match=r"set elevenlabs\.voice"):
            await tts.rest.check_key()
        with pytest.raises(ProviderRejected, match=r"set elevenlabs\.voice"):
            await spoken(tts.open(PCM_16K))
        # A socket that is refused as soon as it is open is not opened over and over.
        before = len(ends.simulator.requests)
        await anyio.sleep(1.0)
        assert len(ends.simulator.requests) - before < 6


@pytest.mark.parametrize(
    ("fault", "advice", "kind"),
    [
        ("quota;times=0", "credits are used up", ProviderRejected),
        ("429;times=0", "larger plan", ProviderUnavailable),
        ("429_old;times=0", "larger plan", ProviderUnavailable),
        ("500;times=0", "try again", ProviderUnavailable),
    ],
)
async def test_refusals_say_what_the_operator_can_do(fault: str, advice: str, kind: type[ProviderError]):
    async with far_ends("elevenlabs") as ends:
        endpoint = await ends.endpoint(HEADERS)
        rest = ElevenLabsRest(endpoint, SETTINGS)
        ends.fault(fault)
        with pytest.raises(kind, match=advice) as caught:
            await rest.file(TEXT, "pcm_16000")
        assert caught.value.provider == "elevenlabs"


async def test_text_that_fails_half_way_is_spoken_as_far_as_it_came():
    async def given() -> AsyncIterator[str]:
        yield CLAUSES[0]
        raise ProviderUnavailable("the model is gone", provider="openai", phase="stream")

    async with far_ends("elevenlabs") as ends, speaking(ends) as tts:
        voice = tts.open(PCM_16K)
        audio = b""

        async def listen() -> None:
            nonlocal audio
            async with voice.speak(given(), PCM_16K) as chunks:
                async for chunk in chunks:
                    audio += chunk.audio

        with pytest.raises(ProviderUnavailable, match="the model is gone"):
            await listen()
        assert PCM_16K.duration_s(len(audio)) > 1
        await voice.aclose()

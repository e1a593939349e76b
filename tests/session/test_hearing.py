"""When speech was spoken, from frames that arrive as they may."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.core.formats import PCM_16K, PCMA_8K, PCMU_8K, AudioFormat, Encoding
from warmline.session.hearing import Heard, Hearing
from warmline.session.stt_line import SttLine
from warmline.testing.scripted import ScriptedDetector, ScriptedRecogniser
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

SPEECH = b"\x10" * PCM_16K.size_bytes(0.02)
SILENCE = PCM_16K.silence(0.02)
PCM_8K = AudioFormat(Encoding.PCM16, 8_000)
FORMATS = [PCM_16K, PCM_8K, PCMU_8K, PCMA_8K]


class Recorder(SttLine):
    """A line that keeps what it is handed."""

    def __init__(self) -> None:
        super().__init__(ScriptedRecogniser(), lambda transcript: None, lambda error: None, LoopClock())
        self.audio: list[bytes] = []

    def push(self, audio: bytes) -> None:
        self.audio.append(audio)


class Ears:
    """A hearing, and what it found."""

    def __init__(self, audio_format: AudioFormat = PCM_16K) -> None:
        self.found: list[Heard] = []
        self.silences_ms: list[int] = []
        self.recogniser = Recorder()
        self.hearing = Hearing(
            ScriptedDetector(),
            self.recogniser,
            LoopClock(),
            stop_ms=200,
            on_speech=self.found.append,
            on_silence=self.silences_ms.append,
            audio_format=audio_format,
        )

    async def hears(self, frame: bytes, count: int, *, every_s: float = 0.02) -> None:
        for _ in range(count):
            await anyio.sleep(every_s)
            self.hearing.push(frame)


async def test_prompt_frames_give_the_instant_at_which_the_sample_was_spoken():
    """50 frames of speech, then silence: from the first slice to the last sample that holds any."""
    ears = Ears()
    began_s = LoopClock().now_s()
    await ears.hears(SPEECH, 50)
    await ears.hears(SILENCE, 30)
    begin, end = ears.found
    assert begin.at_s - began_s == pytest.approx(0.0, abs=1e-6)
    assert end.at_s - began_s == pytest.approx(1.0, abs=1e-6)
    assert (begin.audio_ms, end.audio_ms) == (0, 1024)


async def test_frames_held_up_on_their_way_do_not_move_the_end_of_speech():
    """The last of the speech comes 300 ms late, with what followed it in one burst."""
    ears = Ears()
    began_s = LoopClock().now_s()
    await ears.hears(SPEECH, 40)
    await anyio.sleep(0.3)
    await ears.hears(SPEECH, 10, every_s=0)
    await ears.hears(SILENCE, 5, every_s=0)
    await ears.hears(SILENCE, 30)
    end = ears.found[-1]
    # The burst caught up: 55 frames after 1.1 s.
    assert end.at_s - began_s == pytest.approx(1.0, abs=1e-6)


async def test_a_muted_minute_is_not_taken_for_a_delay_of_a_minute():
    """Frames before the gap say nothing of those behind it."""
    ears = Ears()
    await ears.hears(SILENCE, 50)
    await anyio.sleep(60)
    began_s = LoopClock().now_s()
    await ears.hears(SPEECH, 20)
    await ears.hears(SILENCE, 30)
    end = ears.found[-1]
    assert -0.5 <= end.at_s - began_s - 0.4 <= 0.032


async def test_silence_is_counted_in_audio_and_only_while_there_is_no_speech():
    """In slices of 32 ms."""
    ears = Ears()
    await ears.hears(SILENCE, 16)
    assert ears.silences_ms == [32 * n for n in range(1, 11)]
    await ears.hears(SPEECH, 50)
    assert len(ears.silences_ms) <= 12
    await ears.hears(SILENCE, 30)
    assert ears.silences_ms[-1] > 500


@pytest.mark.parametrize("audio_format", FORMATS, ids=lambda f: f"{f.encoding.value}-{f.rate_hz}")
async def test_speech_is_found_at_the_same_milliseconds_whatever_the_format(audio_format):
    """50 frames of speech, then silence; the recogniser gets what came, byte for byte, in slices of 32 ms."""
    ears = Ears(audio_format)
    began_s = LoopClock().now_s()
    speech = b"\x10" * audio_format.size_bytes(0.02)
    silence = audio_format.silence(0.02)
    await ears.hears(speech, 50)
    await ears.hears(silence, 30)
    begin, end = ears.found
    assert (begin.audio_ms, end.audio_ms, ears.hearing.audio_ms) == (0, 1024, 1600)
    assert begin.at_s - began_s == pytest.approx(0.0, abs=1e-6)
    assert end.at_s - began_s == pytest.approx(1.0, abs=1e-6)
    assert ears.silences_ms[-1] == ears.hearing.silence_ms == 576
    assert {len(piece) for piece in ears.recogniser.audio} == {audio_format.size_bytes(0.032)}
    assert b"".join(ears.recogniser.audio) == speech * 50 + silence * 30


@given(cuts=st.lists(st.integers(1, 700), min_size=1, max_size=60), encoding=st.sampled_from(Encoding))
async def test_audio_cut_anywhere_between_samples_reaches_the_recogniser_whole(cuts, encoding):
    """In order, and in whole slices; what is not judged yet is kept."""
    ears = Ears(AudioFormat(encoding, 8_000))
    whole = bytes(range(256)) * 200
    size, at = encoding.sample_bytes, 0
    for samples in cuts:
        ears.hearing.push(whole[at : at + samples * size])
        at += samples * size
    handed = b"".join(ears.recogniser.audio)
    at = min(at, len(whole))
    assert handed == whole[: at // size // 256 * 256 * size]

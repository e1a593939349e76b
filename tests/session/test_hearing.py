"""When speech was spoken, from frames that arrive as they may."""

import anyio
import pytest

from warmline.session.hearing import Heard, Hearing
from warmline.session.stt_line import SttLine
from warmline.testing.scripted import ScriptedDetector, ScriptedRecogniser
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

SPEECH = b"\x10\x10" * 320
SILENCE = bytes(640)


class Ears:
    """A hearing, and what it found."""

    def __init__(self) -> None:
        self.found: list[Heard] = []
        self.silences_ms: list[int] = []
        line = SttLine(ScriptedRecogniser(), lambda transcript: None, lambda error: None, LoopClock())
        self.hearing = Hearing(
            ScriptedDetector(),
            line,
            LoopClock(),
            stop_ms=200,
            on_speech=self.found.append,
            on_silence=self.silences_ms.append,
        )

    async def hears(self, frame: bytes, count: int, *, every_s: float = 0.02) -> None:
        for _ in range(count):
            await anyio.sleep(every_s)
            self.hearing.push(frame)


async def test_prompt_frames_give_the_instant_at_which_the_sample_was_spoken():
    """50 frames of speech, then silence: from the first slice to the last that holds any."""
    ears = Ears()
    began_s = LoopClock().now_s()
    await ears.hears(SPEECH, 50)
    await ears.hears(SILENCE, 30)
    begin, end = ears.found
    assert begin.at_s - began_s == pytest.approx(0.0, abs=1e-6)
    assert end.at_s - began_s == pytest.approx(1.024, abs=1e-6)
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
    assert end.at_s - began_s == pytest.approx(1.024, abs=1e-6)


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

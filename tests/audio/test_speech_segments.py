"""Stretches of speech, from scripted probabilities. A slice is 512 samples, 32 ms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.audio.speech_segments import SpeechBegan, SpeechEnded, SpeechSegmenter

pytestmark = pytest.mark.unit

SLICE = 512


def run(
    probabilities: list[float], *, threshold: float = 0.5, stop_ms: int = 224
) -> tuple[list[tuple[int, SpeechBegan | SpeechEnded]], SpeechSegmenter]:
    """Return the events, each with the number of the slice that decided it, and the segmenter."""
    segmenter = SpeechSegmenter(stop_ms=stop_ms)
    decided = []
    for index, probability in enumerate(probabilities, start=1):
        if (event := segmenter.update(probability, index * SLICE, threshold)) is not None:
            decided.append((index, event))
    return decided, segmenter


def test_speech_when_it_lasts_begins_at_its_first_slice():
    """Two slices in a row are speech, and it is dated back to the first."""
    decided, segmenter = run([0.1, 0.9, 0.9, 0.9])
    assert decided == [(3, SpeechBegan(1 * SLICE))]
    assert segmenter.is_speaking


def test_click_when_one_slice_long_is_not_speech():
    """A single loud slice, and two apart, leave the floor alone."""
    assert run([0.0, 0.9, 0.0, 0.9, 0.0])[0] == []


def test_silence_when_long_enough_ends_speech_at_its_last_slice():
    """The end is dated to the last slice of speech, not to when it became certain."""
    decided, segmenter = run([0.9] * 5 + [0.0] * 8, stop_ms=224)
    assert decided == [(2, SpeechBegan(0)), (12, SpeechEnded(5 * SLICE))]
    assert segmenter.silence_samples == 8 * SLICE


def test_gap_when_shorter_than_the_stop_time_keeps_speech_whole():
    """A breath inside a sentence is no end."""
    assert run([0.9] * 3 + [0.0] * 6 + [0.9] * 3, stop_ms=224)[0] == [(2, SpeechBegan(0))]


def test_probability_when_between_the_two_bounds_neither_begins_nor_ends():
    """0.4 keeps speech going at a threshold of 0.5, and does not start it."""
    assert run([0.4] * 50)[0] == []
    decided, segmenter = run([0.9] * 2 + [0.4] * 50)
    assert decided == [(2, SpeechBegan(0))]
    assert segmenter.silence_samples == 0


def test_threshold_when_near_zero_still_lets_speech_end():
    """A client that sets a tiny threshold does not hold the floor for ever."""
    decided, _ = run([0.9] * 3 + [0.001] * 10, threshold=0.05)
    assert [type(event) for _, event in decided] == [SpeechBegan, SpeechEnded]


def test_speech_when_it_resumes_begins_anew():
    """After an end the next stretch is reported like the first."""
    decided, _ = run([0.9] * 3 + [0.0] * 8 + [0.9] * 3)
    assert [event for _, event in decided] == [
        SpeechBegan(0),
        SpeechEnded(3 * SLICE),
        SpeechBegan(11 * SLICE),
    ]


def test_segmenter_when_reset_forgets_the_stretch_in_progress():
    """A turn ended by a button does not end again by silence."""
    segmenter = SpeechSegmenter()
    for index in range(1, 4):
        segmenter.update(0.9, index * SLICE, 0.5)
    segmenter.reset()
    assert not segmenter.is_speaking
    assert segmenter.silence_samples == 0
    assert [segmenter.update(0.0, index * SLICE, 0.5) for index in range(4, 20)] == [None] * 16


@given(st.lists(st.floats(0, 1), max_size=300), st.floats(0, 1), st.integers(0, 1_000))
def test_events_when_listed_alternate_and_stay_in_order(probabilities, threshold, stop_ms):
    """Began, ended, began; each later than the one before, whatever is heard."""
    decided, segmenter = run(probabilities, threshold=threshold, stop_ms=stop_ms)
    kinds = [type(event) for _, event in decided]
    assert kinds == [SpeechBegan, SpeechEnded] * (len(kinds) // 2) + [SpeechBegan] * (len(kinds) % 2)
    instants = [e.start_sample if isinstance(e, SpeechBegan) else e.end_sample for _, e in decided]
    assert instants == sorted(instants)
    assert all(instant <= index * SLICE for (index, _), instant in zip(decided, instants, strict=True))
    assert segmenter.is_speaking == (len(kinds) % 2 == 1)
    assert segmenter.silence_samples >= 0

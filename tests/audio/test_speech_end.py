import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.audio.speech_end import sound_end

pytestmark = pytest.mark.unit

RATE_HZ = 8_000


def recording(*parts: tuple[float, float]) -> np.ndarray:
    """Seconds and loudness, one after another: noise that sounds as loud all through."""
    draw = np.random.default_rng(7)
    pieces = [draw.uniform(-1, 1, round(seconds * RATE_HZ)) * peak for seconds, peak in parts]
    return np.concatenate(pieces).astype(np.int16)


def test_the_silence_that_a_detector_takes_for_speech_is_taken_off():
    samples = recording((1.0, 8_000), (0.1, 0), (0.2, 0))
    assert sound_end(samples, round(1.1 * RATE_HZ), RATE_HZ) == pytest.approx(RATE_HZ, abs=8)


def test_a_room_that_is_noisy_is_not_speech():
    samples = recording((1.0, 8_000), (0.1, 900), (0.2, 900))
    assert sound_end(samples, round(1.1 * RATE_HZ), RATE_HZ) == pytest.approx(RATE_HZ, abs=8)


def test_a_soft_last_word_is_speech():
    samples = recording((0.7, 8_000), (0.3, 900), (0.1, 30), (0.2, 30))
    assert sound_end(samples, round(1.1 * RATE_HZ), RATE_HZ) == pytest.approx(RATE_HZ, abs=8)


def test_no_more_than_a_quarter_of_a_second_is_taken_off():
    samples = recording((0.5, 8_000), (0.5, 0), (0.2, 0))
    assert sound_end(samples, RATE_HZ, RATE_HZ) == round(0.75 * RATE_HZ)


@pytest.mark.parametrize("samples", [recording((1.0, 0)), recording((0.001, 8_000))])
def test_where_nothing_sounds_the_detector_is_believed(samples):
    assert sound_end(samples, len(samples), RATE_HZ) == len(samples)


@given(
    st.lists(st.integers(-32_768, 32_767), min_size=0, max_size=3_000).map(
        lambda each: np.array(each, np.int16)
    ),
    st.floats(0, 1),
    st.sampled_from([8_000, 16_000]),
)
def test_the_end_is_never_later_and_never_much_earlier(samples, share, rate_hz):
    end = int(len(samples) * share)
    found = sound_end(samples, end, rate_hz)
    assert max(0, end - rate_hz // 4) <= found <= end

"""Telling telephone speech from other speech."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.audio.bandwidth import BandwidthDetector
from warmline.audio.resample import StreamResampler

pytestmark = pytest.mark.unit


def noise(seconds: float, rms: float = 3_000.0) -> bytes:
    """Return noise over the whole band, as loud as speech."""
    samples = np.random.default_rng(1).normal(0, rms, int(16_000 * seconds))
    return samples.clip(-32_768, 32_767).astype(np.int16).tobytes()


def telephone(pcm: bytes) -> bytes:
    for resampler in (StreamResampler(16_000, 8_000), StreamResampler(8_000, 16_000)):
        pcm = resampler.convert(pcm) + resampler.flush()
    return pcm


def test_a_microphones_whole_band_is_not_narrow():
    """However long it is listened to."""
    detector = BandwidthDetector()
    detector.hear(noise(5))
    assert not detector.is_narrow


def test_telephone_speech_is_noticed_after_a_quarter_of_a_second_and_not_before():
    """Less would be a guess."""
    pcm = telephone(noise(1))
    detector = BandwidthDetector()
    detector.hear(pcm[: 7 * 1024])
    assert not detector.is_narrow
    detector.hear(pcm[7 * 1024 : 8 * 1024])
    assert detector.is_narrow


def test_quiet_rooms_decide_nothing():
    """Rounding alone fills the upper band there."""
    detector = BandwidthDetector()
    detector.hear(telephone(noise(5, rms=20)))
    assert not detector.is_narrow
    detector.hear(telephone(noise(1)))
    assert detector.is_narrow


def test_a_change_of_microphone_and_of_caller_is_noticed():
    """A headset is taken off; the next session begins anew."""
    detector = BandwidthDetector()
    detector.hear(telephone(noise(2)))
    detector.hear(noise(1))
    assert not detector.is_narrow
    detector.reset()
    detector.hear(telephone(noise(1)))
    assert detector.is_narrow
    detector.reset()
    assert not detector.is_narrow


@given(st.lists(st.integers(1, 3_000), max_size=12))
def test_how_the_stream_is_cut_makes_no_difference(cuts):
    """Frames of 20 ms are no multiple of what is looked at."""
    pcm = telephone(noise(0.4))
    detector, at = BandwidthDetector(), 0
    for samples in [*cuts, len(pcm)]:
        detector.hear(pcm[at : at + 2 * samples])
        at += 2 * samples
    assert detector.is_narrow

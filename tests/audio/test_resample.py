"""Resampling: lengths, cuts, level and what is filtered away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.audio.resample import StreamResampler

pytestmark = pytest.mark.unit

RATES_HZ = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]


def tone(rate_hz: int, hz: float, seconds: float = 0.5, level: float = 10_000) -> bytes:
    at_s = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.rint(level * np.sin(2 * np.pi * hz * at_s)).astype(np.int16).tobytes()


def level(pcm: bytes, skip_samples: int) -> float:
    samples = np.frombuffer(pcm, np.int16)[skip_samples:-skip_samples].astype(float)
    return float(np.sqrt(2 * (samples**2).mean()))


@given(
    st.sampled_from(RATES_HZ),
    st.sampled_from(RATES_HZ),
    st.lists(st.integers(0, 700), max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_cuts_when_arbitrary_make_no_difference(from_hz, to_hz, cuts, seed):
    """However a stream is cut, its audio is that of one call, and its duration is kept."""
    samples = np.random.default_rng(seed).integers(-20_000, 20_000, sum(cuts)).astype(np.int16)
    whole = StreamResampler(from_hz, to_hz)
    expected = whole.convert(samples.tobytes()) + whole.flush()
    piecewise = StreamResampler(from_hz, to_hz)
    pieces, start = [], 0
    for cut in cuts:
        pieces.append(piecewise.convert(samples[start : start + cut].tobytes()))
        start += cut
    assert b"".join([*pieces, piecewise.flush()]) == expected
    assert abs(len(expected) // 2 - len(samples) * to_hz / from_hz) <= 0.5


def test_equal_rates_when_converted_are_the_same_object():
    """No copy is made when there is nothing to do."""
    pcm = tone(16_000, 440)
    resampler = StreamResampler(16_000, 16_000)
    assert resampler.convert(pcm) is pcm
    assert resampler.flush() == b""


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8_000, 16_000), (44_100, 16_000), (22_050, 24_000)])
def test_tone_when_resampled_keeps_its_level_and_its_place(from_hz, to_hz):
    """A tone within the band comes out as loud, and in step with itself at the new rate."""
    resampler = StreamResampler(from_hz, to_hz)
    converted = resampler.convert(tone(from_hz, 440)) + resampler.flush()
    assert level(converted, 800) == pytest.approx(10_000, rel=0.01)
    made = np.frombuffer(tone(to_hz, 440), np.int16).astype(float)[800:-800]
    heard = np.frombuffer(converted, np.int16).astype(float)[800 : 800 + len(made)]
    assert np.corrcoef(made, heard)[0, 1] > 0.9999


def test_tone_when_above_the_new_band_is_filtered_out():
    """Nothing is mirrored into the voice's band: 11 kHz at 48 kHz is silence at 16 kHz."""
    resampler = StreamResampler(48_000, 16_000)
    assert level(resampler.convert(tone(48_000, 11_000)), 800) < 10


def test_loudest_samples_when_resampled_are_clipped_and_do_not_wrap():
    """Overshoot of a full-scale square wave stays at full scale."""
    square = np.where(np.arange(8_000) // 40 % 2, 32_767, -32_768).astype(np.int16)
    resampler = StreamResampler(8_000, 16_000)
    heard = np.frombuffer(resampler.convert(square.tobytes()) + resampler.flush(), np.int16)
    inner = heard.reshape(-1, 80)[2:-2, 20:60].astype(int)
    assert (np.sign(inner) == np.sign(inner[:, :1])).all()


def test_resampler_when_flushed_is_ready_for_another_stream():
    """The second stream hears nothing of the first."""
    resampler = StreamResampler(8_000, 16_000)
    first = resampler.convert(tone(8_000, 300)) + resampler.flush()
    assert resampler.convert(tone(8_000, 300)) + resampler.flush() == first


@pytest.mark.parametrize(("from_hz", "to_hz"), [(0, 16_000), (16_000, -1)])
def test_rate_when_not_positive_is_refused(from_hz, to_hz):
    """A rate of nothing is a mistake of the caller's."""
    with pytest.raises(ValueError, match="positive"):
        StreamResampler(from_hz, to_hz)

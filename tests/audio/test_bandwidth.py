"""Telling telephone speech from other speech, and giving it an upper band."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.audio.bandwidth import BandwidthExtender
from warmline.audio.resample import StreamResampler

pytestmark = pytest.mark.unit


def noise(seconds: float, seed: int = 1, rms: float = 3_000.0) -> bytes:
    """Return noise over the whole band, as loud as speech."""
    samples = np.random.default_rng(seed).normal(0, rms, int(16_000 * seconds))
    return samples.clip(-32_768, 32_767).astype(np.int16).tobytes()


def telephone(pcm: bytes) -> bytes:
    for resampler in (StreamResampler(16_000, 8_000), StreamResampler(8_000, 16_000)):
        pcm = resampler.convert(pcm) + resampler.flush()
    return pcm


def level(pcm: bytes, from_hz: int, to_hz: int) -> float:
    """Return the share of the energy between two frequencies."""
    energy = np.abs(np.fft.rfft(np.frombuffer(pcm, np.int16).astype(float))) ** 2
    hertz = np.linspace(0, 8_000, len(energy))
    return float(energy[(hertz >= from_hz) & (hertz < to_hz)].sum() / energy.sum())


def test_wideband_speech_passes_untouched():
    """A microphone's own bandwidth is better than any that is made up."""
    pcm = noise(2)
    extender = BandwidthExtender()
    assert extender.convert(pcm) == pcm
    assert not extender.is_narrow


def test_telephone_speech_is_noticed_in_a_quarter_of_a_second_and_mirrored():
    """The lower band stays as it is; what is above 4 kHz mirrors it."""
    pcm = telephone(noise(3))
    assert level(pcm, 4_300, 8_000) < 1e-5
    extender = BandwidthExtender()
    assert extender.convert(pcm[:8_000]) == pcm[:8_000]
    rest = extender.convert(pcm[8_000:])
    assert extender.is_narrow
    assert level(rest, 4_300, 8_000) == pytest.approx(0.2, abs=0.02)  # 0.5 squared, against 1
    low, high = level(rest, 1_000, 1_500), level(rest, 6_500, 7_000)
    assert high == pytest.approx(low / 4, rel=0.05)


def test_quiet_rooms_decide_nothing():
    """Rounding alone fills the upper band there."""
    extender = BandwidthExtender()
    extender.convert(telephone(noise(5, rms=20)))
    assert not extender.is_narrow
    extender.convert(telephone(noise(1)))
    assert extender.is_narrow


def test_a_change_of_microphone_and_of_caller_is_noticed():
    """A headset is switched on; the next session begins anew."""
    extender = BandwidthExtender()
    extender.convert(telephone(noise(2)))
    extender.convert(noise(1))
    assert not extender.is_narrow
    extender.reset()
    extender.convert(telephone(noise(1)))
    assert extender.is_narrow
    extender.reset()
    assert not extender.is_narrow


@given(st.lists(st.integers(1, 3_000), max_size=12))
def test_how_the_stream_is_cut_does_not_move_the_mirror(cuts):
    """Once it is decided, every other sample is turned, wherever pieces begin."""
    pcm = telephone(noise(1))
    whole, cut = BandwidthExtender(), BandwidthExtender()
    whole.convert(pcm)
    cut.convert(pcm)
    pieces, at = [], 0
    for samples in [*cuts, len(pcm)]:
        pieces.append(cut.convert(pcm[at : at + 2 * samples]))
        at += 2 * samples
    assert b"".join(pieces) == whole.convert(pcm)

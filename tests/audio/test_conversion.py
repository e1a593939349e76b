"""Between wires and 16 kHz pcm16."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.audio.conversion import FormatEncoder, Pcm16kDecoder
from warmline.core.formats import PCM_16K, PCM_24K, PCMA_8K, PCMU_8K, AudioFormat, Encoding

pytestmark = pytest.mark.unit

FORMATS = [
    PCM_16K,
    PCM_24K,
    AudioFormat(Encoding.PCM16, 8_000),
    AudioFormat(Encoding.PCM16, 48_000),
    PCMU_8K,
    PCMA_8K,
]


def speechlike(rate_hz: int, seconds: float = 0.4) -> np.ndarray:
    at_s = np.arange(int(rate_hz * seconds)) / rate_hz
    tones = sum(np.sin(2 * np.pi * hz * at_s) for hz in (210, 640, 1_700))
    return np.rint(3_000 * tones).astype(np.int16)


def test_pcm16k_when_decoded_is_the_same_object():
    """The format that is worked on costs nothing."""
    frame = bytes(640)
    assert Pcm16kDecoder(PCM_16K).convert(frame) is frame


@pytest.mark.parametrize("audio_format", FORMATS, ids=str)
def test_audio_when_there_and_back_is_what_it_was(audio_format):
    """16 kHz audio sent in any format and received again sounds the same."""
    original = speechlike(16_000)
    encoder = FormatEncoder(16_000, audio_format)
    wire = encoder.convert(original.tobytes()) + encoder.flush()
    assert audio_format.duration_s(len(wire)) == pytest.approx(0.4, abs=0.001)
    decoder = Pcm16kDecoder(audio_format)
    back = np.frombuffer(decoder.convert(wire) + decoder.flush(), np.int16)
    assert len(back) == len(original)
    assert np.corrcoef(back[400:-400], original[400:-400])[0, 1] > 0.998


@pytest.mark.parametrize("audio_format", [PCM_16K, PCM_24K], ids=str)
@given(cuts=st.lists(st.integers(0, 50), max_size=30))
def test_pcm16_when_cut_within_samples_is_put_together_again(audio_format, cuts):
    """A far end may cut its stream anywhere, even between the two bytes of a sample."""
    audio = speechlike(audio_format.rate_hz, 0.1).tobytes()
    whole = Pcm16kDecoder(audio_format)
    expected = whole.convert(audio) + whole.flush()
    decoder, pieces, start = Pcm16kDecoder(audio_format), [], 0
    for cut in cuts:
        pieces.append(decoder.convert(audio[start : start + cut]))
        start += cut
    pieces.append(decoder.convert(audio[start:]))
    assert b"".join(pieces) + decoder.flush() == expected

"""G.711 against the standard library's own implementation, over every value."""

import importlib
import warnings

import numpy as np
import pytest

from warmline.audio import g711

pytestmark = pytest.mark.unit

EVERY_SAMPLE = np.arange(-32_768, 32_768, dtype=np.int32).astype(np.int16).tobytes()
EVERY_CODE = bytes(range(256))


@pytest.fixture
def audioop():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("audioop")  # from 3.13 on a package of that name


def test_every_sample_when_encoded_gives_the_reference_codes(audioop):
    """All 65,536 samples become the very bytes that the reference code gives."""
    assert g711.encode_pcmu(EVERY_SAMPLE) == audioop.lin2ulaw(EVERY_SAMPLE, 2)
    assert g711.encode_pcma(EVERY_SAMPLE) == audioop.lin2alaw(EVERY_SAMPLE, 2)


def test_every_code_when_decoded_gives_the_reference_samples(audioop):
    """All 256 codes become the very samples that the reference code gives."""
    assert g711.decode_pcmu(EVERY_CODE) == audioop.ulaw2lin(EVERY_CODE, 2)
    assert g711.decode_pcma(EVERY_CODE) == audioop.alaw2lin(EVERY_CODE, 2)


def test_silence_when_encoded_gives_the_codes_of_the_standard():
    """Silence is 0xFF in mu-law and 0xD5 in A-law; -1 is the smallest negative value, not silence."""
    assert g711.encode_pcmu(b"\x00\x00\xff\xff") == b"\xff\x7e"
    assert g711.encode_pcma(b"\x00\x00\xff\xff") == b"\xd5\x55"


@pytest.mark.parametrize(
    ("encode", "decode"),
    [(g711.encode_pcmu, g711.decode_pcmu), (g711.encode_pcma, g711.decode_pcma)],
    ids=["pcmu", "pcma"],
)
def test_samples_when_there_and_back_keep_their_size_within_the_codes_precision(encode, decode):
    """A sample comes back within a sixteenth of its size, and a decoded one comes back exactly."""
    samples = np.frombuffer(EVERY_SAMPLE, np.int16).astype(np.int32)
    back = np.frombuffer(decode(encode(EVERY_SAMPLE)), np.int16).astype(np.int32)
    assert (np.abs(back - samples) <= np.maximum(np.abs(samples) / 16, 16) + 8).all()
    decoded = decode(EVERY_CODE)
    assert decode(encode(decoded)) == decoded

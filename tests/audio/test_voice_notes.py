"""Voice notes: what WhatsApp takes, and what is heard of them."""

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from warmline.audio.recordings import decode_recording
from warmline.audio.voice_notes import BITRATE, NOTE_BYTES, encode

pytestmark = pytest.mark.wire


def voice(seconds, rate_hz=24_000, seed=1):
    """Return what is like a voice: harmonics that come and go in syllables, and breath."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(130 + 25 * np.sin(2 * np.pi * 0.7 * t)) / rate_hz
    tone = sum(np.sin(k * phase) / k for k in range(1, 25))
    noise = np.random.default_rng(seed).normal(0, 0.02, len(t))
    sound = (tone + noise) * (0.5 + 0.5 * np.sin(2 * np.pi * 3.5 * t)) ** 2 * 0.2
    return (np.clip(sound, -1, 1) * 32_767).astype(np.int16).tobytes()


def noise(seconds, rate_hz=48_000):
    """Return what is hardest to encode."""
    samples = np.random.default_rng(1).normal(0, 8_000, int(seconds * rate_hz))
    return np.clip(samples, -32_768, 32_767).astype(np.int16).tobytes()


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_note_is_ogg_with_opus_of_one_channel_at_any_rate(rate_hz):
    """WhatsApp shows nothing else as a voice note."""
    note = encode(voice(2.0, rate_hz), rate_hz)
    with soundfile.SoundFile(io.BytesIO(note)) as found:
        assert (found.format, found.subtype, found.channels) == ("OGG", "OPUS", 1)
        assert found.frames / found.samplerate == pytest.approx(2.0, abs=0.001)
    # The first page holds the identification header and nothing else (RFC 7845, 3 and 5.1).
    assert note[:4] == b"OggS"
    head = note[28:47]
    magic, version, channels, _, _, gain, family = struct.unpack("<8sBBHIhB", head)
    assert (magic, version, channels, gain, family) == (b"OpusHead", 1, 1, 0, 0)


def test_a_note_sounds_like_what_was_encoded():
    """In time, in level and in its band."""
    said = voice(3.0, 16_000)
    heard = np.frombuffer(decode_recording(encode(said, 16_000), "note.ogg"), np.int16).astype(float)
    expected = np.frombuffer(said, np.int16).astype(float)
    assert len(heard) == pytest.approx(len(expected), abs=2)
    heard, expected = heard[: len(expected)], expected[: len(heard)]
    assert np.corrcoef(heard, expected)[0, 1] > 0.95
    assert np.std(heard) == pytest.approx(np.std(expected), rel=0.1)


@pytest.mark.parametrize("bitrate", [12_000, BITRATE, 48_000])
def test_a_note_has_the_bit_rate_that_was_asked_for(bitrate):
    """Pages take two per cent or so more."""
    bits = len(encode(voice(10.0), 24_000, bitrate=bitrate)) * 8
    assert bits / 10 == pytest.approx(bitrate, rel=0.12)


def test_a_note_that_would_be_too_large_has_a_lower_bit_rate():
    """It has a play button still."""
    said = voice(10.0)
    at_best = len(encode(said, 24_000))
    note = encode(said, 24_000, at_most_bytes=at_best - 1)
    assert len(note) < at_best - 1
    assert soundfile.info(io.BytesIO(note)).duration == pytest.approx(10.0, abs=0.001)


def test_as_much_as_three_minutes_of_the_hardest_sound_fit_into_one_note():
    """No voice is like that. A tenth of it, into a tenth of the room."""
    note = encode(noise(18), 48_000, at_most_bytes=NOTE_BYTES // 10)
    assert len(note) <= NOTE_BYTES // 10
    assert soundfile.info(io.BytesIO(note)).duration == pytest.approx(18, abs=0.001)


def test_what_fits_at_no_bit_rate_is_refused():
    """It was to be split before it was spoken."""
    with pytest.raises(ValueError, match="do not fit"):
        encode(voice(10.0), 24_000, at_most_bytes=2_000)
    with pytest.raises(ValueError, match="no sound"):
        encode(b"", 24_000)


@settings(max_examples=25)
@given(st.binary(min_size=2, max_size=9_000).map(lambda pcm: pcm[: len(pcm) // 2 * 2]))
def test_any_samples_are_encoded_and_none_are_lost(pcm):
    """Clicks, silence, a single sample."""
    note = encode(pcm, 16_000)
    assert soundfile.info(io.BytesIO(note)).frames == len(pcm) // 2

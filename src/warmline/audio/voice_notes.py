"""Voice notes to be sent: OGG with Opus, one channel. Slow, so not for the event loop."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import soundfile

from warmline.audio.resample import StreamResampler

__all__ = ["BITRATE", "NOTE_BYTES", "NOTE_NAME", "NOTE_TYPE", "encode"]

BITRATE: Final = 24_000
"""Bits a second: at this rate Opus carries all of a voice's band without faults that one hears."""

NOTE_BYTES: Final = 524_288
"""Up to 512 KB WhatsApp shows a note with a play button, and a larger one with an arrow to fetch it by.
https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/audio-messages"""

NOTE_TYPE: Final = "audio/ogg"
"""What a note is uploaded as; with `; codecs=opus`, as incoming ones are told, Meta refuses it."""

NOTE_NAME: Final = "voice-note.ogg"
"""What it is uploaded under: another ending is another type to Meta, and the note never arrives (131053)."""

_LOWER_BITRATES: Final = (16_000, 12_000, 8_000)
"""What is tried where a note would be too large; at the last one a voice sounds as over a telephone."""

_RATES_HZ: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
"""What Opus takes; the file's clock is 48 kHz for all of them (RFC 7845, 4)."""

_LEAST_BITRATE: Final = 6_000
_BITRATE_RANGE: Final = 250_000
"""libsndfile has no bit rate to be set but a level of compression, 0 to 1: a straight line from 256 down to
6 kbit/s for one channel (its `ogg_opus.c`)."""


def encode(pcm: bytes, rate_hz: int, *, bitrate: int = BITRATE, at_most_bytes: int = NOTE_BYTES) -> bytes:
    """Return pcm16 as a voice note.

    What would not fit is encoded at lower bit rates: at 24 kbit/s somewhat less than three minutes fit into
    512 KB, and eight at the lowest. 20 s of speech take about 0.6 s of one core, and the interpreter's
    lock is free meanwhile: call it by `anyio.to_thread.run_sync`.

    Args:
        pcm: Whole samples.
        rate_hz: Theirs.
        bitrate: 6,000 to 256,000 bits a second.
        at_most_bytes: What the file may have, headers and all.

    Raises:
        ValueError: there is no sound, or too much of it even for the lowest bit rate.
    """
    if not pcm:
        raise ValueError("encoding a voice note: there is no sound")
    opus_hz = next((rate for rate in _RATES_HZ if rate >= rate_hz), _RATES_HZ[-1])
    resampler = StreamResampler(rate_hz, opus_hz)
    samples = np.frombuffer(resampler.convert(pcm) + resampler.flush(), np.int16)
    seconds = len(samples) / opus_hz
    for each in (bitrate, *(lower for lower in _LOWER_BITRATES if lower < bitrate)):
        # Opus is free to use less, but hardly ever uses half.
        if seconds * each / 8 / 2 > at_most_bytes:
            continue
        file = io.BytesIO()
        level = 1 - (each - _LEAST_BITRATE) / _BITRATE_RANGE
        soundfile.write(file, samples, opus_hz, format="OGG", subtype="OPUS", compression_level=level)
        if file.getbuffer().nbytes <= at_most_bytes:
            return file.getvalue()
    raise ValueError(f"encoding a voice note: {seconds:.0f} s do not fit into {at_most_bytes} bytes")

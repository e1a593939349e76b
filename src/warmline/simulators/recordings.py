"""Recordings as they are uploaded."""

from __future__ import annotations

import io

import soundfile

from warmline.audio.resample import StreamResampler
from warmline.core.formats import PCM_16K

__all__ = ["pcm16", "pcm16k"]


def pcm16(recording: bytes, rate_hz: int) -> bytes:
    """Return a recording as mono pcm16 at a rate; slow, so not for the event loop.

    Raises:
        soundfile.LibsndfileError: it is no recording.
    """
    samples, from_hz = soundfile.read(io.BytesIO(recording), dtype="float32", always_2d=True)
    pcm: bytes = (samples.mean(axis=1) * 32767).astype("<i2").tobytes()
    resampler = StreamResampler(from_hz, rate_hz)
    return resampler.convert(pcm) + resampler.flush()


def pcm16k(recording: bytes) -> bytes:
    """Return a recording as 16 kHz mono pcm16; slow, so not for the event loop.

    Raises:
        soundfile.LibsndfileError: it is no recording.
    """
    return pcm16(recording, PCM_16K.rate_hz)

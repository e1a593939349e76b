"""Recordings as they are uploaded."""

from __future__ import annotations

import io

import soundfile

from warmline.audio.resample import StreamResampler
from warmline.core.formats import PCM_16K

__all__ = ["pcm16k"]


def pcm16k(recording: bytes) -> bytes:
    """Return a recording as 16 kHz mono pcm16; slow, so not for the event loop.

    Raises:
        soundfile.LibsndfileError: it is no recording.
    """
    samples, rate_hz = soundfile.read(io.BytesIO(recording), dtype="float32", always_2d=True)
    pcm: bytes = (samples.mean(axis=1) * 32767).astype("<i2").tobytes()
    if rate_hz == PCM_16K.rate_hz:
        return pcm
    resampler = StreamResampler(rate_hz, PCM_16K.rate_hz)
    return resampler.convert(pcm) + resampler.flush()

"""Voice notes as files: OGG with Opus, one channel. Slow, so not for the event loop."""

from __future__ import annotations

import io
from typing import Final

import msgspec
import numpy as np
import soundfile

from warmline.core.formats import PCM_16K

__all__ = ["AUTOMATIC_BYTES", "SoundFacts", "mp3_file", "sound_facts", "voice_note"]

AUTOMATIC_BYTES: Final = 512 * 1024
"""What a phone loads by itself, and shows with a play button; more waits for a tap."""


class SoundFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a file turned out to be when it was decoded."""

    seconds: float
    channels: int
    is_opus: bool
    """OGG with Opus."""


def voice_note(pcm: bytes) -> bytes:
    """Return 16 kHz pcm16 as a voice note."""
    return _file(pcm, "OGG", "OPUS")


def mp3_file(pcm: bytes) -> bytes:
    """Return 16 kHz pcm16 as an MP3 file."""
    return _file(pcm, "MP3", None)


def sound_facts(file: bytes) -> SoundFacts | None:
    """Return what is known of a file once all of it was decoded; None if it can't be."""
    try:
        with soundfile.SoundFile(io.BytesIO(file)) as sound:
            frames = sum(len(block) for block in sound.blocks(65_536, dtype="int16"))
            is_opus = (sound.format, sound.subtype) == ("OGG", "OPUS")
            seconds = round(frames / sound.samplerate, 3)
            return SoundFacts(seconds=seconds, channels=sound.channels, is_opus=is_opus)
    except (soundfile.LibsndfileError, TypeError):
        return None


def _file(pcm: bytes, container: str, codec: str | None) -> bytes:
    file = io.BytesIO()
    samples = np.frombuffer(pcm, np.int16)
    soundfile.write(file, samples, PCM_16K.rate_hz, format=container, subtype=codec)
    return file.getvalue()

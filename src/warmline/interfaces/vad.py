"""Voice activity detection: is somebody speaking in this slice of audio?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from warmline.core.formats import PCM_16K, AudioFormat

__all__ = ["OnProbability", "VoiceActivityDetector", "VoiceActivityStream"]

OnProbability = Callable[[float, int], None]
"""Called on the event loop, in order: the probability of speech in 0..1, and the index of the
sample just past the slice it speaks of, counted from the stream's first sample."""


class VoiceActivityStream(Protocol):
    """One session's audio, on its way to the detector."""

    def push(self, audio: bytes) -> None:
        """Hand over whole samples in the stream's format; never blocks. Slices are cut inside."""
        ...

    def close(self) -> None:
        """Forget the stream; `on_probability` is not called again."""
        ...


class VoiceActivityDetector(Protocol):
    """One model that serves every session of the process."""

    def open(self, on_probability: OnProbability, audio_format: AudioFormat = PCM_16K) -> VoiceActivityStream:
        """Return a new stream; cheap, and called once per session as a rule.

        Args:
            on_probability: Told of each slice of 32 ms.
            audio_format: What it will be given: pcm16 at 8 or 16 kHz, or G.711 as on a telephone.
        """
        ...

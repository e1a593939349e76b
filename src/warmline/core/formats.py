"""Audio formats, and the arithmetic between bytes and time."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["PCM_16K", "PCM_24K", "AudioFormat", "Encoding"]


class Encoding(enum.Enum):
    """How one mono sample is written."""

    PCM16 = "pcm16"
    """Signed 16-bit little-endian; 2 bytes a sample."""

    PCMU = "pcmu"
    """G.711 mu-law; 1 byte a sample; silence is 0xFF."""

    PCMA = "pcma"
    """G.711 A-law; 1 byte a sample; silence is 0xD5."""

    @property
    def sample_bytes(self) -> int:
        """Bytes per sample."""
        return 2 if self is Encoding.PCM16 else 1


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An encoding at a rate; always one channel."""

    encoding: Encoding
    rate_hz: int

    def duration_s(self, size_bytes: int) -> float:
        """Return how long `size_bytes` of this audio lasts, in seconds."""
        return size_bytes / (self.encoding.sample_bytes * self.rate_hz)

    def size_bytes(self, duration_s: float) -> int:
        """Return the bytes of `duration_s` of this audio, cut down to whole samples."""
        return int(duration_s * self.rate_hz) * self.encoding.sample_bytes


PCM_16K = AudioFormat(Encoding.PCM16, 16_000)
"""What voice activity detection and speech recognition hear."""

PCM_24K = AudioFormat(Encoding.PCM16, 24_000)
"""What a browser is sent, by the Realtime protocol."""

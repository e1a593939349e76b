"""Audio formats, and the arithmetic between bytes and time."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

__all__ = ["PCMA_8K", "PCMU_8K", "PCM_16K", "PCM_24K", "AudioFormat", "Encoding"]


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

    @property
    def silent_byte(self) -> bytes:
        """What silence is written with, again and again."""
        return _SILENT_BYTES[self]


_SILENT_BYTES: Final = {Encoding.PCM16: b"\0", Encoding.PCMU: b"\xff", Encoding.PCMA: b"\xd5"}


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

    def silence(self, duration_s: float) -> bytes:
        """Return audio in which nothing is heard."""
        return self.encoding.silent_byte * self.size_bytes(duration_s)

    def is_silence(self, audio: bytes) -> bool:
        """Whether `audio` is nothing but zeros, as machines send; of people even a quiet room is not."""
        return not audio.strip(self.encoding.silent_byte)


PCM_16K = AudioFormat(Encoding.PCM16, 16_000)
"""What a microphone gives, and speech recognition hears best."""

PCM_24K = AudioFormat(Encoding.PCM16, 24_000)
"""What a browser is sent, by the Realtime protocol."""

PCMU_8K = AudioFormat(Encoding.PCMU, 8_000)
"""What telephones send and play in America and Japan."""

PCMA_8K = AudioFormat(Encoding.PCMA, 8_000)
"""What they send and play elsewhere."""

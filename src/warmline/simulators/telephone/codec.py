"""How a telephone's sound is written on a media stream, and what it is worth as samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from warmline.audio import g711
from warmline.audio.resample import StreamResampler

__all__ = [
    "FRAME_BYTES",
    "FRAME_S",
    "FRAME_SAMPLES",
    "PCMU",
    "RATE_HZ",
    "SILENCE",
    "Codec",
    "Decoder",
    "Encoder",
]

RATE_HZ: Final = 8_000
"""What a telephone network carries; everything on a line here is mono pcm16 at this rate."""

FRAME_S: Final = 0.02
FRAME_SAMPLES: Final = 160
FRAME_BYTES: Final = FRAME_SAMPLES * 2
SILENCE: Final = bytes(FRAME_BYTES)


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoding at a rate."""

    name: str
    """`PCMU`, `PCMA` or `L16`, as RFC 3551 calls them."""

    rate_hz: int = RATE_HZ
    is_big_endian: bool = False
    """Of L16: RFC 3551's byte order, instead of the one that media streams are seen to use."""

    @property
    def sample_bytes(self) -> int:
        """Bytes per sample."""
        return 2 if self.name == "L16" else 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of 20 ms."""
        return round(FRAME_S * self.rate_hz) * self.sample_bytes

    def duration_s(self, size_bytes: int) -> float:
        """Return how long so many bytes last."""
        return size_bytes / (self.sample_bytes * self.rate_hz)


PCMU: Final = Codec("PCMU")


class Encoder:
    """Writes a line's frames in a codec, each as a frame of the codec.

    What changes here: the filter's memory and what it withheld, where the rates differ.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._resampler = StreamResampler(RATE_HZ, codec.rate_hz)
        self._due = bytearray()

    def frame(self, pcm: bytes) -> bytes:
        """Return 20 ms for 20 ms; behind by the filter's 2.5 ms where the rates differ."""
        if self._codec.name != "L16":
            return _g711_frame(self._codec.name, pcm)
        size_bytes = self._codec.frame_bytes
        self._due += self._resampler.convert(pcm)
        if len(self._due) < size_bytes:
            self._due[:0] = bytes(size_bytes - len(self._due))
        frame = bytes(self._due[:size_bytes])
        del self._due[:size_bytes]
        return _swapped(frame) if self._codec.is_big_endian else frame


class Decoder:
    """Reads a codec's bytes as a line's samples, in pieces of any length.

    What changes here: the filter's memory, and half a sample that is still to be completed.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._resampler = StreamResampler(codec.rate_hz, RATE_HZ)
        self._half_sample = b""

    def samples(self, audio: bytes) -> bytes:
        """Return the next pcm16 at 8 kHz."""
        if self._codec.name == "PCMU":
            return g711.decode_pcmu(audio)
        if self._codec.name == "PCMA":
            return g711.decode_pcma(audio)
        audio = self._half_sample + audio
        whole = len(audio) & ~1
        self._half_sample = audio[whole:]
        pcm = audio[:whole]
        return self._resampler.convert(_swapped(pcm) if self._codec.is_big_endian else pcm)


@lru_cache(maxsize=1_024)
def _g711_frame(name: str, pcm: bytes) -> bytes:
    """Return a frame in G.711; of many callers most are silent, and the others say what one of them said."""
    return g711.encode_pcmu(pcm) if name == "PCMU" else g711.encode_pcma(pcm)


def _swapped(pcm: bytes) -> bytes:
    return np.frombuffer(pcm, np.int16).byteswap().tobytes()

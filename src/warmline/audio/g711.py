"""G.711 mu-law and A-law, by table.

The tables give what ITU-T G.191's reference code gives. 16-bit samples are first cut to the 14
(mu-law) or 13 (A-law) bits that G.711 speaks of, rounding towards minus infinity, so that -1 is a
negative value and not zero.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_pcma", "decode_pcmu", "encode_pcma", "encode_pcmu"]

_MU_BIAS: Final = 33
_MU_CLIP: Final = 8159
_SAMPLES: Final = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _segments(magnitudes: NDArray[np.int32], first_end: int) -> NDArray[np.int32]:
    """Return the index of the first of eight doubling segments that holds each magnitude."""
    ends = (np.int32(first_end + 1) << np.arange(8, dtype=np.int32)) - 1
    return np.searchsorted(ends, magnitudes).astype(np.int32)


def _pcmu_codes() -> NDArray[np.uint8]:
    values = _SAMPLES >> 2
    mask = np.where(values < 0, 0x7F, 0xFF)
    magnitudes = np.minimum(np.abs(values), _MU_CLIP) + _MU_BIAS
    segments = _segments(magnitudes, 0x3F)
    # The largest magnitude lies one past the last segment, and has its last code.
    codes = np.minimum((segments << 4) | ((magnitudes >> (segments + 1)) & 0x0F), 0x7F)
    return np.asarray(codes ^ mask, np.uint8)


def _pcma_codes() -> NDArray[np.uint8]:
    values = _SAMPLES >> 3
    mask = np.where(values < 0, 0x55, 0xD5)
    magnitudes = np.where(values < 0, -values - 1, values)
    segments = _segments(magnitudes, 0x1F)
    codes = (segments << 4) | ((magnitudes >> np.maximum(segments, 1)) & 0x0F)
    return np.asarray(codes ^ mask, np.uint8)


def _pcmu_samples() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.int32)
    magnitudes = ((((codes & 0x0F) << 3) + 4 * _MU_BIAS) << ((codes & 0x70) >> 4)) - 4 * _MU_BIAS
    return np.asarray(np.where(codes & 0x80, -magnitudes, magnitudes), np.int16)


def _pcma_samples() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.int32) ^ 0x55
    segments = (codes & 0x70) >> 4
    steps = ((codes & 0x0F) << 4) + np.where(segments == 0, 8, 0x108)
    magnitudes = steps << np.maximum(segments - 1, 0)
    return np.asarray(np.where(codes & 0x80, magnitudes, -magnitudes), np.int16)


_TO_PCMU: Final = _pcmu_codes()
_TO_PCMA: Final = _pcma_codes()
_FROM_PCMU: Final = _pcmu_samples()
_FROM_PCMA: Final = _pcma_samples()


def encode_pcmu(pcm: bytes) -> bytes:
    """Return the mu-law bytes of whole pcm16 samples."""
    return _TO_PCMU[np.frombuffer(pcm, np.uint16)].tobytes()


def encode_pcma(pcm: bytes) -> bytes:
    """Return the A-law bytes of whole pcm16 samples."""
    return _TO_PCMA[np.frombuffer(pcm, np.uint16)].tobytes()


def decode_pcmu(codes: bytes) -> bytes:
    """Return the pcm16 samples of mu-law bytes."""
    return _FROM_PCMU[np.frombuffer(codes, np.uint8)].tobytes()


def decode_pcma(codes: bytes) -> bytes:
    """Return the pcm16 samples of A-law bytes."""
    return _FROM_PCMA[np.frombuffer(codes, np.uint8)].tobytes()

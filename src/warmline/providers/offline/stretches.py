"""A long recording in stretches that are recognised one by one, cut where it is quietest. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from warmline.core.formats import PCM_16K

__all__ = ["LONGEST_S", "stretches"]

LONGEST_S: Final = 25.0
_SHORTEST_S: Final = 12.0
"""A pause between sentences is found in 13 s of nearly all speech."""

_FRAME: Final = PCM_16K.rate_hz // 50
"""20 ms."""

_PAUSE_FRAMES: Final = 15
"""300 ms, over which loudness is taken: a gap inside a word is shorter."""


def stretches(pcm: bytes) -> Iterator[bytes]:
    """Yield the stretches of 16 kHz pcm16, which joined are all of it; each lasts 25 s at most."""
    samples = np.frombuffer(pcm, np.int16)
    begin = 0
    while len(samples) - begin > LONGEST_S * PCM_16K.rate_hz:
        window = samples[begin : begin + int(LONGEST_S * PCM_16K.rate_hz)]
        end = begin + _quietest(window, int(_SHORTEST_S * PCM_16K.rate_hz))
        yield samples[begin:end].tobytes()
        begin = end
    if begin < len(samples):
        yield samples[begin:].tobytes()


def _quietest(samples: NDArray[np.int16], after: int) -> int:
    """Return the middle of the quietest 300 ms that begin at the sample `after` or later."""
    frames = samples[after : after + (len(samples) - after) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power: NDArray[Any] = np.square(frames, dtype=np.float64).mean(axis=1)
    loudness = np.convolve(power, np.ones(_PAUSE_FRAMES), "valid")
    return after + (int(loudness.argmin()) + _PAUSE_FRAMES // 2) * _FRAME

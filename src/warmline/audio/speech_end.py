"""Where the sound of speech ends, more exactly than a detector of voice activity tells.

A detector stays sure of speech for a slice or several after the last sound: 60 ms in the median of recorded
speech, and 200 at times. Nobody hears that, and whoever waits for an answer waits for it as well.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["sound_end"]

_BLOCK_S: Final = 0.005
"""What loudness is measured over."""

_BELOW_LOUDEST: Final = 0.05
"""26 dB below the loudest block: what speech has above its room and its breaths."""

_ABOVE_NOISE: Final = 2.0
"""6 dB above what is heard when nobody speaks."""

_MOST_S: Final = 0.25
"""The most that is taken off: a soft ending is speech as well."""


def sound_end(samples: NDArray[np.int16], end: int, rate_hz: int) -> int:
    """Return the sample past the last sound of speech; `end`, if nothing tells better.

    Args:
        samples: The last second or so of the speech, and what was heard behind it.
        end: The index past the last sample that a detector takes for speech.
        rate_hz: Samples a second.
    """
    size = round(_BLOCK_S * rate_hz)
    first = end % size  # So that a block ends where the speech is said to.
    whole = (len(samples) - first) // size
    blocks = samples[first : first + whole * size].astype(np.float32).reshape(whole, size)
    loudness = np.sqrt((blocks**2).mean(axis=1))
    until = (end - first) // size
    speech, behind = loudness[:until], loudness[until:]
    noise = float(np.median(behind)) if len(behind) else 0.0
    audible = max(float(speech.max(initial=0.0)) * _BELOW_LOUDEST, noise * _ABOVE_NOISE)
    loud = np.flatnonzero(speech > audible)
    if not len(loud):
        return end
    block = int(loud[-1])
    # A block is as loud as that on the whole, so some of its samples are.
    last = int(np.flatnonzero(np.abs(blocks[block]) >= audible)[-1])
    return max(first + block * size + last + 1, end - round(_MOST_S * rate_hz))

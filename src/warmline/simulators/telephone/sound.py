"""Where there is sound in samples, by their energy."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from warmline.simulators.telephone.codec import RATE_HZ

__all__ = ["SoundMeter", "speech_span_s"]

_BLOCK_SAMPLES: Final = 40
"""5 ms: what instants are exact to."""

_BLOCK_S: Final = _BLOCK_SAMPLES / RATE_HZ
_AUDIBLE_RMS: Final = 180.0
"""45 dB below full scale: above the noise that a codec adds to silence, below most of a word."""

_BELOW_LOUDEST: Final = 0.05
"""26 dB: what a recording's loudest block has above its room and its breaths."""

_JOINED_S: Final = 0.06
"""A shorter silence is inside a sound: the closure before a plosive."""


_JOINED_BLOCKS: Final = int(_JOINED_S / _BLOCK_S)


def _loudness(pcm: bytes) -> NDArray[np.float64]:
    """Return the RMS of each block; of the last one's samples what there are."""
    missing = -(len(pcm) // 2) % _BLOCK_SAMPLES
    samples = np.frombuffer(pcm + bytes(2 * missing), np.int16).astype(np.float64)
    blocks = samples.reshape(-1, _BLOCK_SAMPLES)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", blocks, blocks) / _BLOCK_SAMPLES))


def _stretches(loud: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of blocks between which there is no silence worth the name."""
    if loud and loud[-1] - loud[0] < _JOINED_BLOCKS:
        yield loud[0], loud[-1]  # As of every frame in a call.
        return
    for index in loud:
        yield index, index


def speech_span_s(pcm: bytes) -> tuple[float, float]:
    """Return when speech begins and ends in a recording; its whole length if nothing stands out.

    Measured against the recording's own loudest part, so that the noise of a room is no speech.
    """
    loudness = _loudness(pcm)
    loud = np.flatnonzero(loudness >= max(_AUDIBLE_RMS, loudness.max(initial=0.0) * _BELOW_LOUDEST))
    length_s = len(pcm) / 2 / RATE_HZ
    if not len(loud):
        return 0.0, length_s
    return float(loud[0]) * _BLOCK_S, min(float(loud[-1] + 1) * _BLOCK_S, length_s)


class SoundMeter:
    """Notes when one side of a call is audible, in seconds since its first sample.

    What changes here: the sounds, and the samples that are no block yet, in `update`.
    """

    def __init__(self) -> None:
        self.sounds: list[tuple[float, float]] = []
        """From and until; shorter silences than 60 ms are part of a sound."""

        self._samples = 0
        self._rest = b""

    @property
    def heard_s(self) -> float:
        """How much was judged, in whole blocks."""
        return self._samples / RATE_HZ

    @property
    def last_sound_s(self) -> float | None:
        """When the last sound ended, or has not ended yet; None if there was none."""
        return self.sounds[-1][1] if self.sounds else None

    def update(self, pcm: bytes) -> None:
        """Take the next samples, of any number."""
        pcm = self._rest + pcm
        whole = len(pcm) // (2 * _BLOCK_SAMPLES) * 2 * _BLOCK_SAMPLES
        self._rest = pcm[whole:]
        began_s = self.heard_s
        self._samples += whole // 2
        # Most of a call is silence of zeros, for one side or the other.
        if pcm.count(0) == len(pcm):
            return
        loud = np.flatnonzero(_loudness(pcm[:whole]) >= _AUDIBLE_RMS).tolist()
        for first, last in _stretches(loud):
            from_s = round(began_s + first * _BLOCK_S, 6)
            until_s = round(began_s + (last + 1) * _BLOCK_S, 6)
            if self.sounds and from_s - self.sounds[-1][1] < _JOINED_S:
                self.sounds[-1] = (self.sounds[-1][0], until_s)
            else:
                self.sounds.append((from_s, until_s))

    def onset_after_s(self, instant_s: float, *, apart_s: float) -> float | None:
        """Return when the first sound since an instant began that came behind so much silence."""
        first = bisect.bisect_left(self.sounds, (instant_s, 0.0))
        before_s = self.sounds[first - 1][1] if first else -apart_s
        for from_s, until_s in itertools.islice(self.sounds, first, None):
            if from_s - before_s >= apart_s:
                return from_s
            before_s = until_s
        return None

    def silent_for_s(self) -> float:
        """Return for how long nothing was audible; since the first sample if nothing ever was."""
        return self.heard_s - (self.last_sound_s or 0.0)

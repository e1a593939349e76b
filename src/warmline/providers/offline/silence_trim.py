"""Cutting the silence that a synthesiser leaves around what it says."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SENTENCE_PAUSE_MS", "SilenceTrimmer"]

SENTENCE_PAUSE_MS: Final = 150
"""Silence left after each piece. espeak leaves 330 ms, and a turn that ends sooner gives the floor back
sooner; below 150 ms sentences run into each other."""

_SILENT: Final = 32
"""The largest sample that counts as silence: -60 dB of full scale, inaudible beside speech."""


class SilenceTrimmer:
    """Trims one piece of speech, while it is being made.

    What changes here: the samples held back and the count dropped, in `feed` and `finish`.
    """

    def __init__(self, rate_hz: int) -> None:
        self._pause_samples = SENTENCE_PAUSE_MS * rate_hz // 1000
        self._held: list[NDArray[np.int16]] = []
        self._has_sound = False
        self.dropped_samples = 0
        """How much was cut off at the front so far."""

    def feed(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return what is certain to stay; silence is held back until sound follows it."""
        sounding = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENT)
        if len(sounding) == 0:
            if self._has_sound:
                self._held.append(samples.copy())
            else:
                self.dropped_samples += len(samples)
            return samples[:0]
        first, end = int(sounding[0]), int(sounding[-1]) + 1
        if not self._has_sound:
            self._has_sound = True
            self.dropped_samples += first
            samples, end = samples[first:], end - first
        ready = np.concatenate([*self._held, samples[:end]])
        self._held = [samples[end:].copy()] if end < len(samples) else []
        return ready

    def finish(self) -> NDArray[np.int16]:
        """Return the pause that follows the piece; nothing if it was all silence."""
        self._held.clear()
        return np.zeros(self._pause_samples if self._has_sound else 0, np.int16)

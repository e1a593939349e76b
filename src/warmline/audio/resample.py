"""Changing the rate of a stream of samples."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import samplerate
from numpy.typing import NDArray

__all__ = ["StreamResampler"]

_TAIL_SAMPLES: Final = 64
"""Silence that pushes the filter's last samples out, counted at the lower of the two rates; the
filter looks ahead by about 20."""


class StreamResampler:
    """Band-limited conversion of pcm16 from one rate to another, in pieces of any length.

    How the input is cut makes no difference to the output. Output lags by the filter's look-ahead,
    20 samples of the lower rate (2.5 ms at 8 kHz). Equal rates pass the bytes through untouched.

    What changes here: the filter's memory and the counts, in `convert` and `flush`.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"rates are positive: {from_hz} Hz to {to_hz} Hz")
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._ratio = to_hz / from_hz
        self._filter: Any = None if from_hz == to_hz else samplerate.Resampler("sinc_fastest")
        self._samples_in = 0
        self._samples_out = 0

    def convert(self, pcm: bytes) -> bytes:
        """Return what can be said of the output so far; `pcm` holds whole samples."""
        if self._filter is None:
            return pcm
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        self._samples_in += len(samples)
        converted = self._filtered(samples)
        self._samples_out += len(converted) // 2
        return converted

    def flush(self) -> bytes:
        """Return the rest, and be ready for another stream.

        All that was returned since the last flush is the input's duration, to the nearest sample.
        """
        if self._filter is None:
            return b""
        due = (self._samples_in * self._to_hz + self._from_hz // 2) // self._from_hz - self._samples_out
        slowest_hz = min(self._from_hz, self._to_hz)
        silence = np.zeros(-(-_TAIL_SAMPLES * self._from_hz // slowest_hz), np.float32)
        rest = self._filtered(silence)[: max(due, 0) * 2]
        self._filter.reset()
        self._samples_in = self._samples_out = 0
        return rest

    def _filtered(self, samples: NDArray[np.float32]) -> bytes:
        # The filter is linear, so samples need not be scaled to -1..1 and back.
        converted: NDArray[np.float32] = self._filter.process(samples, self._ratio)
        np.rint(converted, out=converted)
        np.clip(converted, -32768, 32767, out=converted)
        return converted.astype(np.int16).tobytes()

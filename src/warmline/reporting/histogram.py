"""Histograms of milliseconds whose bins grow with the value, so that percentiles are off by a known share.

Bin n from 1 on holds what lies above `g**(n-1)` and up to `g**n` microseconds, and stands for the one value
that is at most `RELATIVE_ERROR` from all of them (the idea of DDSketch, Masson et al. 2019). Bin 0 holds what
is no more than a microsecond, which is all that a timeline tells apart, and stands for 0. Histograms of the
same bins are added bin by bin, and say of all values together what one histogram of them would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "RELATIVE_ERROR", "bin_of", "quantiles"]

RELATIVE_ERROR: Final = 0.005
"""The most by which a percentile is off, of itself."""

_LEAST_MS: Final = 0.001
_GREATEST_MS: Final = 1e9
"""Eleven days and a half, as in `reporting.events`; more is taken for this."""

_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GROWTH: Final = math.log(_GROWTH)

BINS: Final = math.ceil(math.log(_GREATEST_MS / _LEAST_MS) / _LOG_GROWTH) + 1
"""How many there are."""

_VALUES_MS: Final = np.concatenate([
    [0.0],
    _LEAST_MS * np.exp(np.arange(1, BINS) * _LOG_GROWTH) * (2 / (1 + _GROWTH)),
])
"""What each stands for."""


def bin_of(ms: float) -> int:
    """Return the number of the bin that holds a value; what is negative is in bin 0."""
    if ms <= _LEAST_MS:
        return 0
    return min(math.ceil(math.log(ms / _LEAST_MS) / _LOG_GROWTH), BINS - 1)


def quantiles(
    counts: NDArray[np.float64], greatest_ms: NDArray[np.float64], shares: Sequence[float]
) -> NDArray[np.float64]:
    """Return quantiles of several histograms at once, as `reporting.samples.quantile` would of the values.

    Args:
        counts: A row of `BINS` for each histogram, none of them empty.
        greatest_ms: The greatest value of each; no quantile is above it.
        shares: Which quantiles.

    Returns:
        A row for each histogram, with a column for each share, in milliseconds.
    """
    totals = counts.sum(axis=1)
    reached = np.cumsum(counts)  # Across the rows: one search finds every rank of every histogram.
    before = np.concatenate([[0], np.cumsum(totals)[:-1]])
    at = (totals - 1)[:, None] * np.asarray(shares)[None, :]
    below = np.floor(at)
    above = np.minimum(below + 1, (totals - 1)[:, None])

    def value_at(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.searchsorted(reached, ranks + before[:, None], side="right")
        values: NDArray[np.float64] = np.minimum(_VALUES_MS[found % BINS], greatest_ms[:, None])
        return values

    low, high = value_at(below), value_at(above)
    return cast("NDArray[np.float64]", low + (high - low) * (at - below))

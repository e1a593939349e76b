"""What a sample says of what it was drawn from, without assuming a distribution.

Intervals are exact order statistics: how many of n values lie below a quantile is binomial, whatever the
values are, so two of the sorted values enclose it with a known probability. Below a certain n none do, and
the answer is None: too few to judge. Nothing is drawn at random: the same turns give the same report.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = [
    "CONFIDENCE",
    "Interval",
    "quantile",
    "quantile_interval",
    "quantile_ranks",
    "rate_interval",
    "shows_quantile",
]

CONFIDENCE: Final = 0.95
"""Of every interval that is shown: 19 of 20 enclose the truth."""

_SURE_SPREADS: Final = 12
"""Beyond as many standard deviations a binomial's probability is below what a float can add to 1."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Encloses the truth with the confidence that it was made with."""

    low: float
    high: float


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of values in ascending order, between two of them in proportion.

    Raises:
        ValueError: there are none.
    """
    if not ordered:
        raise ValueError("no values")
    at = (len(ordered) - 1) * share
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def shows_quantile(count: int, share: float) -> bool:
    """Return whether a sample has a value beyond the quantile on average: 10 turns for p90, 100 for p99."""
    return count * (1 - share) >= 1 - 1e-9 if share > 0.5 else count > 0


def quantile_interval(
    ordered: Sequence[float], share: float, confidence: float = CONFIDENCE
) -> Interval | None:
    """Return what encloses the true quantile, or None if the values are too few to tell."""
    low, high = quantile_ranks(len(ordered), share, confidence)
    return None if low is None or high is None else Interval(ordered[low - 1], ordered[high - 1])


@lru_cache(maxsize=1024)
def quantile_ranks(count: int, share: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """Return which of the sorted values, counted from 1, enclose the quantile; None for an end without one.

    Each end is wrong with half the remaining probability at the most: with X values of `count` below the
    quantile, the lower rank is the largest with P(X < rank) within it, the upper the smallest with
    P(X >= rank).
    """
    tail = (1 - confidence) / 2
    spread = math.sqrt(count * share * (1 - share))
    rank = max(0, math.floor(count * share - _SURE_SPREADS * spread) - _SURE_SPREADS)
    below = 0.0
    low: int | None = None
    while rank <= count:
        if below <= tail:
            low = rank or None
        if below >= 1 - tail:
            return low, rank
        below += math.exp(_log_probability(rank, count, share))
        rank += 1
    return low, None


def rate_interval(hits: int, count: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return what encloses the true rate of something that happened in `hits` of `count` cases (Wilson)."""
    if count == 0:
        return None
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    rate = hits / count
    centre = rate + z * z / (2 * count)
    spread = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return Interval(max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0))


def _log_probability(hits: int, count: int, share: float) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return ways + hits * math.log(share) + (count - hits) * math.log1p(-share)

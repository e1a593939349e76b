"""Two samples of one measure: what became of it, and how sure that is."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from warmline.reporting.samples import CONFIDENCE, Interval, quantile, quantile_interval

__all__ = ["Change", "Comparison", "compared"]

_EACH: Final = math.sqrt(CONFIDENCE)
"""The confidence of each of two independent intervals that hold together with `CONFIDENCE`."""


class Change(enum.Enum):
    """What became of a measure."""

    FASTER = "faster"
    SLOWER = "slower"
    NONE = "none"
    """A difference, if there is one, is within chance."""

    TOO_FEW = "too_few"
    """There are fewer turns than any interval needs: 7 on each side."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measure before and now, in milliseconds; changes are shares of what it was, negative if faster."""

    measure: str
    before_count: int
    now_count: int
    before_ms: float
    """The median."""

    now_ms: float
    before_range_ms: Interval
    """From the least to the greatest."""

    now_range_ms: Interval
    change: Change
    relative: float | None
    """Of the median; None if that was 0."""

    difference_ms: Interval | None
    """Encloses the true difference of the medians with 95 % confidence; None if there are too few."""

    relative_interval: Interval | None
    relative_range: Interval | None
    """From the greatest gain to the least: each value now against each before."""


def compared(measure: str, before: Sequence[float], now: Sequence[float]) -> Comparison:
    """Return what became of a measure; both in ascending order, and neither empty.

    The medians' intervals are taken at a confidence of √0.95 each, so that both hold with 0.95; the
    difference is enclosed by their farthest ends. That is wider than need be, and never too sure.
    """
    before_ms, now_ms = quantile(before, 0.5), quantile(now, 0.5)
    was, is_now = quantile_interval(before, 0.5, _EACH), quantile_interval(now, 0.5, _EACH)
    difference = relative_interval = None
    change = Change.TOO_FEW
    if was is not None and is_now is not None:
        difference = Interval(is_now.low - was.high, is_now.high - was.low)
        relative_interval = _relative(was, is_now)
        change = Change.NONE
        if difference.high < 0:
            change = Change.FASTER
        elif difference.low > 0:
            change = Change.SLOWER
    before_range, now_range = Interval(before[0], before[-1]), Interval(now[0], now[-1])
    return Comparison(
        measure=measure,
        before_count=len(before),
        now_count=len(now),
        before_ms=before_ms,
        now_ms=now_ms,
        before_range_ms=before_range,
        now_range_ms=now_range,
        change=change,
        relative=now_ms / before_ms - 1 if before_ms > 0 else None,
        difference_ms=difference,
        relative_interval=relative_interval,
        relative_range=_relative(before_range, now_range),
    )


def _relative(before: Interval, now: Interval) -> Interval | None:
    if before.low <= 0:
        return None
    return Interval(now.low / before.high - 1, now.high / before.low - 1)

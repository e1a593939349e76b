"""A window's roll-ups together: which rows are read, and what they come to."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from warmline.reporting.histogram import BINS, quantiles
from warmline.store.cells import MEASURE_NUMBERS, NUMBERS, decoded
from warmline.store.rollups import DAY_S, HOUR_S, MINUTE_S
from warmline.store.schema import TURN_COUNTS, TURN_ROLLUPS
from warmline.store.turn_tally import SUMS
from warmline.store.turn_views import Overview, Percentiles, Point, Summary, Window

__all__ = ["Span", "facts_in", "kept_window", "overview_of", "point_width_s", "spans_of"]

_SHARES: Final = (0.50, 0.90, 0.95, 0.99)
_MEASURES: Final = {number: measure for measure, number in MEASURE_NUMBERS.items()}

_WIDTHS_S: Final = (60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, DAY_S)
"""How much time a point may cover: what people count in. Wider ones are days, doubled."""

_ROLLUP: Final = TURN_ROLLUPS.c


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a window that is read from roll-ups of one resolution; whole buckets of it."""

    resolution_s: int
    from_s: int
    until_s: int


def kept_window(connection: sa.Connection, window: Window) -> Window | None:
    """Return the part of a window, in whole minutes, that there are turns of; None if there are none."""
    minutes = [
        sa.select(edge(_ROLLUP.bucket_s)).where(
            _ROLLUP.resolution_s == MINUTE_S, _ROLLUP.is_folded.is_(is_folded)
        )
        for edge in (sa.func.min, sa.func.max)
        for is_folded in (False, True)
    ]
    edges_s = [connection.execute(edge).scalar() for edge in minutes]
    there = [edge_s for edge_s in edges_s if edge_s is not None]
    if not there:
        return None
    from_s, until_s = min(there), max(there) + MINUTE_S
    if window.from_s > from_s:
        from_s = until_s if window.from_s >= until_s else math.floor(window.from_s / MINUTE_S) * MINUTE_S
    if window.until_s < until_s:
        until_s = max(math.ceil(window.until_s / MINUTE_S) * MINUTE_S, from_s)
    return Window(from_s, until_s) if from_s < until_s else None


def point_width_s(window: Window, points: int) -> int:
    """Return how much time a point covers, so that there are no more than so many."""
    width_s = DAY_S
    for width_s in _widths_s():
        if math.ceil(window.until_s / width_s) - math.floor(window.from_s / width_s) <= max(points, 1):
            break
    return width_s


def _widths_s() -> Iterator[int]:
    yield from _WIDTHS_S
    width_s = DAY_S
    while width_s < 1 << 40:
        width_s *= 2
        yield width_s


def spans_of(window: Window, width_s: int) -> Sequence[Span]:
    """Return what to read for a window of whole minutes: the coarsest buckets, with finer ones at its edges.

    No bucket is wider than a point, and so each is in one alone.
    """
    usable = [resolution_s for resolution_s in (DAY_S, HOUR_S, MINUTE_S) if width_s % resolution_s == 0]
    return list(_spans(int(window.from_s), int(window.until_s), usable))


def _spans(from_s: int, until_s: int, usable: Sequence[int]) -> Iterator[Span]:
    if from_s >= until_s:
        return
    resolution_s, *finer = usable
    inner_s, outer_s = -(-from_s // resolution_s) * resolution_s, until_s // resolution_s * resolution_s
    if inner_s >= outer_s:
        yield from _spans(from_s, until_s, finer)
        return
    yield from _spans(from_s, inner_s, finer)
    yield Span(resolution_s, inner_s, outer_s)
    yield from _spans(outer_s, until_s, finer)


class _Group:
    """Rows of roll-ups that are added up.

    What changes here: all of it grows, in `add` and `take`.
    """

    def __init__(self) -> None:
        self._sums = [0.0] * len(SUMS)
        self._keys: list[NDArray[np.int64]] = []
        self._counts: list[NDArray[np.int64]] = []
        self._greatest_ms = np.zeros(NUMBERS)
        self._bins: NDArray[np.float64] | None = None
        """Of what was added, when it is looked at; counts, which a float holds exactly."""

    def add(self, row: Mapping[Any, Any]) -> None:
        """Add a row."""
        self._sums = [total + row[name] for total, name in zip(self._sums, SUMS, strict=True)]
        cells = decoded(row["cells"])
        self._keys.append(cells.keys)
        self._counts.append(cells.counts)
        np.maximum.at(self._greatest_ms, cells.numbers, cells.greatest_ms)

    def take(self, other: _Group) -> None:
        """Add another group's rows, to a group that is given no others."""
        self._sums = [mine + its for mine, its in zip(self._sums, other._sums, strict=True)]
        self._bins = other._settled() if self._bins is None else self._bins + other._settled()
        self._greatest_ms = np.maximum(self._greatest_ms, other._greatest_ms)

    def summary(self) -> Summary:
        """Return what it comes to."""
        bins = self._settled().reshape(NUMBERS, BINS)
        totals = bins.sum(axis=1)
        numbers = np.flatnonzero(totals)
        greatest_ms = self._greatest_ms[numbers]
        measures = {}
        if len(numbers):
            rows = zip(
                numbers.tolist(),
                totals[numbers].tolist(),
                quantiles(bins[numbers], greatest_ms, _SHARES).tolist(),
                greatest_ms.tolist(),
                strict=True,
            )
            for number, total, (p50_ms, p90_ms, p95_ms, p99_ms), max_ms in rows:
                percentiles = Percentiles(round(total), p50_ms, p90_ms, p95_ms, p99_ms, max_ms)
                measures[_MEASURES[number]] = percentiles
        counts = {name: round(total) for name, total in zip(TURN_COUNTS, self._sums[:-1], strict=True)}
        return Summary(measures, **counts, underrun_ms=self._sums[-1])

    def _settled(self) -> NDArray[np.float64]:
        """Return the bins with everything that was added."""
        if self._bins is None:
            keys = np.concatenate([np.zeros(0, np.int64), *self._keys])
            counts = np.concatenate([np.zeros(0, np.int64), *self._counts])
            bins = np.bincount(keys, weights=counts, minlength=NUMBERS * BINS)
            self._bins = bins.astype(np.float64, copy=False)
        return self._bins


def overview_of(
    connection: sa.Connection, window: Window, points: int, groups: Mapping[int, str]
) -> Overview:
    """Return a window's turns together.

    Args:
        connection: To read by.
        window: From `kept_window`.
        points: The most of them.
        groups: Which turns, by the ids of their facts, and the group that each is in.
    """
    width_s = point_width_s(window, points)
    by_point: dict[tuple[str, int], _Group] = defaultdict(_Group)
    for span in spans_of(window, width_s):
        for row in _rows(connection, span, TURN_ROLLUPS, _ROLLUP.facts_id.in_(list(groups))):
            at_s = row["bucket_s"] // width_s * width_s
            by_point[groups[row["facts_id"]], at_s].add(row)
    whole: dict[str, _Group] = defaultdict(_Group)
    series: dict[str, list[Point]] = defaultdict(list)
    for (value, at_s), group in sorted(by_point.items(), key=lambda item: item[0]):
        whole[value].take(group)
        summary = group.summary()
        if summary.turns:
            series[value].append(Point(at_s, summary))
    return Overview({value: group.summary() for value, group in whole.items()}, dict(series), width_s)


def facts_in(connection: sa.Connection, window: Window) -> set[int]:
    """Return the ids of the facts of a window's turns; the window is from `kept_window`."""
    spans = spans_of(window, DAY_S)
    return {row["facts_id"] for span in spans for row in _rows(connection, span, _ROLLUP.facts_id)}


def _rows(
    connection: sa.Connection, span: Span, what: sa.Table | sa.Column[Any], *wanted: sa.ColumnElement[bool]
) -> Iterator[sa.RowMapping]:
    """Yield a span's rows: of its resolution, and minutes that are not folded into that yet."""
    for resolution_s, is_folded in ((span.resolution_s, True), (MINUTE_S, False)):
        found = sa.select(what).where(
            _ROLLUP.resolution_s == resolution_s,
            _ROLLUP.is_folded.is_(is_folded),
            _ROLLUP.bucket_s >= span.from_s,
            _ROLLUP.bucket_s < span.until_s,
            *wanted,
        )
        yield from connection.execute(found).mappings()

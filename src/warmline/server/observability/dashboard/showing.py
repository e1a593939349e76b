"""What the store tells, as JSON for pages and programs: in columns, which are short and which plots take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from warmline.store.turn_views import Overview, Page, Percentiles, Point, Summary, TurnLine, Window

__all__ = ["shown_overview", "shown_page"]

_MOST_GROUPS: Final = 12
"""More lines than that nobody tells apart; those with the fewest turns are left out, and counted."""

_COUNTS: Final = (
    "turns",
    "asked",
    "answered",
    "interrupted",
    "failed",
    "cold_turns",
    "drafts_begun",
    "drafts_dropped",
    "wasted_tokens",
    "setbacks_hidden",
    "setbacks_noticed",
    "underruns",
    "underrun_ms",
)
_PERCENTILES: Final = ("count", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms")


def shown_overview(overview: Overview, window: Window) -> dict[str, Any]:
    """Return a window's turns together, group by group, those with the most turns first."""
    names = sorted(overview.whole, key=lambda name: (-overview.whole[name].turns, name))
    return {
        "window": shown_window(window),
        "resolution_s": overview.resolution_s,
        "groups": [
            {
                "name": name,
                "whole": _summary(overview.whole[name]),
                "points": _columns(overview.points.get(name, ())),
            }
            for name in names[:_MOST_GROUPS]
        ],
        "left_out": max(len(names) - _MOST_GROUPS, 0),
    }


def shown_page(page: Page) -> dict[str, Any]:
    """Return a list of turns; `next` is null behind the last."""
    cursor = page.next
    return {
        "turns": [_line(line) for line in page.lines],
        "next": cursor
        and {"before_value": cursor.value, "before_call": cursor.call, "before_number": cursor.number},
    }


def shown_window(window: Window) -> dict[str, float | None]:
    """Return a window; JSON has no infinity."""
    return {"from_s": window.from_s, "until_s": window.until_s if math.isfinite(window.until_s) else None}


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        **{name: getattr(summary, name) for name in _COUNTS},
        "measures": {
            name: {each: _rounded(getattr(found, each)) for each in _PERCENTILES}
            for name, found in summary.measures.items()
        },
    }


def _columns(points: Sequence[Point]) -> dict[str, Any]:
    """Return points in time as a column for each figure; null where a measure has no value."""
    measures = dict.fromkeys(name for point in points for name in point.summary.measures)
    return {
        "at_s": [point.at_s for point in points],
        **{name: [getattr(point.summary, name) for point in points] for name in _COUNTS},
        "measures": {name: _measure_columns(points, name) for name in measures},
    }


def _measure_columns(points: Sequence[Point], name: str) -> Mapping[str, list[float | None]]:
    found = [point.summary.measures.get(name) for point in points]
    return {each: [_figure(one, each) for one in found] for each in _PERCENTILES}


def _figure(found: Percentiles | None, name: str) -> float | None:
    return None if found is None else _rounded(getattr(found, name))


def _rounded(figure: float) -> float:
    return figure if isinstance(figure, int) else round(figure, 2)


def _line(line: TurnLine) -> dict[str, Any]:
    return {
        "call": line.call,
        "number": line.number,
        "at_s": line.at_s,
        "status": line.status,
        "is_asked": line.is_asked,
        "response_ms": line.response_ms,
        "facts": dict(line.facts),
        "cold_lines": line.cold_lines,
        "drafts_begun": line.drafts_begun,
        "drafts_dropped": line.drafts_dropped,
        "setbacks": line.setbacks,
        "underruns": line.underruns,
        "heard_share": line.heard_share,
    }

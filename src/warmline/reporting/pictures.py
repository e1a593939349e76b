"""Pictures of a report: distributions and waterfalls, as SVG that stretches to its place.

Text stands beside the pictures and not in them: it keeps its size on a phone.
"""

from __future__ import annotations

from typing import Final

from warmline.reporting.markup import Element, element
from warmline.reporting.report import BINS, QUANTILES, MeasureSummary
from warmline.reporting.turn import ReportedTurn
from warmline.reporting.words import STAGE_WORDS, ms_words

__all__ = ["distribution", "scale_ms", "waterfall"]

_WIDTH: Final = 1_000.0
_HEIGHT: Final = 40.0
_TICK: Final = 12.0
_SHOWN_MS: Final = 1.0
"""Contributions below it are shown together."""


def scale_ms(*summaries: MeasureSummary | None) -> float:
    """Return the milliseconds at the right end of distributions that are drawn to one scale."""
    known = [summary.bins_to_ms for summary in summaries if summary is not None]
    return max([*known, 1.0]) * 1.02


def distribution(summary: MeasureSummary, to_ms: float, kind: str) -> Element:
    """Return a picture of a measure's values: ticks if they are few, else a histogram with its median.

    Args:
        summary: The measure's.
        to_ms: What the right end stands for.
        kind: `now` or `before`, for its colour.
    """
    scale = _WIDTH / to_ms
    if summary.values_ms:
        shapes = [
            element("rect", x=ms * scale - _TICK / 2, y=8.0, width=_TICK, height=_HEIGHT - 8, rx=2.0)
            for ms in summary.values_ms
        ]
    else:
        width_ms = summary.bins_to_ms / BINS
        most = max(summary.bins)
        shapes = [
            element(
                "rect",
                x=index * width_ms * scale,
                y=_HEIGHT - (_HEIGHT - 4) * count / most,
                width=max(width_ms * scale - 2, 1),
                height=(_HEIGHT - 4) * count / most,
            )
            for index, count in enumerate(summary.bins)
            if count
        ]
    median_ms = summary.quantiles_ms[0]
    told = ", ".join(
        f"p{share * 100:.0f} {ms_words(ms)}"
        for share, ms in zip(QUANTILES, summary.quantiles_ms, strict=True)
        if ms is not None
    )
    return element(
        "svg",
        element("title", told),
        *shapes,
        element("rect", x=(median_ms or 0) * scale - 2, y=0.0, width=4.0, height=_HEIGHT, class_="median")
        if summary.median_interval_ms is not None
        else None,
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        preserveAspectRatio="none",
        role="img",
        class_=f"distribution {kind}",
    )


def waterfall(turn: ReportedTurn, to_ms: float) -> Element:
    """Return a turn's contributions below each other, each beginning where the one before ended.

    Args:
        turn: One that was answered.
        to_ms: What the right end stands for; the same for all turns, so that they can be compared.
    """
    rows = []
    before_ms = rest_ms = 0.0
    for part in turn.contributions:
        ms = part.duration_us / 1000
        if ms < _SHOWN_MS:
            rest_ms += ms
        else:
            rows.append(_row(STAGE_WORDS[part.name], ms, _bar(before_ms, ms, to_ms, part.name)))
        before_ms += ms
    if rest_ms >= _SHOWN_MS / 2:
        rows.append(_row("Everything else", rest_ms))
    return element("div", *rows, class_="waterfall")


def _row(name: str, ms: float, picture: Element | None = None) -> Element:
    figure = element("span", ms_words(ms), class_="figure")
    return element("div", element("span", name), picture, figure, class_="row")


def _bar(start_ms: float, ms: float, to_ms: float, stage: str) -> Element:
    scale = _WIDTH / to_ms
    width = max(ms * scale, _TICK)
    return element(
        "svg",
        element("rect", x=0.0, y=9.0, width=_WIDTH, height=2.0, class_="track"),
        element(
            "rect", x=min(start_ms * scale, _WIDTH - width), y=2.0, width=width, height=16.0, class_=stage
        ),
        viewBox=f"0 0 {_WIDTH:.0f} 20",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"from {start_ms:,.0f} to {start_ms + ms:,.0f} ms",
    )

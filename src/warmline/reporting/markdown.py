"""A report as Markdown, for pull requests and notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from warmline.reporting.captions import (
    SEVERITY_WORDS,
    evidence_words,
    happenings,
    headings,
    period_words,
    timelines_title,
    turn_title,
)
from warmline.reporting.findings import Finding
from warmline.reporting.report import QUANTILES, Report
from warmline.reporting.turn import ReportedTurn
from warmline.reporting.words import (
    CHANGE_WORDS,
    MEASURE_WORDS,
    STAGE_WORDS,
    VERDICT_WORDS,
    change_words,
    clean,
    goal_limit,
    goal_value,
    goal_words,
    ms_range,
    ms_words,
)

__all__ = ["markdown_report"]

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_SHOWN_MS: Final = 1.0


def markdown_report(report: Report) -> str:
    """Return the report; whatever the logs held is escaped in it."""
    return "\n".join(_blocks(report)) + "\n"


def _blocks(report: Report) -> Iterator[str]:
    yield "# Where the time went\n"
    yield _escaped(period_words(report.now)) + "\n"
    if report.before is not None:
        yield _escaped(f"Before: {period_words(report.before)}") + "\n"
    yield "## Findings\n"
    for finding in report.findings:
        yield from _finding(finding)
    if not report.findings:
        yield "Nothing remarkable."
    yield "\n## Goals\n"
    yield from _table(
        ("", "goal", "measured", "sample (needed)", "verdict"),
        [
            (
                goal_words(result.goal),
                goal_limit(result.goal),
                goal_value(result),
                f"{result.count:,} ({result.goal.minimum})",
                VERDICT_WORDS[result.verdict],
            )
            for result in report.goals
        ],
    )
    if report.before is not None:
        yield "\n## Against before\n"
        yield from _table(
            ("", "before", "now", "change (95 %)", "judgement"),
            [
                (
                    MEASURE_WORDS[comparison.measure],
                    ms_words(comparison.before_ms),
                    ms_words(comparison.now_ms),
                    change_words(comparison),
                    CHANGE_WORDS[comparison.change],
                )
                for comparison in report.comparisons
            ],
            headings([comparison.measure for comparison in report.comparisons]),
        )
    yield "\n## Breakdown\n"
    yield from _table(
        ("", "turns", *(f"p{share * 100:.0f}" for share in QUANTILES), "range"),
        [
            (
                MEASURE_WORDS[summary.measure],
                f"{summary.count:,}",
                *map(ms_words, summary.quantiles_ms),
                ms_range(summary.range_ms),
            )
            for summary in report.now.measures
        ],
        headings([summary.measure for summary in report.now.measures]),
    )
    yield f"\n## {timelines_title(report)}\n"
    for turn in report.timelines:
        yield from _timeline(turn)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"- **{SEVERITY_WORDS[finding.severity]}**: {_escaped(finding.sentence)}"
    for evidence in finding.evidence:
        yield f"  - {_escaped(evidence_words(evidence))}"


def _timeline(turn: ReportedTurn) -> Iterator[str]:
    total = "nothing was played" if turn.response_ms is None else ms_words(turn.response_ms)
    yield f"- **{_escaped(turn_title(turn))}**: {total}"
    parts = [
        f"{STAGE_WORDS[part.name].lower()} {ms_words(part.duration_us / 1000)}"
        for part in turn.contributions
        if part.duration_us / 1000 >= _SHOWN_MS
    ]
    if parts:
        yield f"  - {', '.join(parts)}"
    for at, text in happenings(turn):
        yield f"  - {_escaped(f'{at} {text}'.strip())}"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], above: Sequence[str] = ()) -> Iterator[str]:
    if not rows:
        yield "There is nothing to show."
        return
    yield f"| {' | '.join(names)} |"
    yield f"| {' | '.join('---' if index == 0 else '---:' for index in range(len(names)))} |"
    for heading, row in zip_longest(above, rows, fillvalue=""):
        if heading:
            yield f"| **{heading}** |{' |' * (len(names) - 1)}"
        yield f"| {' | '.join(map(_escaped, row))} |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(clean(text).split()))

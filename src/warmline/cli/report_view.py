"""A report in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from warmline.cli.waterfall import STAGES, bar
from warmline.reporting.captions import (
    SEVERITY_WORDS,
    evidence_words,
    happenings,
    headings,
    period_words,
    timelines_title,
    turn_title,
)
from warmline.reporting.comparison import Change
from warmline.reporting.daytime import instant_words
from warmline.reporting.findings import Finding, Severity
from warmline.reporting.goals import Verdict
from warmline.reporting.report import QUANTILES, Report
from warmline.reporting.turn import ReportedTurn
from warmline.reporting.words import (
    CHANGE_WORDS,
    MEASURE_WORDS,
    VERDICT_WORDS,
    change_words,
    clean,
    goal_limit,
    goal_value,
    goal_words,
    ms_range,
    ms_words,
)

__all__ = ["report_view"]

_SEVERITY_COLOURS: Final = {
    Severity.FAULT: "bold red",
    Severity.WARNING: "bold yellow",
    Severity.UNDECIDED: "blue",
    Severity.GOOD: "green",
    Severity.NOTE: "dim",
}
_VERDICT_COLOURS: Final = {Verdict.MET: "green", Verdict.BROKEN: "bold red", Verdict.TOO_FEW: "blue"}
_CHANGE_COLOURS: Final = {Change.FASTER: "green", Change.SLOWER: "bold yellow", Change.TOO_FEW: "blue"}
_SHOWN_US: Final = 1_000
"""Contributions below a millisecond are not listed."""


def report_view(report: Report) -> RenderableType:
    """Return the report; whatever the logs held is text in it, never markup."""
    shown: list[RenderableType] = [Text(clean(period_words(report.now)), "bold")]
    if report.before is not None:
        shown.append(Text(clean(f"Before: {period_words(report.before)}"), "dim"))
    shown += [*_titled("Findings"), *_findings(report.findings), *_titled("Goals"), _goals(report)]
    if report.before is not None:
        shown += [*_titled("Against before"), _comparisons(report)]
    shown += [*_titled("Breakdown"), _breakdown(report), *_titled(timelines_title(report))]
    for turn in report.timelines:
        shown += _timeline(turn)
    return Group(*shown)


def _titled(title: str) -> tuple[Text, Text]:
    return Text(""), Text(title, "bold underline")


def _findings(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    if not findings:
        yield Text("Nothing remarkable.", "dim")
        return
    table = _rows()
    for finding in findings:
        told = Text(clean(finding.sentence))
        for evidence in finding.evidence:
            told.append(f"\n{clean(evidence_words(evidence))}", "dim")
        table.add_row(Text(SEVERITY_WORDS[finding.severity], _SEVERITY_COLOURS[finding.severity]), told)
    yield table


def _goals(report: Report) -> Table:
    table = _table("", "goal", "measured", "sample (needed)", "verdict")
    for result in report.goals:
        table.add_row(
            goal_words(result.goal),
            goal_limit(result.goal),
            goal_value(result),
            f"{result.count:,} ({result.goal.minimum})",
            Text(VERDICT_WORDS[result.verdict], _VERDICT_COLOURS.get(result.verdict, "dim")),
        )
    return table


def _comparisons(report: Report) -> Table:
    table = _table("", "before", "now", "change (95 %)", "judgement")
    above = headings([comparison.measure for comparison in report.comparisons])
    for heading, comparison in zip(above, report.comparisons, strict=True):
        if heading:
            table.add_row(Text(f"\n{heading}", "dim"))
        table.add_row(
            MEASURE_WORDS[comparison.measure],
            ms_words(comparison.before_ms),
            ms_words(comparison.now_ms),
            change_words(comparison),
            Text(CHANGE_WORDS[comparison.change], _CHANGE_COLOURS.get(comparison.change, "dim")),
        )
    return table


def _breakdown(report: Report) -> Table:
    table = _table("", "turns", *(f"p{share * 100:.0f}" for share in QUANTILES), "range")
    above = headings([summary.measure for summary in report.now.measures])
    for heading, summary in zip(above, report.now.measures, strict=True):
        if heading:
            table.add_row(Text(f"\n{heading}", "dim"))
        quantiles = map(ms_words, summary.quantiles_ms)
        table.add_row(
            MEASURE_WORDS[summary.measure], f"{summary.count:,}", *quantiles, ms_range(summary.range_ms)
        )
    return table


def _timeline(turn: ReportedTurn) -> Iterator[RenderableType]:
    response_ms = turn.response_ms
    total = "nothing was played" if response_ms is None else ms_words(response_ms)
    yield Text("")
    yield Text.assemble(
        (clean(turn_title(turn)), "bold"), f"  {total}  ", (clean(instant_words(turn.at_s)), "dim")
    )
    if response_ms:
        table = _rows()
        before_us = 0
        for part in turn.contributions:
            label, colour = STAGES[part.name]
            if part.duration_us >= _SHOWN_US:
                drawn = bar(before_us, part.duration_us, round(response_ms * 1000), colour)
                table.add_row(label, Text(ms_words(part.duration_us / 1000), justify="right"), drawn)
            before_us += part.duration_us
        yield table
    for at, text in happenings(turn):
        yield Text(clean(f"{at} {text}".strip()), "dim")


def _rows() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table

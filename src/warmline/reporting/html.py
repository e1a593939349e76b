"""A report as one HTML file that needs nothing else: styles and pictures are in it, without a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
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
from warmline.reporting.comparison import Comparison
from warmline.reporting.daytime import instant_words
from warmline.reporting.findings import Finding
from warmline.reporting.goals import GoalResult
from warmline.reporting.markup import Element, element, page_text
from warmline.reporting.measures import RESPONSE
from warmline.reporting.pictures import distribution, scale_ms, waterfall
from warmline.reporting.report import QUANTILES, MeasureSummary, PeriodSummary, Report
from warmline.reporting.turn import ReportedTurn
from warmline.reporting.words import (
    CHANGE_WORDS,
    MEASURE_WORDS,
    VERDICT_WORDS,
    change_words,
    goal_limit,
    goal_value,
    goal_words,
    ms_range,
    ms_words,
)

__all__ = ["html_report"]

_STYLE: Final = Path(__file__).with_name("page") / "report.css"


def html_report(report: Report) -> str:
    """Return the page; whatever the logs held is escaped in it."""
    body = element(
        "main",
        element(
            "header", element("h1", "Where the time went"), *_periods(report), _headline(report), class_="top"
        ),
        _section("Findings", _findings(report.findings)),
        _section("Goals", _goals(report.goals)),
        _section("Against before", _comparisons(report)) if report.before is not None else None,
        _section("Breakdown", _breakdown(report.now)),
        _section(timelines_title(report), *_timelines(report.timelines)),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"warmline report: {report.now.name}"),
        element("style", _STYLE.read_text("utf-8")),
    )
    return page_text(element("html", head, element("body", body), lang="en"))


def _section(title: str, *content: Element) -> Element:
    return element("section", element("h2", title), *content)


def _periods(report: Report) -> Iterator[Element]:
    yield element("p", period_words(report.now), class_="period")
    if report.before is not None:
        yield element("p", f"Before: {period_words(report.before)}", class_="period")


def _headline(report: Report) -> Element:
    response = report.now.measure(RESPONSE)
    told = [("turns", f"{report.now.turns:,}"), ("answered", f"{report.now.answered:,}")]
    if response is not None:
        told.insert(0, ("median response", ms_words(response.quantiles_ms[0])))
        slow = zip(QUANTILES[1:], response.quantiles_ms[1:], strict=True)
        told[1:1] = [(f"p{share * 100:.0f} response", ms_words(ms)) for share, ms in slow if ms is not None]
    if report.now.drafts_begun:
        told.append(("drafts dropped", f"{report.now.drafts_dropped:,} of {report.now.drafts_begun:,}"))
    cells = [element("div", element("dt", name), element("dd", figure)) for name, figure in told]
    return element("dl", *cells, class_="headline")


def _findings(findings: Sequence[Finding]) -> Element:
    if not findings:
        return element("p", "Nothing remarkable.", class_="muted")
    return element("ul", *map(_finding, findings), class_="findings")


def _finding(finding: Finding) -> Element:
    evidence = [element("li", evidence_words(each)) for each in finding.evidence]
    more = finding.count - len(finding.evidence)
    if finding.evidence and more > 0 and not finding.kind.startswith("change."):
        evidence.append(element("li", f"and {more:,} more", class_="muted"))
    return element(
        "li",
        element("span", SEVERITY_WORDS[finding.severity], class_="badge"),
        element("p", finding.sentence),
        element("ul", *evidence, class_="evidence") if evidence else None,
        class_=finding.severity.value,
    )


def _goals(results: Sequence[GoalResult]) -> Element:
    rows = [
        element(
            "tr",
            element("th", goal_words(result.goal), scope="row"),
            element("td", goal_limit(result.goal), data_label="goal"),
            element("td", goal_value(result), data_label="measured", class_="number"),
            element("td", f"{result.count:,} ({result.goal.minimum})", data_label="sample", class_="number"),
            element(
                "td", element("span", VERDICT_WORDS[result.verdict], class_="badge"), data_label="verdict"
            ),
            class_=result.verdict.value,
        )
        for result in results
    ]
    return _table(("", "goal", "measured", "sample (needed)", "verdict"), rows)


def _comparisons(report: Report) -> Element:
    if not report.comparisons:
        return element("p", "The two have no measure in common.", class_="muted")
    names = ("", "before", "now", "change (95 %)", "distributions", "judgement")
    measures = [comparison.measure for comparison in report.comparisons]
    rows = [_comparison(comparison, report) for comparison in report.comparisons]
    return _table(names, _grouped(measures, rows, len(names)))


def _grouped(measures: Sequence[str], rows: Sequence[Element], columns: int) -> list[Element]:
    """Return rows with a heading above those of each group."""
    grouped: list[Element] = []
    for heading, row in zip(headings(measures), rows, strict=True):
        if heading:
            above = element("th", heading, colspan=columns, scope="rowgroup")
            grouped.append(element("tr", above, class_="group"))
        grouped.append(row)
    return grouped


def _comparison(comparison: Comparison, report: Report) -> Element:
    now = report.now.measure(comparison.measure)
    before = None if report.before is None else report.before.measure(comparison.measure)
    to_ms = scale_ms(now, before)
    return element(
        "tr",
        element("th", MEASURE_WORDS[comparison.measure], scope="row"),
        element("td", ms_words(comparison.before_ms), data_label="before", class_="number"),
        element("td", ms_words(comparison.now_ms), data_label="now", class_="number"),
        element("td", change_words(comparison), data_label="change", class_="number"),
        element(
            "td",
            distribution(before, to_ms, "before") if before is not None else None,
            distribution(now, to_ms, "now") if now is not None else None,
            class_="picture",
        ),
        element(
            "td",
            element("span", CHANGE_WORDS[comparison.change], class_="badge"),
        ),
        class_=comparison.change.value,
    )


def _breakdown(period: PeriodSummary) -> Element:
    if not period.measures:
        return element("p", "No turn was measured.", class_="muted")
    names = ("", "turns", *(f"p{share * 100:.0f}" for share in QUANTILES), "range", "distribution")
    measures = [summary.measure for summary in period.measures]
    rows = [_measure(summary) for summary in period.measures]
    return _table(names, _grouped(measures, rows, len(names)))


def _measure(summary: MeasureSummary) -> Element:
    sure = summary.median_interval_ms
    tooltip = f"95 % sure: {ms_range(sure)}" if sure is not None else "too few turns for an interval"
    quantiles = [
        element("td", ms_words(ms), data_label=f"p{share * 100:.0f}", class_="number", title=tooltip)
        if share == QUANTILES[0]
        else element("td", ms_words(ms), data_label=f"p{share * 100:.0f}", class_="number")
        for share, ms in zip(QUANTILES, summary.quantiles_ms, strict=True)
    ]
    return element(
        "tr",
        element("th", MEASURE_WORDS[summary.measure], scope="row"),
        element("td", f"{summary.count:,}", data_label="turns", class_="number"),
        *quantiles,
        element("td", ms_range(summary.range_ms), data_label="range", class_="number"),
        element("td", distribution(summary, scale_ms(summary), "now"), class_="picture"),
    )


def _table(names: Sequence[str], rows: Sequence[Element]) -> Element:
    head = element("tr", *(element("th", name, scope="col") for name in names))
    return element(
        "div",
        element("table", element("thead", head), element("tbody", *rows)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="table",
    )


def _timelines(turns: Sequence[ReportedTurn]) -> Iterator[Element]:
    if not turns:
        yield element("p", "There are none.", class_="muted")
    to_ms = max([turn.response_ms or 0.0 for turn in turns] + [1.0])
    for turn in turns:
        yield element(
            "article",
            element(
                "h3",
                element("span", turn_title(turn)),
                element("span", instant_words(turn.at_s), class_="muted"),
                element("strong", "nothing was played")
                if turn.response_ms is None
                else element("strong", ms_words(turn.response_ms)),
            ),
            waterfall(turn, to_ms) if turn.response_ms is not None else None,
            _notes(turn),
            class_="turn",
        )


def _notes(turn: ReportedTurn) -> Element | None:
    told = happenings(turn)
    if not told:
        return None
    rows = [element("li", element("span", at, class_="at"), element("span", text)) for at, text in told]
    return element("ul", *rows, class_="notes")

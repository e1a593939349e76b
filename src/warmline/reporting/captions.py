"""What stands beside the figures of a report, the same in every form of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmline.reporting.findings import Severity
from warmline.reporting.period import Evidence
from warmline.reporting.report import PeriodSummary, Report
from warmline.reporting.turn import ReportedTurn
from warmline.reporting.words import counted, group_words

__all__ = [
    "SEVERITY_WORDS",
    "evidence_words",
    "happenings",
    "headings",
    "period_words",
    "timelines_title",
    "turn_title",
]

SEVERITY_WORDS: Final = {
    Severity.FAULT: "fault",
    Severity.WARNING: "warning",
    Severity.UNDECIDED: "too few to judge",
    Severity.GOOD: "good",
    Severity.NOTE: "note",
}


def evidence_words(evidence: Evidence) -> str:
    """Return where something was seen, and what."""
    where = [
        f"call {evidence.call}" if evidence.call else "",
        f"turn {evidence.turn}" if evidence.turn is not None else "",
        evidence.at,
    ]
    told = ", ".join(filter(None, where))
    return f"{told}: {evidence.text}" if told else evidence.text


def period_words(period: PeriodSummary) -> str:
    """Return what a period is: its source, when it was, and what the turns were held with."""
    when = period.began if period.began == period.ended else f"{period.began} to {period.ended}"
    facts = [f"{name} {' / '.join(values)}" for name, values in period.facts.items()]
    told = [period.name, when if period.began else "", counted(period.turns, "turn"), *facts]
    return ", ".join(filter(None, told))


def timelines_title(report: Report) -> str:
    """Return which turns a report shows one by one."""
    shown = len(report.timelines)
    return "Turn by turn" if shown == report.now.turns else f"The {shown} slowest turns"


def headings(measures: Sequence[str]) -> list[str]:
    """Return what stands above each measure's row in a table; empty but where a new group begins."""
    groups = [group_words(measure) for measure in measures]
    return [group if group != before else "" for before, group in zip(["", *groups], groups, strict=False)]


def turn_title(turn: ReportedTurn) -> str:
    """Return a turn's name."""
    return f"Turn {turn.number}, call {turn.call}" if turn.call else f"Turn {turn.number}"


def happenings(turn: ReportedTurn) -> list[tuple[str, str]]:
    """Return what happened in a turn beside its waiting: when, which may be empty, and what."""
    told = [
        (f"{note.at_ms:+,.0f} ms", f"{note.kind.replace('_', ' ')}: {note.text}".removesuffix(": "))
        for note in turn.notes
    ]
    told += [("", f"{name}: {ms:,.0f} ms, as the source states") for name, ms in turn.stated_ms]
    if turn.drafts_begun:
        told.append(("", f"{counted(turn.drafts_begun, 'draft')} begun, {turn.drafts_dropped:,} dropped"))
    return told

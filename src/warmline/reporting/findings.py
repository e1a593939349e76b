"""Findings: what somebody who read the whole log would write underneath it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmline.reporting.comparison import Change, Comparison
from warmline.reporting.goals import CANCELLATION, GoalResult, Verdict
from warmline.reporting.measures import (
    RESPONSE_SIMPLE,
    RESPONSE_WITH_RETRIEVAL,
    span_measure,
    stage_measure,
)
from warmline.reporting.observing import ObservationKind
from warmline.reporting.period import Evidence, Seen
from warmline.reporting.words import (
    MEASURE_WORDS,
    counted,
    goal_limit,
    goal_value,
    goal_words,
    ms_range,
    ms_words,
    percent,
)
from warmline.timeline.contributions import MILESTONES

__all__ = ["Finding", "Severity", "comparison_findings", "goal_findings", "observation_findings"]


class Severity(enum.Enum):
    """How much a finding matters; the worst first."""

    FAULT = "fault"
    """Something does what it should not, and is to be mended."""

    WARNING = "warning"
    """A goal is broken, or people wait longer."""

    UNDECIDED = "undecided"
    """It looks like something, and there is too little of it to judge."""

    GOOD = "good"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion."""

    kind: str
    """For programs: an `ObservationKind`'s value, or `goal.NAME` or `change.MEASURE`."""

    severity: Severity
    sentence: str
    """For people."""

    evidence: tuple[Evidence, ...] = ()
    """The first few places."""

    count: int = 1
    """How often it was seen."""


_TOLD_CHANGES: Final = (RESPONSE_SIMPLE, RESPONSE_WITH_RETRIEVAL, span_measure("voice_first_audio"))
"""Told of however small or unsure the change; of the stages only what is sure and matters."""

_STAGES: Final = frozenset(stage_measure(name) for _, name in MILESTONES if name != "voice")
"""The voice is told of by its first audio."""

_MATTERS: Final = 0.05
"""A share by which a measure has to change to be told of."""

_MATTERS_MS: Final = 10.0


def _often(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _wasted(seen: Seen) -> str:
    return f": {ms_words(seen.total_ms)} wasted" if seen.total_ms else ""


def _cases(seen: Seen) -> str:
    return f", in {seen.count:,} cases" if seen.count > 1 else ""


def _in_all(seen: Seen) -> str:
    return f", {ms_words(seen.total_ms)} in all" if seen.total_ms >= 1 else ""


_OBSERVED: Final[Mapping[ObservationKind, tuple[Severity, Callable[[Seen], str]]]] = {
    ObservationKind.TURN_FAILED: (
        Severity.FAULT,
        lambda seen: f"{counted(seen.count, 'turn')} failed: the user was not answered.",
    ),
    ObservationKind.PROVIDER_FAILED: (
        Severity.FAULT,
        lambda seen: f"A provider failed {_often(seen.count)}, and nothing took its place.",
    ),
    ObservationKind.NEGATIVE_SPAN: (
        Severity.FAULT,
        lambda seen: (
            f"A span is negative {_often(seen.count)}: an effect cannot come before its cause, so this is a "
            "bug in the source: it subtracts marks that are not cause and effect. The figure says nothing."
        ),
    ),
    ObservationKind.RETRIEVAL_REPEATED: (
        Severity.FAULT,
        lambda seen: (
            "Retrieval ran twice for the same query, the second time after the first had succeeded"
            f"{_wasted(seen)}{_cases(seen)}."
        ),
    ),
    ObservationKind.PLAYOUT_UNREPORTED: (
        Severity.FAULT,
        lambda seen: (
            f"The far end did not report {_often(seen.count)} that the reply was played: a time-out ended "
            "the turn, and what the user heard of it is not known."
        ),
    ),
    ObservationKind.LINE_AWAITED: (
        Severity.WARNING,
        lambda seen: f"A connection had to be waited for {_often(seen.count)}{_in_all(seen)}.",
    ),
    ObservationKind.SOUND_RAN_OUT: (
        Severity.WARNING,
        lambda seen: f"The sound ran out in {counted(seen.count, 'turn')}{_in_all(seen)}.",
    ),
    ObservationKind.RETRIEVAL_LATE: (
        Severity.WARNING,
        lambda seen: f"An answer was made without passages {_often(seen.count)}: they came too late, or not.",
    ),
    ObservationKind.PROVIDER_REPLACED: (
        Severity.NOTE,
        lambda seen: f"A provider failed {_often(seen.count)} and the turn went on{_in_all(seen)}.",
    ),
    ObservationKind.DEBOUNCE_CHANGED: (
        Severity.NOTE,
        lambda seen: f"The debounce was changed {_often(seen.count)}.",
    ),
}


def observation_findings(seen: Mapping[ObservationKind, Seen]) -> Iterator[Finding]:
    """Yield what single turns showed, one finding a kind."""
    for kind, (severity, sentence) in _OBSERVED.items():
        if kind in seen:
            found = seen[kind]
            yield Finding(kind.value, severity, sentence(found), tuple(found.evidence), found.count)


def goal_findings(results: Sequence[GoalResult]) -> Iterator[Finding]:
    """Yield the goals that are broken, or would be if there were more to judge by."""
    for result in results:
        goal = result.goal
        what = f"{goal_words(goal)}: {goal_value(result)}"
        of = counted(result.count, "draft" if goal.measure == CANCELLATION else "turn")
        kind = f"goal.{goal.name}"
        if result.verdict is Verdict.BROKEN:
            advice = f" {goal.advice}" if goal.advice else ""
            sentence = f"{what}, of {of}; the goal is {goal_limit(goal)}.{advice}"
            yield Finding(kind, Severity.WARNING, sentence, count=result.count)
        elif result.is_beyond and result.count < goal.minimum:
            sentence = f"{what}, but of only {of}: too few to judge, {goal.minimum} are needed."
            yield Finding(kind, Severity.UNDECIDED, sentence, count=result.count)
        elif result.is_beyond:
            limit = goal_limit(goal)
            sentence = f"{what}, of {of}, is beyond {limit}, but within chance: too few to judge."
            yield Finding(kind, Severity.UNDECIDED, sentence, count=result.count)


def comparison_findings(comparisons: Sequence[Comparison]) -> Iterator[Finding]:
    """Yield what became faster or slower; of few turns what it looks like, and that it is not sure."""
    for comparison in comparisons:
        if comparison.measure not in _TOLD_CHANGES and not _is_sure_and_matters(comparison):
            continue
        told = {
            Change.FASTER: (Severity.GOOD, _sure),
            Change.SLOWER: (Severity.WARNING, _sure),
            Change.NONE: (Severity.NOTE, _within_chance),
            Change.TOO_FEW: (Severity.UNDECIDED, _of_few),
        }
        severity, sentence = told[comparison.change]
        yield Finding(
            f"change.{comparison.measure}",
            severity,
            sentence(comparison),
            (Evidence(_figures(comparison)),),
            comparison.now_count,
        )


def _is_sure_and_matters(comparison: Comparison) -> bool:
    by_ms = abs(comparison.now_ms - comparison.before_ms)
    is_sure = comparison.measure in _STAGES and comparison.change in {Change.FASTER, Change.SLOWER}
    return is_sure and by_ms >= _MATTERS_MS and abs(comparison.relative or 1.0) >= _MATTERS


def _sure(comparison: Comparison) -> str:
    name, low, high = MEASURE_WORDS[comparison.measure], *_amounts(comparison)
    amount = "" if comparison.relative is None else f"{percent(abs(comparison.relative))} "
    surely = f" (95 % sure of {low} to {high})" if low else ""
    return f"{name} {amount}{comparison.change.value}{surely}."


def _within_chance(comparison: Comparison) -> str:
    return f"{MEASURE_WORDS[comparison.measure]}: no difference that chance would not make."


def _of_few(comparison: Comparison) -> str:
    name, found = MEASURE_WORDS[comparison.measure], comparison.relative_range
    against = f"{counted(comparison.now_count, 'turn')} against {comparison.before_count:,}"
    few = f"({against}: too few to judge whether it lasts)"
    if found is None:
        return f"{name} {few}."
    if found.low < 0 < found.high:
        return f"{name} between {percent(-found.low)} faster and {percent(found.high)} slower {few}."
    way = "faster" if found.high <= 0 else "slower"
    amounts = sorted((abs(found.low), abs(found.high)))
    low, high = (f"{amount * 100:,.0f}" for amount in amounts)
    return f"{name} {low if low == high else f'{low}–{high}'} % {way} {few}."


def _amounts(comparison: Comparison) -> tuple[str, str]:
    if (found := comparison.relative_interval) is None:
        return "", ""
    least, most = sorted((abs(found.low), abs(found.high)))
    return percent(least), percent(most)


def _figures(comparison: Comparison) -> str:
    return f"{ms_range(comparison.now_range_ms)}, before {ms_range(comparison.before_range_ms)}"

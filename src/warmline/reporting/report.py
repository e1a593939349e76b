"""The report itself: a value made of two periods, which the renderers show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmline.reporting.comparison import Comparison, compared
from warmline.reporting.daytime import instant_words
from warmline.reporting.findings import (
    Finding,
    Severity,
    comparison_findings,
    goal_findings,
    observation_findings,
)
from warmline.reporting.goals import DEFAULT_GOALS, Goal, GoalResult, Verdict, judged
from warmline.reporting.measures import MEASURES, RESPONSE
from warmline.reporting.period import Period
from warmline.reporting.reading import LineCounts
from warmline.reporting.samples import Interval, quantile, quantile_interval, shows_quantile
from warmline.reporting.turn import ReportedTurn
from warmline.reporting.words import MEASURE_WORDS, counted, percent

__all__ = ["BINS", "QUANTILES", "MeasureSummary", "PeriodSummary", "Report", "made_report"]

QUANTILES: Final = (0.50, 0.90, 0.95, 0.99)
BINS: Final = 40
"""Of a distribution's picture."""

_FEW: Final = 60
"""Up to as many values a distribution is drawn as its values."""


@dataclass(frozen=True, slots=True)
class MeasureSummary:
    """One measure of one period, in milliseconds."""

    measure: str
    count: int
    range_ms: Interval
    quantiles_ms: tuple[float | None, ...]
    """Those of `QUANTILES`; None where the turns are too few to have one beyond it."""

    median_interval_ms: Interval | None
    values_ms: tuple[float, ...]
    """All of them, ascending, if they are few."""

    bins: tuple[int, ...]
    """How many fell into each of `BINS` parts from 0 to `bins_to_ms`, in the last one with what is beyond.
    Empty if `values_ms` is not."""

    bins_to_ms: float
    """The p99, or the greatest value where there is none."""


@dataclass(frozen=True, slots=True)
class PeriodSummary:
    """A period as a whole."""

    name: str
    lines: int
    unknown_lines: int
    damaged_lines: int
    turns: int
    answered: int
    """Turns of which something was heard."""

    drafts_begun: int
    drafts_dropped: int
    began: str
    """The first turn's instant, for people; empty where it is not known."""

    ended: str
    facts: Mapping[str, tuple[str, ...]]
    measures: tuple[MeasureSummary, ...]

    def measure(self, name: str) -> MeasureSummary | None:
        """Return a measure's figures, if there are any."""
        return next((found for found in self.measures if found.measure == name), None)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown."""

    now: PeriodSummary
    before: PeriodSummary | None
    comparisons: tuple[Comparison, ...]
    goals: tuple[GoalResult, ...]
    findings: tuple[Finding, ...]
    """The worst first."""

    timelines: tuple[ReportedTurn, ...]
    """All turns, or the slowest of many."""

    @property
    def is_kept(self) -> bool:
        """Whether no goal is broken; one that cannot be judged yet is not."""
        return all(result.verdict is not Verdict.BROKEN for result in self.goals)


def made_report(
    now: Period,
    counts: LineCounts,
    before: Period | None = None,
    before_counts: LineCounts | None = None,
    goals: Sequence[Goal] = DEFAULT_GOALS,
) -> Report:
    """Return the report on a period, against another one where there is one."""
    ordered_ms = now.ordered_ms()
    before_ms = before.ordered_ms() if before is not None else {}
    comparisons = tuple(
        compared(measure, before_ms[measure], ordered_ms[measure])
        for measure in MEASURES
        if measure in before_ms
        and measure in ordered_ms
        and _has_any(before_ms[measure], ordered_ms[measure])
    )
    results = judged(goals, ordered_ms, dropped=now.drafts_dropped, begun=now.drafts_begun)
    findings = [
        *observation_findings(now.seen),
        *goal_findings(results),
        *comparison_findings(comparisons),
        *_longest_stage(ordered_ms),
        *_unread(counts),
    ]
    order = list(Severity)
    return Report(
        now=_summary(now, counts, ordered_ms),
        before=None if before is None else _summary(before, before_counts or LineCounts(), before_ms),
        comparisons=comparisons,
        goals=results,
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
        timelines=now.shown,
    )


def _summary(period: Period, counts: LineCounts, ordered_ms: Mapping[str, Sequence[float]]) -> PeriodSummary:
    return PeriodSummary(
        name=period.name,
        lines=counts.lines,
        unknown_lines=counts.unknown,
        damaged_lines=counts.damaged,
        turns=period.turns,
        answered=period.answered,
        drafts_begun=period.drafts_begun,
        drafts_dropped=period.drafts_dropped,
        began=instant_words(period.first_at_s),
        ended=instant_words(period.last_at_s),
        facts={name: tuple(sorted(values)) for name, values in sorted(period.facts.items())},
        measures=tuple(
            _measure(measure, ordered_ms[measure])
            for measure in MEASURES
            if measure in ordered_ms and _has_any(ordered_ms[measure])
        ),
    )


def _has_any(*samples: Sequence[float]) -> bool:
    """Return whether anything took any time; a stage that nobody ever waited for is not shown."""
    return any(ordered[-1] > 0 for ordered in samples)


def _measure(name: str, ordered: Sequence[float]) -> MeasureSummary:
    count = len(ordered)
    is_few = count <= _FEW
    to_ms = quantile(ordered, 0.99) if shows_quantile(count, 0.99) else ordered[-1]
    return MeasureSummary(
        measure=name,
        count=count,
        range_ms=Interval(ordered[0], ordered[-1]),
        quantiles_ms=tuple(
            quantile(ordered, share) if shows_quantile(count, share) else None for share in QUANTILES
        ),
        median_interval_ms=quantile_interval(ordered, 0.5),
        values_ms=tuple(ordered) if is_few else (),
        bins=() if is_few else _binned(ordered, to_ms),
        bins_to_ms=to_ms,
    )


def _binned(ordered: Sequence[float], to_ms: float) -> tuple[int, ...]:
    bins = [0] * BINS
    for value in ordered:
        bins[min(int(value / to_ms * BINS), BINS - 1) if to_ms > 0 else 0] += 1
    return tuple(bins)


def _longest_stage(ordered_ms: Mapping[str, Sequence[float]]) -> list[Finding]:
    """Return which stage the waiting is mostly spent on."""
    sums = {name: sum(values) for name, values in ordered_ms.items() if name.startswith("stage.")}
    total = sum(ordered_ms.get(RESPONSE, ()))
    if not sums or total <= 0:
        return []
    longest = max(sums, key=lambda name: sums[name])
    share = percent(sums[longest] / total)
    sentence = f"{share} of the waiting went into one stage: {MEASURE_WORDS[longest].lower()}."
    return [Finding("longest_stage", Severity.NOTE, sentence, count=len(ordered_ms[longest]))]


def _unread(counts: LineCounts) -> list[Finding]:
    found = []
    if counts.damaged:
        sentence = f"{counted(counts.damaged, 'line')} could not be read: {counts.first_damage}."
        found.append(Finding("damaged_lines", Severity.WARNING, sentence, count=counts.damaged))
    if counts.unknown:
        sentence = (
            f"{counts.unknown:,} of {counts.lines:,} lines were not understood: nothing of them is in here."
        )
        found.append(Finding("unknown_lines", Severity.NOTE, sentence, count=counts.unknown))
    return found

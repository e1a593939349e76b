"""Goals: what a voice agent should keep to, and whether it does."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from warmline.errors import ConfigError
from warmline.reporting.measures import (
    RESPONSE_SIMPLE,
    RESPONSE_WITH_RETRIEVAL,
    SPEECH_TO_MODEL,
    span_measure,
)
from warmline.reporting.samples import quantile, quantile_ranks, rate_interval, shows_quantile

__all__ = ["CANCELLATION", "DEFAULT_GOALS", "Goal", "GoalResult", "Verdict", "goals_with", "judged"]

CANCELLATION: Final = "cancellation_rate"
"""The measure of drafts dropped over drafts begun; a share, where all others are milliseconds."""

_MINIMUM: Final = 20
"""Turns, or drafts, below which nothing is judged: what the earlier systems' authors learned to wait for."""


class Verdict(enum.Enum):
    """Whether a goal is kept."""

    MET = "met"
    BROKEN = "broken"
    TOO_FEW = "too_few"
    """It cannot be told yet: the sample is below the goal's minimum, or beyond the limit within chance."""

    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class Goal:
    """A rule: nine of ten turns within a limit, or a rate within a band."""

    name: str
    measure: str
    """One of `MEASURES` in milliseconds, or `CANCELLATION`, a share."""

    at_most: float
    at_least: float = 0.0
    share: float = 0.9
    """Of the turns that are to keep to the limit; means nothing to a rate."""

    minimum: int = _MINIMUM
    advice: str = ""
    """What to look at where it is broken."""


DEFAULT_GOALS: Final = (
    Goal("simple_turn", RESPONSE_SIMPLE, 1_800),
    Goal("turn_with_retrieval", RESPONSE_WITH_RETRIEVAL, 2_000),
    Goal(
        "voice_first_audio",
        span_measure("voice_first_audio"),
        500,
        advice="Above 500 ms the voice's connections may not be kept open: see `warmline doctor`.",
    ),
    Goal("speech_to_model", SPEECH_TO_MODEL, 100),
    Goal("retrieval", span_measure("retrieval"), 800),
    Goal(
        CANCELLATION,
        CANCELLATION,
        0.40,
        at_least=0.30,
        advice="Above the band answers are paid for and not heard: a longer debounce begins fewer drafts. "
        "Below it, a shorter one would begin more of them in time.",
    ),
)
"""Those of the earlier systems."""


@dataclass(frozen=True, slots=True)
class GoalResult:
    """A goal, and what was measured."""

    goal: Goal
    verdict: Verdict
    count: int
    value: float | None
    """The percentile, of turns that are too few to have one the greatest; or the rate. None without data."""

    low: float | None
    """With `high`, encloses the true one with 95 % confidence; None for an end that so few cannot tell."""

    high: float | None

    @property
    def is_beyond(self) -> bool:
        """Whether what was measured is beyond the limit, sure or not."""
        return self.value is not None and not self.goal.at_least <= self.value <= self.goal.at_most


def goals_with(limits: Mapping[str, str], goals: Sequence[Goal] = DEFAULT_GOALS) -> tuple[Goal, ...]:
    """Return the goals with other limits.

    Args:
        limits: By goals' names: milliseconds such as `400`, or for a rate a band in percent such as `10-30`.
        goals: Those that are changed.

    Raises:
        ConfigError: there is no such goal, or the limit is none.
    """
    names = [goal.name for goal in goals]
    for name in limits:
        if name not in names:
            raise ConfigError(f"setting a goal: there is no {name}; there are {', '.join(names)}")
    return tuple(_with_limit(goal, limits[goal.name]) if goal.name in limits else goal for goal in goals)


def _with_limit(goal: Goal, limit: str) -> Goal:
    try:
        if goal.measure != CANCELLATION:
            changed = replace(goal, at_most=float(limit))
        else:
            least, most = (float(part) / 100 for part in limit.split("-"))
            changed = replace(goal, at_least=least, at_most=most)
    except ValueError as problem:
        wanted = "a band such as 10-30" if goal.measure == CANCELLATION else "milliseconds such as 400"
        raise ConfigError(f"setting the goal {goal.name}: {limit} is no limit; give {wanted}") from problem
    if not (0 <= changed.at_least < changed.at_most < math.inf):
        raise ConfigError(f"setting the goal {goal.name}: nothing can keep to {limit}")
    return changed


def judged(
    goals: Sequence[Goal], ordered_ms: Mapping[str, Sequence[float]], *, dropped: int, begun: int
) -> tuple[GoalResult, ...]:
    """Return whether each goal is kept.

    One is broken only if the sample is large enough and the whole 95 % interval is beyond the limit: two
    drafts that were both dropped say nothing yet.

    Args:
        goals: The rules.
        ordered_ms: Each measure's values, ascending.
        dropped: Drafts that were dropped.
        begun: Drafts that were begun.
    """
    return tuple(
        _rate(goal, dropped, begun) if goal.measure == CANCELLATION else _limit(goal, ordered_ms)
        for goal in goals
    )


def _limit(goal: Goal, ordered_ms: Mapping[str, Sequence[float]]) -> GoalResult:
    values = ordered_ms.get(goal.measure, ())
    if not values:
        return GoalResult(goal, Verdict.NO_DATA, 0, None, None, None)
    value = quantile(values, goal.share) if shows_quantile(len(values), goal.share) else values[-1]
    low_rank, high_rank = quantile_ranks(len(values), goal.share)
    low = None if low_rank is None else values[low_rank - 1]
    high = None if high_rank is None else values[high_rank - 1]
    return GoalResult(goal, _verdict(goal, len(values), value, low, high), len(values), value, low, high)


def _rate(goal: Goal, dropped: int, begun: int) -> GoalResult:
    # A log may begin in the middle of a call, with the end of a draft whose beginning is not in it.
    dropped = min(dropped, begun)
    interval = rate_interval(dropped, begun)
    if interval is None:
        return GoalResult(goal, Verdict.NO_DATA, 0, None, None, None)
    rate = dropped / begun
    verdict = _verdict(goal, begun, rate, interval.low, interval.high)
    return GoalResult(goal, verdict, begun, rate, interval.low, interval.high)


def _verdict(goal: Goal, count: int, value: float, low: float | None, high: float | None) -> Verdict:
    if count < goal.minimum:
        return Verdict.TOO_FEW
    if goal.at_least <= value <= goal.at_most:
        return Verdict.MET
    is_above = low is not None and low > goal.at_most
    is_below = high is not None and high < goal.at_least
    return Verdict.BROKEN if is_above or is_below else Verdict.TOO_FEW

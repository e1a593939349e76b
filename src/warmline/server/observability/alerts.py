"""Goals over the last turns: who stands how, and who is told when that changes."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import anyio
import anyio.to_thread

from warmline.core.clock import Clock
from warmline.reporting.goals import CANCELLATION, DEFAULT_GOALS, Goal, GoalResult, Verdict, goals_with
from warmline.reporting.turn import ReportedTurn
from warmline.reporting.words import goal_limit, goal_words
from warmline.server.observability.goal_states import AlertPolicy, AlertState, Standing, stepped
from warmline.server.observability.goal_window import GoalWindow
from warmline.server.observability.observer import KeptTurn
from warmline.server.settings import AlertsTable

__all__ = ["Alerts", "GoalChange", "GoalRow", "alert_goals"]

_log = logging.getLogger(__name__)

_TURN_MS: Final = 0.03
_VALUE_MS: Final = 0.0001
"""What a turn that came since, and a value that is kept, take to be judged."""

_ON_LOOP_MS: Final = 1.0
"""What takes longer is judged on a worker thread."""


@dataclass(frozen=True, slots=True)
class GoalRow:
    """How a goal stands, for people and programs."""

    name: str
    words: str
    """What it is about."""

    limit: str
    """What it asks for, in words."""

    at_least: float
    """Milliseconds; of a rate, a share. So are the next two."""

    at_most: float
    measured: float | None
    """The percentile that the goal is about, or the rate; None where no turn says anything of it."""

    is_rate: bool
    verdict: Verdict
    samples: int
    """Turns, or for a rate drafts, of the window."""

    state: AlertState
    since_unix_s: float | None
    """Since when it has been told that it is broken; None where it is not."""

    def fields(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return {
            "name": self.name,
            "words": self.words,
            "limit": self.limit,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "measured": None if self.measured is None else round(self.measured, 4),
            "unit": "share" if self.is_rate else "ms",
            "verdict": self.verdict.value,
            "samples": self.samples,
            "state": self.state.value,
            "since_unix_s": self.since_unix_s,
        }


@dataclass(frozen=True, slots=True)
class GoalChange:
    """What somebody is told of a goal."""

    event: str
    """`goal.broken`, `goal.kept_again`, or `goal.not_measured`: it was broken, and there are no turns now."""

    row: GoalRow
    at_unix_s: float
    advice: str = ""


def alert_goals(table: AlertsTable) -> tuple[Goal, ...]:
    """Return the goals with the limits and the minimum that were set.

    Raises:
        ConfigError: there is no such goal, or a limit is none.
    """
    limits = dict(each.split("=", 1) for each in table.goals)
    return tuple(replace(goal, minimum=table.minimum) for goal in goals_with(limits, DEFAULT_GOALS))


class Alerts:
    """Judges the turns of the last minutes again and again.

    What changes here: `_arrived`, with each turn; the window, the results and the standings, in `judge`.
    """

    def __init__(
        self,
        goals: Sequence[Goal],
        policy: AlertPolicy,
        clock: Clock,
        unix_now_s: Callable[[], float],
        *,
        window_s: float,
        judge_s: float,
        on_change: Callable[[GoalChange], None] | None = None,
    ) -> None:
        """Prepare.

        Args:
            goals: What is kept to.
            policy: How long what must last before it is told.
            clock: The process's.
            unix_now_s: The wall clock, in seconds since 1970.
            window_s: How long a turn counts.
            judge_s: How often they are judged.
            on_change: Told of each change beside the log, on the event loop; neither blocks nor fails.
        """
        self.on_change = on_change
        self._policy = policy
        self._clock = clock
        self._unix_now_s = unix_now_s
        self._judge_s = judge_s
        self._window = GoalWindow(goals, window_s)
        self._arrived: deque[tuple[float, ReportedTurn]] = deque()
        self._results = self._window.results()
        self._standings = {goal.name: Standing() for goal in goals}

    def take(self, kept: KeptTurn) -> None:
        """Take a turn; a `TurnSink`. It is looked at when it is judged."""
        if not kept.is_correction:
            self._arrived.append((self._clock.now_s(), kept.turn))

    async def run(self) -> None:
        """Judge until cancelled."""
        while True:
            await anyio.sleep(self._judge_s)
            await self.judge()

    async def judge(self) -> None:
        """Judge now, and tell what has changed; one at a time."""
        now_s = self._clock.now_s()
        arrived, self._arrived = self._arrived, deque()
        if len(arrived) * _TURN_MS + len(self._window) * _VALUE_MS <= _ON_LOOP_MS:
            self._results = self._judged(arrived, now_s)
        else:
            self._results = await anyio.to_thread.run_sync(self._judged, arrived, now_s)
        for result in self._results:
            self._step(result, now_s)

    def states(self) -> tuple[GoalRow, ...]:
        """Return how each goal stood when it was last judged."""
        return tuple(self._row(result) for result in self._results)

    def _judged(self, arrived: deque[tuple[float, ReportedTurn]], now_s: float) -> tuple[GoalResult, ...]:
        for at_s, turn in arrived:
            self._window.add(turn, at_s)
        self._window.forget(now_s)
        return self._window.results()

    def _step(self, result: GoalResult, now_s: float) -> None:
        name = result.goal.name
        before = self._standings[name]
        after = self._standings[name] = stepped(before, result.verdict, self._policy, now_s)
        if before.state.is_firing == after.state.is_firing:
            return
        row = self._row(result)
        # The limit in words is for people; a log's reader has the figures.
        fields = {key: value for key, value in row.fields().items() if key not in ("name", "words", "limit")}
        extra = {"goal": name, **fields}
        if after.state.is_firing:
            event = "goal.broken"
            _log.warning("goal.broken", extra=extra)
        elif result.verdict is Verdict.NO_DATA:
            event = "goal.not_measured"
            _log.info("goal.not_measured", extra=extra)
        else:
            event = "goal.kept_again"
            _log.info("goal.kept_again", extra=extra)
        if self.on_change is not None:
            self.on_change(GoalChange(event, row, round(self._unix_now_s(), 3), result.goal.advice))

    def _row(self, result: GoalResult) -> GoalRow:
        goal = result.goal
        standing = self._standings[goal.name]
        since_s = standing.told_since_s
        return GoalRow(
            name=goal.name,
            words=goal_words(goal),
            limit=goal_limit(goal),
            at_least=goal.at_least,
            at_most=goal.at_most,
            measured=result.value,
            is_rate=goal.measure == CANCELLATION,
            verdict=result.verdict,
            samples=result.count,
            state=standing.state,
            since_unix_s=None
            if since_s is None
            else round(self._unix_now_s() - (self._clock.now_s() - since_s), 3),
        )

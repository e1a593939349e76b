"""The last turns, as the few numbers that goals are judged by; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from warmline.reporting.goals import CANCELLATION, Goal, GoalResult, judged
from warmline.reporting.measures import measured_ms
from warmline.reporting.turn import ReportedTurn

__all__ = ["GoalWindow"]


class _Value(NamedTuple):
    at_s: float
    ms: float


class _Drafts(NamedTuple):
    at_s: float
    begun: int
    dropped: int


class GoalWindow:
    """What the goals ask for of every turn of the last seconds, at the most as many numbers as goals a turn.

    What changes here: the values, which come with `add` and go with `forget`.
    """

    def __init__(self, goals: Sequence[Goal], window_s: float) -> None:
        """Prepare.

        Args:
            goals: What is to be judged.
            window_s: How long a turn counts.
        """
        self.goals = tuple(goals)
        self.window_s = window_s
        self._values: dict[str, deque[_Value]] = {
            goal.measure: deque() for goal in goals if goal.measure != CANCELLATION
        }
        self._drafts: deque[_Drafts] = deque()

    def __len__(self) -> int:
        """Return how many values are kept."""
        return sum(map(len, self._values.values())) + len(self._drafts)

    def add(self, turn: ReportedTurn, at_s: float) -> None:
        """Take in a turn that was over at an instant; instants never go backwards."""
        for measure, ms in measured_ms(turn):
            if (kept := self._values.get(measure)) is not None:
                kept.append(_Value(at_s, ms))
        if turn.drafts_begun:
            self._drafts.append(_Drafts(at_s, turn.drafts_begun, turn.drafts_dropped))

    def forget(self, now_s: float) -> None:
        """Let go of what is older than the window."""
        oldest_s = now_s - self.window_s
        for values in self._values.values():
            while values and values[0].at_s < oldest_s:
                values.popleft()
        while self._drafts and self._drafts[0].at_s < oldest_s:
            self._drafts.popleft()

    def results(self) -> tuple[GoalResult, ...]:
        """Return whether each goal is kept, as `warmline report` judges it."""
        return judged(
            self.goals,
            {measure: sorted(value.ms for value in kept) for measure, kept in self._values.items()},
            dropped=sum(drafts.dropped for drafts in self._drafts),
            begun=sum(drafts.begun for drafts in self._drafts),
        )

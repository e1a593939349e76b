"""The turns of one period or configuration, folded into what a report needs of them as they come.

A million turns are kept as some fifteen numbers each, eight bytes a number, and a few whole ones to be shown.
"""

from __future__ import annotations

import heapq
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from warmline.reporting.daytime import instant_words
from warmline.reporting.measures import measured_ms
from warmline.reporting.observing import ObservationKind, observed
from warmline.reporting.turn import ReportedTurn

__all__ = ["SHOWN_TURNS", "Evidence", "Period", "Seen"]

SHOWN_TURNS: Final = 12
"""How many timelines a report shows: all, or if there are more the slowest."""

_KEPT_EVIDENCE: Final = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where something was seen."""

    text: str
    turn: int | None = None
    call: str = ""
    at: str = ""
    """The turn's origin, for people."""


@dataclass(slots=True)
class Seen:
    """One kind of observation."""

    count: int = 0
    total_ms: float = 0.0
    evidence: list[Evidence] = field(default_factory=list)
    """The first few."""


class Period:
    """Turns, folded.

    What changes here: sums, arrays and the few turns that are kept, in `add` alone; all of them only grow,
    but for the kept turns, among which a slower one takes the place of a faster.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.turns = 0
        self.answered = 0
        self.drafts_begun = 0
        self.drafts_dropped = 0
        self.first_at_s: float | None = None
        self.last_at_s: float | None = None
        self.seen: dict[ObservationKind, Seen] = defaultdict(Seen)
        self.facts: dict[str, set[str]] = defaultdict(set)
        self._values_ms: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._first: list[ReportedTurn] = []
        self._slowest: list[tuple[float, int, ReportedTurn]] = []

    def add(self, turn: ReportedTurn) -> None:
        """Take in a turn."""
        self.turns += 1
        self.answered += turn.response_ms is not None
        self.drafts_begun += turn.drafts_begun
        self.drafts_dropped += turn.drafts_dropped
        if turn.at_s is not None:
            self.first_at_s = turn.at_s if self.first_at_s is None else min(self.first_at_s, turn.at_s)
            self.last_at_s = turn.at_s if self.last_at_s is None else max(self.last_at_s, turn.at_s)
        for measure, ms in measured_ms(turn):
            self._values_ms[measure].append(ms)
        for observation in observed(turn):
            seen = self.seen[observation.kind]
            seen.count += 1
            seen.total_ms += observation.ms
            if len(seen.evidence) < _KEPT_EVIDENCE:
                evidence = Evidence(observation.text, turn.number, turn.call, instant_words(turn.at_s))
                seen.evidence.append(evidence)
        for name, value in turn.facts.items():
            self.facts[name].add(value)
        self._keep(turn)

    def ordered_ms(self) -> Mapping[str, Sequence[float]]:
        """Return each measure's values in ascending order."""
        return {measure: array("d", sorted(values)) for measure, values in self._values_ms.items()}

    @property
    def shown(self) -> tuple[ReportedTurn, ...]:
        """All turns as they came, or the slowest ones, the slowest first."""
        if self.turns <= SHOWN_TURNS:
            return tuple(self._first)
        return tuple(turn for _, _, turn in sorted(self._slowest, key=lambda kept: (-kept[0], kept[1])))

    def _keep(self, turn: ReportedTurn) -> None:
        if len(self._first) < SHOWN_TURNS:
            self._first.append(turn)
        if (response_ms := turn.response_ms) is None:
            return
        # Of turns that took as long, the first is kept; the count also keeps the heap from comparing turns.
        entry = (response_ms, -self.turns, turn)
        if len(self._slowest) < SHOWN_TURNS:
            heapq.heappush(self._slowest, entry)
        else:
            heapq.heappushpop(self._slowest, entry)

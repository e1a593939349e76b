"""What roll-ups hold of turns: counts, and the histograms of what was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from warmline.reporting.measures import measured_ms
from warmline.reporting.turn import ReportedTurn
from warmline.store.cells import Cells, cells_of, merged
from warmline.store.schema import TURN_COUNTS
from warmline.store.turn_views import FACTS
from warmline.timeline.report import TurnStatus

__all__ = ["SUMS", "Tally", "facts_id", "facts_of", "tally_of", "tally_of_all"]

_WITHOUT_REMEDY: Final = "none"

SUMS: Final = (*TURN_COUNTS, "underrun_ms")
"""What is added up of turns, by the names of columns."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Turns rolled up."""

    sums: Mapping[str, float]
    """By `SUMS`."""

    cells: Cells

    def minus_sums(self, before: Tally) -> Tally:
        """Return what another tally of the same turns lacks; what is measured of them is the same."""
        return Tally({name: self.sums[name] - before.sums[name] for name in SUMS}, merged([]))


def tally_of(turn: ReportedTurn) -> Tally:
    """Return one turn's."""
    return Tally(_sums(turn), cells_of(measured_ms(turn)))


def tally_of_all(tallies: Sequence[Tally]) -> Tally:
    """Return that of all together."""
    sums = {name: sum(tally.sums[name] for tally in tallies) for name in SUMS}
    return Tally(sums, merged([tally.cells for tally in tallies]))


def facts_of(turn: ReportedTurn) -> dict[str, str]:
    """Return the turn's values of `FACTS`."""
    regions = ", ".join(sorted({line.region for line in turn.lines if line.region}))
    known: dict[str, Any] = {"region": regions, **turn.facts}
    return {fact: known.get(fact, "") for fact in FACTS}


def facts_id(facts: Mapping[str, str]) -> int:
    """Return what stands for the values of `FACTS` in databases, wherever it is worked out."""
    told = msgspec.json.encode([facts[fact] for fact in FACTS])
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big", signed=True)


def _sums(turn: ReportedTurn) -> dict[str, float]:
    noticed = sum(setback.remedy == _WITHOUT_REMEDY for setback in turn.setbacks)
    return {
        "turns": 1,
        "asked": turn.is_asked,
        "answered": turn.response_ms is not None,
        "interrupted": turn.status is TurnStatus.INTERRUPTED,
        "failed": turn.status is TurnStatus.FAILED,
        "cold_turns": bool(turn.waits),
        "drafts_begun": turn.drafts_begun,
        "drafts_dropped": turn.drafts_dropped,
        "wasted_tokens": turn.wasted_tokens,
        "setbacks_hidden": len(turn.setbacks) - noticed,
        "setbacks_noticed": noticed,
        "underruns": turn.underruns,
        "underrun_ms": turn.underrun_ms,
    }

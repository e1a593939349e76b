"""Turns out of a plain-text log, line by line, by a pattern file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from warmline.reporting.daytime import DayClock, parse_time_s
from warmline.reporting.pattern_file import DraftStep, LinePattern, LogPattern, TurnEdge, numbers
from warmline.reporting.turn import ReportedNote, ReportedTurn, Retrieval
from warmline.timeline.contributions import origin
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

__all__ = ["ForeignLog"]

_LAST_COUNTS: Final = frozenset({Mark.RETRIEVAL_DONE, Mark.LLM_DONE, Mark.TTS_DONE, Mark.PLAYOUT_DONE})
"""Of what may happen several times in a turn: of an end the last one, of anything else the first."""

_MOST_OPEN: Final = 4_096
"""Calls whose last turn is waited for; beyond it the one that was told of longest ago is taken to be over."""

_LONGEST_TEXT: Final = 200
"""Characters of a note; a pattern that matches more than it should is not to fill the report."""


@dataclass(slots=True)
class _Open:
    """A turn that lines are still added to; instants are the log's."""

    number: int
    call: str
    is_over: bool = False
    marks_ms: dict[Mark, float] = field(default_factory=dict)
    notes: list[ReportedNote] = field(default_factory=list)
    stated_ms: list[tuple[str, float]] = field(default_factory=list)
    retrievals: list[Retrieval] = field(default_factory=list)
    passages: int | None = None
    begun: int = 0
    dropped: int = 0
    playout: PlayoutTruth | None = None

    @property
    def has_begun(self) -> bool:
        return origin(self.marks_ms) is not None

    def reported(self) -> ReportedTurn:
        noted = [note.at_ms for note in self.notes]
        zero_ms = origin(self.marks_ms)
        if zero_ms is None:
            zero_ms = min([*self.marks_ms.values(), *noted], default=0.0)
        played = Mark.AUDIO_PLAYED in self.marks_ms
        return ReportedTurn(
            number=self.number,
            call=self.call,
            at_s=zero_ms / 1000,
            marks_ms={mark: round(at_ms - zero_ms, 3) for mark, at_ms in self.marks_ms.items()},
            status=TurnStatus.COMPLETED if played else None,
            playout=self.playout,
            notes=tuple(replace(note, at_ms=round(note.at_ms - zero_ms, 3)) for note in self.notes),
            stated_ms=tuple(self.stated_ms),
            retrievals=tuple(
                Retrieval(round(each.ended_ms - zero_ms, 3), each.took_ms) for each in self.retrievals
            ),
            passages=self.passages,
            drafts_begun=self.begun,
            drafts_dropped=self.dropped,
        )


class ForeignLog:
    """Reads one file.

    What changes here: the clock and the turns that are open, one a call, in `feed` and `finish` alone.

    A line belongs to its call's turn; where the log names no calls, all of it is one. A turn begins with the
    line that says so and takes in what was written between it and the turn before: a draft may be begun
    before the user is done. It is over when the next one begins. Notes and stated spans that come after its
    end still belong to it, since systems tell a turn's figures when it is over.
    """

    def __init__(self, pattern: LogPattern) -> None:
        self._pattern = pattern
        self._clock = DayClock()
        self._open: dict[str, _Open] = {}

    def feed(self, line: str) -> tuple[bool, list[ReportedTurn]]:
        """Take a line; return whether it was understood, and the turns that are complete by it."""
        stamp = self._pattern.time.match(line)
        if stamp is None:
            return False, []
        try:
            at_s = self._clock.instant_s(parse_time_s(stamp["time"]), stamp.groupdict().get("date"))
        except ValueError:
            return False, []
        message = line[stamp.end() :]
        for kind in self._pattern.lines:
            found = kind.expression.search(message)
            if found is not None:
                return True, self._take(kind, found, at_s * 1000)
        return False, []

    def finish(self) -> Iterator[ReportedTurn]:
        """Yield the turns that were still open when the log ended."""
        for open_turn in self._open.values():
            yield open_turn.reported()
        self._open.clear()

    def _take(self, kind: LinePattern, found: re.Match[str], at_ms: float) -> list[ReportedTurn]:
        if not kind.is_of_a_turn:
            return []
        values = numbers(found)
        call = found.groupdict().get("call") or ""
        turn = self._open.pop(call, None)
        complete = []
        if turn is not None and _is_next(kind, turn):
            complete, turn = [turn.reported()], _Open(turn.number + 1, call)
        turn = turn or _Open(1, call)
        # The call that was told of last stands last.
        self._open[call] = turn
        if len(self._open) > _MOST_OPEN:
            complete.append(self._open.pop(next(iter(self._open))).reported())
        if kind.turn is TurnEdge.BEGINS and "turn" in values:
            turn.number = int(values["turn"])
        _add(turn, kind, found, at_ms, values)
        return complete


def _is_next(kind: LinePattern, turn: _Open) -> bool:
    """Return whether a line is the next turn's first."""
    if kind.turn is TurnEdge.BEGINS:
        return turn.has_begun
    works = bool(kind.marks) or kind.draft is not None or kind.is_retrieval
    return turn.is_over and works


def _add(
    turn: _Open, kind: LinePattern, found: re.Match[str], at_ms: float, values: dict[str, float]
) -> None:
    for mark in kind.marks:
        if mark in _LAST_COUNTS or mark not in turn.marks_ms:
            turn.marks_ms[mark] = at_ms
    is_last = not _LAST_COUNTS.isdisjoint(kind.marks)
    if kind.started is not None and "took_ms" in values and (is_last or kind.started not in turn.marks_ms):
        turn.marks_ms[kind.started] = at_ms - values["took_ms"]
    if kind.is_retrieval and "took_ms" in values:
        turn.retrievals.append(Retrieval(at_ms, values["took_ms"]))
    if "passages" in values:
        turn.passages = int(values["passages"])
    if kind.span and "span_ms" in values:
        turn.stated_ms.append((kind.span, values["span_ms"]))
    turn.begun += kind.draft is DraftStep.BEGUN
    turn.dropped += kind.draft is DraftStep.DROPPED
    turn.playout = kind.playout or turn.playout
    if kind.note:
        groups = {name: value or "" for name, value in found.groupdict().items()}
        turn.notes.append(ReportedNote(kind.note, at_ms, kind.text.format_map(groups)[:_LONGEST_TEXT]))
    turn.is_over = turn.is_over or kind.turn is TurnEdge.ENDS

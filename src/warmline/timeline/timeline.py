"""A turn's marks on one monotonic clock, kept in an order that cannot be wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from warmline.core.line_use import LineUse
from warmline.core.setback import Setback
from warmline.errors import InvalidMark
from warmline.timeline.marks import CAUSES, Mark
from warmline.timeline.notes import DraftReport, Note, NoteKind

__all__ = ["Timeline", "microseconds"]

_LISTENING: Final = (Mark.SPEECH_ENDED, Mark.SILENCE_REACHED, Mark.TRANSCRIPT_FINAL)


def microseconds(at_s: float) -> int:
    """Return an instant of the clock as the whole microseconds that timelines are kept in.

    Whole numbers, so that contributions sum to the total exactly.
    """
    return round(at_s * 1_000_000)


class Timeline:
    """The marks of one turn.

    What changes here: `_at_us`, and only in `record`, `resume_listening` and `adopt`; lines, notes and
    drafts, which only grow; the two figures, which whoever knows them sets.

    A mark is recorded once, after its causes; so the time between a mark and
    any mark that `comes_after` it can't be negative.
    """

    def __init__(self) -> None:
        self._at_us: dict[Mark, int] = {}
        self._lines: list[LineUse] = []
        self._notes: list[Note] = []
        self._drafts: list[DraftReport] = []
        self._setbacks: list[Setback] = []
        self.passages: int | None = None
        """How many the answer was given; None while nothing was looked up for it."""

        self.debounce_ms: int | None = None
        """How long a pause had to be before a draft was begun; None without drafts."""

    @property
    def marks(self) -> Mapping[Mark, int]:
        """The instants recorded so far, in microseconds of the clock."""
        return self._at_us

    @property
    def began_s(self) -> float:
        """The first instant on it, in seconds of the clock; 0 while there is none."""
        return min(self._at_us.values(), default=0) / 1_000_000

    @property
    def lines(self) -> Sequence[LineUse]:
        """The connections the turn's work was given, in that order."""
        return self._lines

    def used_line(self, use: LineUse) -> None:
        """Note a connection that the turn's work was given."""
        self._lines.append(use)

    @property
    def notes(self) -> Sequence[Note]:
        """What was decided, oldest first; of instants in microseconds of the clock."""
        return self._notes

    @property
    def drafts(self) -> Sequence[DraftReport]:
        """The drafts that are over, adopted or not."""
        return self._drafts

    def note(self, kind: NoteKind, at_s: float, text: str = "") -> None:
        """Note what was decided."""
        self._notes.append(Note(microseconds(at_s), kind, text))

    @property
    def setbacks(self) -> Sequence[Setback]:
        """What went wrong with providers, and was made good or not."""
        return self._setbacks

    def had_setback(self, setback: Setback) -> None:
        """Note what went wrong with a provider, and what was done about it."""
        self._setbacks.append(setback)

    def ended_draft(self, draft: DraftReport) -> None:
        """Note that a draft is over."""
        self._drafts.append(draft)

    def branch(self) -> Timeline:
        """Return a draft's timeline: it begins with what is known of the turn by now."""
        branch = Timeline()
        branch._at_us = dict(self._at_us)
        return branch

    def adopt(self, branch: Timeline) -> None:
        """Take over a draft's marks, lines and notes; its marks give way to the turn's own.

        Nothing of it can be earlier than its causes here: what they share is the same, or, like the
        end of speech that was found only later, no cause of anything in a draft.
        """
        self._at_us = {**branch._at_us, **self._at_us}
        self._lines += branch._lines
        self._setbacks += branch._setbacks
        self.passages = branch.passages if branch.passages is not None else self.passages
        self._notes = sorted([*self._notes, *branch._notes], key=lambda note: note.at_us)

    def __contains__(self, mark: Mark) -> bool:
        return mark in self._at_us

    def record(self, mark: Mark, at_s: float) -> None:
        """Record that `mark` happened at `at_s`, an instant of the session's clock.

        Raises:
            InvalidMark: it is there already, has none of its causes, or is earlier than one.
        """
        at_us = microseconds(at_s)
        causes = [cause for cause in CAUSES[mark] if cause in self._at_us]
        if mark in self._at_us:
            raise InvalidMark("timeline", "it is recorded already", mark.value)
        if CAUSES[mark] and not causes:
            names = " or ".join(cause.value for cause in CAUSES[mark])
            raise InvalidMark("timeline", f"{names} is not recorded", mark.value)
        late = [cause.value for cause in causes if self._at_us[cause] > at_us]
        if late:
            raise InvalidMark("timeline", f"{late[0]} is later", mark.value)
        self._at_us[mark] = at_us

    def record_once(self, mark: Mark, at_s: float) -> None:
        """Record `mark` unless it is there already; for the first of several."""
        if mark not in self._at_us:
            self.record(mark, at_s)

    def resume_listening(self) -> None:
        """Take back the end of speech: the user went on before the turn was committed.

        Raises:
            InvalidMark: the turn is committed.
        """
        if Mark.TURN_COMMITTED in self._at_us:
            raise InvalidMark("timeline", "the turn is committed", "resume listening")
        for mark in _LISTENING:
            self._at_us.pop(mark, None)

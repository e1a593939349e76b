"""A turn's figures, as the page, the terminal and the store are given them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from warmline.core.line_use import LineUse
from warmline.core.setback import Setback
from warmline.timeline.contributions import Contribution, Span, contributions, origin, spans
from warmline.timeline.marks import Mark
from warmline.timeline.notes import DraftReport, Note, Waste
from warmline.timeline.timeline import Timeline, microseconds

__all__ = ["PlayoutTruth", "TurnReport", "TurnStatus", "turn_report"]


class TurnStatus(enum.Enum):
    """How far a turn has come."""

    PLAYING = "playing"
    """The reply's first sound was played; the response time is known."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    """The user took the floor."""

    CANCELLED = "cancelled"
    """The client stopped the reply."""

    FAILED = "failed"


class PlayoutTruth(enum.Enum):
    """How it is known what was played."""

    REPORTED = "reported"
    """The far end said so."""

    RECKONED = "reckoned"
    """By the clock, from what was sent: the far end does not report."""

    TIMED_OUT = "timed_out"
    """The far end should have reported and did not; the turn completed itself."""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """One turn: what was said, how long it took and where the time went."""

    number: int
    """Counts the session's turns from 1."""

    reply_id: str
    status: TurnStatus
    user_text: str
    """What the person said or typed; personal."""

    reply_text: str
    """All that was made of the reply; personal."""

    heard_text: str
    """What the context holds of it: the part that was played; personal."""

    playout: PlayoutTruth
    response_us: int | None
    """Microseconds from the origin to the first audio played; None if none was."""

    contributions: tuple[Contribution, ...]
    """Sum to `response_us`."""

    spans: tuple[Span, ...]
    marks_us: dict[str, int]
    """Every mark by name, in microseconds from the origin."""

    lines: tuple[LineUse, ...] = ()
    """The connections it was given: `waited_s` is what it paid for them, `cost` what opening them took."""

    notes: tuple[Note, ...] = ()
    """What was decided and why, oldest first."""

    drafts: tuple[DraftReport, ...] = ()
    """The guesses that the turn was over, oldest first; the last may be the one that was right."""

    origin_s: float | None = None
    """The origin, by the session's clock; None where nothing says from when the user waited."""

    passages: int | None = None
    """How many the answer was given; None if nothing was looked up for it."""

    debounce_ms: int | None = None
    """How long a pause had to be before a draft was begun; None without drafts."""

    setbacks: tuple[Setback, ...] = ()
    """What went wrong with providers during it, oldest first; instants are of the session's clock."""

    underruns: int = 0
    """How often the sound stopped because the next was not made yet."""

    underrun_us: int = 0

    @property
    def waste(self) -> Waste:
        """What the dropped drafts cost."""
        return sum((draft.waste for draft in self.drafts), Waste())


def turn_report(
    timeline: Timeline,
    *,
    number: int,
    reply_id: str,
    status: TurnStatus,
    user_text: str,
    reply_text: str,
    heard_text: str,
    playout: PlayoutTruth,
    underruns: int = 0,
    underrun_s: float = 0.0,
) -> TurnReport:
    """Return the report of a turn as far as its timeline goes."""
    marks = timeline.marks
    zero = origin(marks)
    played = marks.get(Mark.AUDIO_PLAYED)
    return TurnReport(
        number=number,
        reply_id=reply_id,
        status=status,
        user_text=user_text,
        reply_text=reply_text,
        heard_text=heard_text,
        playout=playout,
        response_us=None if played is None or zero is None else played - zero,
        contributions=contributions(marks),
        spans=spans(marks),
        marks_us={} if zero is None else {mark.value: at - zero for mark, at in marks.items()},
        lines=tuple(timeline.lines),
        notes=tuple(replace(note, at_us=note.at_us - (zero or 0)) for note in timeline.notes),
        drafts=tuple(
            replace(draft, begun_us=draft.begun_us - (zero or 0), ended_us=draft.ended_us - (zero or 0))
            for draft in timeline.drafts
        ),
        origin_s=None if zero is None else zero / 1_000_000,
        passages=timeline.passages,
        debounce_ms=timeline.debounce_ms,
        setbacks=tuple(timeline.setbacks),
        underruns=underruns,
        underrun_us=microseconds(underrun_s),
    )

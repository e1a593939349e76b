"""What is remarkable about one turn by itself."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from warmline.reporting.turn import ReportedTurn
from warmline.timeline.notes import NoteKind
from warmline.timeline.report import PlayoutTruth, TurnStatus

__all__ = ["Observation", "ObservationKind", "observed"]


class ObservationKind(enum.Enum):
    """What was seen."""

    NEGATIVE_SPAN = "negative_span"
    """The source says that an effect came before its cause."""

    RETRIEVAL_REPEATED = "retrieval_repeated"
    """What had been looked up was looked up again."""

    PLAYOUT_UNREPORTED = "playout_unreported"
    """The far end should have said that the reply was played, and did not."""

    TURN_FAILED = "turn_failed"
    PROVIDER_FAILED = "provider_failed"
    """Nothing could be done about a provider's failure."""

    PROVIDER_REPLACED = "provider_replaced"
    """A provider failed, and the turn went on by a retry or another."""

    LINE_AWAITED = "line_awaited"
    """No connection stood ready."""

    SOUND_RAN_OUT = "sound_ran_out"
    RETRIEVAL_LATE = "retrieval_late"
    """The answer was made without passages."""

    DEBOUNCE_CHANGED = "debounce_changed"


@dataclass(frozen=True, slots=True)
class Observation:
    """One of them, and how many milliseconds it is about."""

    kind: ObservationKind
    text: str
    ms: float = 0.0


_WITHOUT_REMEDY: Final = "none"

_NOTED: Final = {
    "playout_unreported": ObservationKind.PLAYOUT_UNREPORTED,
    "retrieval_repeated": ObservationKind.RETRIEVAL_REPEATED,
    NoteKind.RETRIEVAL_LATE.value: ObservationKind.RETRIEVAL_LATE,
    NoteKind.RETRIEVAL_FAILED.value: ObservationKind.RETRIEVAL_LATE,
    NoteKind.DEBOUNCE_CHANGED.value: ObservationKind.DEBOUNCE_CHANGED,
}
"""What notes of these kinds show, be they warmline's or a pattern file's."""


def observed(turn: ReportedTurn) -> Iterator[Observation]:
    """Yield what is remarkable about a turn."""
    for name, span_ms in (*turn.stated_ms, *turn.spans_ms.items()):
        if span_ms < 0:
            yield Observation(ObservationKind.NEGATIVE_SPAN, f"{name}: {span_ms:,.0f} ms", span_ms)
    for note in turn.notes:
        if (kind := _NOTED.get(note.kind)) is not None:
            ms = _wasted_ms(turn, note.at_ms) if kind is ObservationKind.RETRIEVAL_REPEATED else 0.0
            yield Observation(kind, f"{note.text}; it took {ms:,.0f} ms" if ms else note.text, ms)
    noted = any(note.kind == "playout_unreported" for note in turn.notes)
    if turn.playout is PlayoutTruth.TIMED_OUT and not noted:
        yield Observation(ObservationKind.PLAYOUT_UNREPORTED, "playback was not reported in time")
    if turn.status is TurnStatus.FAILED:
        yield Observation(ObservationKind.TURN_FAILED, "the turn failed")
    for setback in turn.setbacks:
        is_lost = setback.remedy == _WITHOUT_REMEDY
        kind = ObservationKind.PROVIDER_FAILED if is_lost else ObservationKind.PROVIDER_REPLACED
        remedy = "" if is_lost else f"; {setback.remedy} by {setback.taken_by or setback.leg}"
        yield Observation(kind, f"{setback.role} {setback.leg}: {setback.kind}{remedy}", setback.lost_ms)
    for wait in turn.waits:
        text = f"waited {wait.waited_ms:,.0f} ms for a line to {wait.endpoint}"
        yield Observation(ObservationKind.LINE_AWAITED, text, wait.waited_ms)
    if turn.underruns:
        text = f"{turn.underruns} times, for {turn.underrun_ms:,.0f} ms"
        yield Observation(ObservationKind.SOUND_RAN_OUT, text, turn.underrun_ms)


def _wasted_ms(turn: ReportedTurn, at_ms: float) -> float:
    """Return how long the retrieval took that was begun although there was one."""
    later = (retrieval for retrieval in turn.retrievals if retrieval.ended_ms >= at_ms)
    return next((retrieval.took_ms for retrieval in later), 0.0)

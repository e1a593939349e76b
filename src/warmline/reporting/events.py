"""A turn as one line of the structured log: the encoder, and the decoder beside it.

The line is a JSON object with `event` = `turn.ended` and the fields of `LoggedTurn`, beside those that every
line has. Nothing that was said is in it; nor are a provider's own words about a failure, which may quote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

import msgspec

from warmline.reporting.turn import (
    ReportedDraft,
    ReportedLine,
    ReportedNote,
    ReportedSetback,
    ReportedTurn,
)
from warmline.timeline.marks import Mark
from warmline.timeline.notes import NoteKind
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus

__all__ = [
    "TURN_EVENT",
    "LoggedTurn",
    "decode_fields",
    "decode_turn",
    "logged_turn",
    "reported_turn",
    "turn_fields",
]

TURN_EVENT: Final = "turn.ended"
"""The event's name, logged once a turn, when the turn is over."""

_QUOTING: Final = {NoteKind.SETBACK, NoteKind.RETRIEVAL_FAILED}
"""Notes with a provider's own words."""

_MARKS: Final = {mark.value: mark for mark in Mark}
_STATUSES: Final = {status.value: status for status in TurnStatus}
_TRUTHS: Final = {truth.value: truth for truth in PlayoutTruth}


_Ms = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
"""Eleven days and a half either way; anything beyond is damage, not a turn."""

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_UnixS = Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800)]
"""Up to the end of the year 9999."""


class LoggedTurn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of a turn's line. Words and marks that a reader does not know it skips."""

    turn: int
    call: str = ""
    origin_unix_s: _UnixS | None = None
    status: str = ""
    playout: str = ""
    marks_ms: dict[str, _Ms] = msgspec.field(default_factory=dict)
    notes: tuple[ReportedNote, ...] = ()
    passages: _Count | None = None
    drafts_begun: _Count = 0
    drafts_dropped: _Count = 0
    setbacks: tuple[ReportedSetback, ...] = ()
    drafts: tuple[ReportedDraft, ...] = ()
    debounce_ms: _Count | None = None
    lines: tuple[ReportedLine, ...] = ()
    underruns: _Count = 0
    underrun_ms: _Ms = 0.0
    heard_share: _Share | None = None
    loop_lag_ms: _Ms = 0.0
    collector_ms: _Ms = 0.0
    facts: dict[str, str] = msgspec.field(default_factory=dict)


class _Event(msgspec.Struct):
    event: str = ""


_EVENT: Final = msgspec.json.Decoder(_Event)
_TURN: Final = msgspec.json.Decoder(LoggedTurn)


def logged_turn(turn: ReportedTurn) -> LoggedTurn:
    """Return a turn's line as a value; `msgspec.json.encode` writes it."""
    return LoggedTurn(
        turn=turn.number,
        call=turn.call,
        origin_unix_s=turn.at_s,
        status=turn.status.value if turn.status else "",
        playout=turn.playout.value if turn.playout else "",
        marks_ms={mark.value: at_ms for mark, at_ms in turn.marks_ms.items()},
        notes=turn.notes,
        passages=turn.passages,
        drafts_begun=turn.drafts_begun,
        drafts_dropped=turn.drafts_dropped,
        setbacks=turn.setbacks,
        drafts=turn.drafts,
        debounce_ms=turn.debounce_ms,
        lines=turn.lines,
        underruns=turn.underruns,
        underrun_ms=turn.underrun_ms,
        heard_share=turn.heard_share,
        loop_lag_ms=turn.loop_lag_ms,
        collector_ms=turn.collector_ms,
        facts=dict(turn.facts),
    )


def turn_fields(turn: ReportedTurn) -> dict[str, Any]:
    """Return what to log of a turn beside the event's name, as `extra`."""
    return cast("dict[str, Any]", msgspec.to_builtins(logged_turn(turn)))


def decode_turn(line: str) -> ReportedTurn | None:
    """Return the turn that a line tells of, or None if it tells of something else.

    Raises:
        msgspec.DecodeError: the line is no JSON object, or its fields have other types.
    """
    if _EVENT.decode(line).event != TURN_EVENT:
        return None
    return decode_fields(line)


def decode_fields(line: str | bytes) -> ReportedTurn:
    """Return the turn of a line that is known to tell of one.

    Raises:
        msgspec.DecodeError: it does not.
    """
    logged = _TURN.decode(line)
    return ReportedTurn(
        number=logged.turn,
        call=logged.call,
        at_s=logged.origin_unix_s,
        marks_ms={_MARKS[name]: at_ms for name, at_ms in logged.marks_ms.items() if name in _MARKS},
        status=_STATUSES.get(logged.status),
        playout=_TRUTHS.get(logged.playout),
        notes=logged.notes,
        passages=logged.passages,
        drafts_begun=logged.drafts_begun,
        drafts_dropped=logged.drafts_dropped,
        setbacks=logged.setbacks,
        drafts=logged.drafts,
        debounce_ms=logged.debounce_ms,
        lines=logged.lines,
        underruns=logged.underruns,
        underrun_ms=logged.underrun_ms,
        heard_share=logged.heard_share,
        loop_lag_ms=logged.loop_lag_ms,
        collector_ms=logged.collector_ms,
        facts=logged.facts,
    )


def reported_turn(
    report: TurnReport,
    *,
    call: str,
    origin_unix_s: float | None,
    facts: Mapping[str, str] | None = None,
    loop_lag_ms: float = 0.0,
    collector_ms: float = 0.0,
) -> ReportedTurn:
    """Return a turn without anything that was said in it.

    Args:
        report: The turn's.
        call: The session's or the call's id.
        origin_unix_s: When the user began to wait, in seconds since 1970.
        facts: What it was held with, such as `llm`, `tts`, `channel`.
        loop_lag_ms: The latest that the event loop was meanwhile.
        collector_ms: What the garbage collector stopped the process for meanwhile.
    """
    adopted = sum(note.kind is NoteKind.DRAFT_ADOPTED for note in report.notes)
    return ReportedTurn(
        number=report.number,
        call=call,
        at_s=origin_unix_s,
        marks_ms={Mark(name): at_us / 1000 for name, at_us in report.marks_us.items()},
        status=report.status,
        playout=report.playout,
        notes=tuple(
            ReportedNote(note.kind.value, note.at_us / 1000, "" if note.kind in _QUOTING else note.text)
            for note in report.notes
        ),
        passages=report.passages,
        drafts_begun=len(report.drafts),
        drafts_dropped=max(len(report.drafts) - adopted, 0),
        setbacks=tuple(
            ReportedSetback(
                setback.role.value,
                setback.leg,
                setback.kind.value,
                setback.remedy.value,
                setback.taken_by,
                setback.lost_s * 1000,
                None if report.origin_s is None else round((setback.at_s - report.origin_s) * 1000, 3),
            )
            for setback in report.setbacks
        ),
        drafts=tuple(
            ReportedDraft(
                draft.trigger,
                draft.outcome,
                draft.begun_us / 1000,
                draft.ended_us / 1000,
                draft.waste.prompt_tokens,
                draft.waste.tokens,
                draft.waste.characters,
            )
            for draft in report.drafts
        ),
        debounce_ms=report.debounce_ms,
        lines=tuple(
            ReportedLine(
                use.endpoint,
                round(use.waited_s * 1000, 3),
                is_cold=not use.reused,
                age_ms=round(use.age_s * 1000, 3),
                region=use.region,
            )
            for use in report.lines
        ),
        underruns=report.underruns,
        underrun_ms=report.underrun_us / 1000,
        heard_share=_heard_share(report),
        loop_lag_ms=loop_lag_ms,
        collector_ms=collector_ms,
        facts=facts or {},
    )


def _heard_share(report: TurnReport) -> float | None:
    whole = len(report.reply_text)
    return round(min(len(report.heard_text) / whole, 1.0), 4) if whole else None

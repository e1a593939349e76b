"""What happened in a turn beside its waiting, a line each: drafts, setbacks, gaps in the sound, decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmline.core.setback import ProviderRole, Remedy, Setback, SetbackKind
from warmline.timeline.marks import Mark
from warmline.timeline.notes import DraftReport, Note, Waste
from warmline.timeline.report import TurnReport
from warmline.turns.draft import DraftEvent

__all__ = ["draft_lines", "note_cells", "setback_lines", "underrun_line"]

_WENT_WRONG: Final = {
    SetbackKind.LATE: "was late",
    SetbackKind.STALLED: "stopped in the middle",
    SetbackKind.CUT: "broke off",
    SetbackKind.UNAVAILABLE: "failed",
    SetbackKind.REFUSED: "refused",
    SetbackKind.SKIPPED: "was known to be down",
    SetbackKind.SLOW: "was slow",
}

_DID: Final = {ProviderRole.STT: "listened", ProviderRole.LLM: "answered", ProviderRole.TTS: "spoke"}
"""What a provider that takes over does."""

_AGAIN: Final = {
    Remedy.RETRY: "was asked again",
    Remedy.CONTINUATION: "was asked for the rest",
    Remedy.REPLAY: "was sent the words once more",
    Remedy.HEDGE: "was asked a second time",
}
"""What was done where the same provider was asked."""

_SHORTEST_LOSS_S: Final = 0.05
_SHORTEST_HOLD_US: Final = 1_000


def draft_lines(report: TurnReport) -> list[str]:
    """Return a line for each draft, the dropped ones with their waste."""
    return [_draft_line(draft, report) for draft in report.drafts]


def setback_lines(setbacks: Sequence[Setback]) -> list[str]:
    """Return a line for each setback, oldest first as they are given."""
    lines = []
    for index, setback in enumerate(setbacks):
        lost = setback.lost_s >= _SHORTEST_LOSS_S and setback.kind is not SetbackKind.SKIPPED
        after = f" after {setback.lost_s:.1f} s" if lost else ""
        failed_too = any(
            later.role is setback.role and later.leg == setback.taken_by for later in setbacks[index + 1 :]
        )
        remedy = _remedy(setback, failed_too=failed_too)
        line = f"{setback.leg} {_WENT_WRONG[setback.kind]}{after}"
        lines.append(f"{line}; {remedy}" if remedy else line)
    return lines


def underrun_line(report: TurnReport) -> str:
    """Return how often and how long the sound ran out; empty if it did not."""
    if not report.underruns:
        return ""
    often = {1: "once", 2: "twice"}.get(report.underruns, f"{report.underruns} times")
    return f"The sound ran out {often}, for {report.underrun_us / 1000:,.0f} ms in all"


def note_cells(note: Note) -> tuple[str, str]:
    """Return when it was, from the turn's origin, and what was decided."""
    kind = note.kind.value.replace("_", " ")
    return f"{note.at_us / 1000:+,.0f} ms", f"{kind}: {note.text}" if note.text else kind


def _draft_line(draft: DraftReport, report: TurnReport) -> str:
    article = "an" if draft.trigger[:1] in "aeiou" else "a"
    if draft.outcome != DraftEvent.COMMITTED.value:
        wasted = _waste(draft.waste)
        line = f"Answer begun on {article} {draft.trigger} and dropped: {draft.outcome}"
        return f"{line}; wasted {wasted}" if wasted else line
    early_ms = (draft.ended_us - draft.begun_us) / 1000
    line = f"Answer begun {early_ms:,.0f} ms before the end of the turn, on {article} {draft.trigger}"
    made_us, sent_us = (report.marks_us.get(mark.value) for mark in (Mark.TTS_FIRST_AUDIO, Mark.AUDIO_SENT))
    if made_us is None or sent_us is None or sent_us - made_us < _SHORTEST_HOLD_US:
        return line
    return f"{line}; its sound was held for {(sent_us - made_us) / 1000:,.0f} ms"


def _waste(waste: Waste) -> str:
    tokens = waste.prompt_tokens + waste.tokens
    parts = [
        f"about {tokens:,} tokens" if tokens else "",
        f"{waste.characters:,} characters of speech" if waste.characters else "",
    ]
    return " and ".join(filter(None, parts))


def _remedy(setback: Setback, *, failed_too: bool) -> str:
    if setback.remedy is Remedy.NONE:
        return ""
    if not setback.is_fallback:
        return f"it {_AGAIN[setback.remedy]}"
    if setback.remedy is Remedy.HEDGE:
        return f"{setback.taken_by} was asked as well"
    if setback.remedy is Remedy.REPLAY:
        return f"{setback.taken_by} {_AGAIN[Remedy.REPLAY]}"
    if failed_too:
        return f"{setback.taken_by} was asked"
    took_over = "went on" if setback.remedy is Remedy.CONTINUATION else _DID[setback.role]
    return f"{setback.taken_by} {took_over}"

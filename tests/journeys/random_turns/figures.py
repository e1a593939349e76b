"""What must hold of every turn's figures, and what is counted of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from warmline.timeline.notes import NoteKind
from warmline.timeline.report import TurnReport
from warmline.turns.draft import DraftEvent


def wrong_figures(report: TurnReport) -> Iterator[str]:
    """Yield what is wrong with a turn's figures."""
    charged_us = sum(c.duration_us for c in report.contributions)
    if report.response_us is not None and charged_us != report.response_us:
        yield f"{charged_us} us charged of {report.response_us}"
    if report.response_us is not None and report.response_us < 0:
        yield f"a response of {report.response_us} us"
    for span in report.spans:
        if span.end_us < span.start_us:
            yield f"a negative span: {span}"
    if any(contribution.duration_us < 0 for contribution in report.contributions):
        yield "a negative contribution"
    at_us = [note.at_us for note in report.notes]
    if at_us != sorted(at_us):
        yield f"notes out of order: {report.notes}"
    kinds = Counter(note.kind for note in report.notes)
    ended = kinds[NoteKind.DRAFT_ADOPTED] + kinds[NoteKind.DRAFT_DROPPED]
    if not kinds[NoteKind.DRAFT_BEGUN] == ended == len(report.drafts):
        yield f"{kinds[NoteKind.DRAFT_BEGUN]} drafts, {ended} ended, {len(report.drafts)} reported"
    for draft in report.drafts:
        is_kept = draft.outcome == DraftEvent.COMMITTED.value
        spent = draft.waste.prompt_tokens + draft.waste.tokens + draft.waste.characters
        if draft.ended_us < draft.begun_us or (is_kept and spent):
            yield f"a draft's report: {draft}"
    if [draft.begun_us for draft in report.drafts] != sorted(d.begun_us for d in report.drafts):
        yield "drafts out of order"


def counted(report: TurnReport) -> Counter[str]:
    """Return what happened in a turn that is over."""
    counts = Counter({report.status.value: 1})
    counts["false interruptions"] += sum(note.kind is NoteKind.FALSE_INTERRUPTION for note in report.notes)
    counts["tools"] += sum(note.kind is NoteKind.TOOL_CALLED for note in report.notes)
    counts["setbacks"] += len(report.setbacks)
    for setback in report.setbacks:
        counts[f"setbacks, remedy: {setback.remedy.value}"] += 1
    for draft in report.drafts:
        is_kept = draft.outcome == DraftEvent.COMMITTED.value
        counts["drafts kept" if is_kept else "drafts dropped"] += 1
    return counts

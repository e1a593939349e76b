"""A kept turn in the shape of a live turn's report, as the page's waterfall takes one, and the rest of it."""

from __future__ import annotations

from typing import Any

from warmline.reporting.turn import ReportedTurn
from warmline.store.turn_views import KeptRow
from warmline.timeline.contributions import spans

__all__ = ["turn_view"]


def turn_view(row: KeptRow) -> dict[str, Any]:
    """Return a turn for the page; microseconds are from its origin, as in docs/reference/realtime.md."""
    turn, texts = row.turn, row.texts
    return {
        **_report(turn),
        "user_text": texts.user if texts else "",
        "reply_text": texts.reply if texts else "",
        "heard_text": texts.heard if texts else "",
        "texts_are_kept": texts is not None,
        "call": turn.call,
        "at_s": turn.at_s,
        "facts": dict(turn.facts),
        "passages": turn.passages,
        "debounce_ms": turn.debounce_ms,
        "heard_share": turn.heard_share,
        "loop_lag_ms": turn.loop_lag_ms,
        "collector_ms": turn.collector_ms,
    }


def _report(turn: ReportedTurn) -> dict[str, Any]:
    marks_us = {mark: round(at_ms * 1000) for mark, at_ms in turn.marks_ms.items()}
    response_ms = turn.response_ms
    return {
        "number": turn.number,
        "response_id": None,
        "status": turn.status.value if turn.status else "completed",
        "playout": turn.playout.value if turn.playout else "reckoned",
        "response_us": None if response_ms is None else round(response_ms * 1000),
        "contributions": [
            {"name": part.name, "duration_us": part.duration_us} for part in turn.contributions
        ],
        "spans": [
            {"name": span.name, "start_us": span.start_us, "end_us": span.end_us}
            for span in spans(marks_us)
            if span.end_us >= span.start_us
        ],
        "marks_us": {mark.value: at_us for mark, at_us in marks_us.items()},
        "notes": [
            {"at_us": round(note.at_ms * 1000), "kind": note.kind, "text": note.text} for note in turn.notes
        ],
        "drafts": [
            {
                "trigger": draft.trigger,
                "outcome": draft.outcome,
                "begun_us": round(draft.begun_ms * 1000),
                "ended_us": round(draft.ended_ms * 1000),
                "waste": {
                    "prompt_tokens": draft.prompt_tokens,
                    "tokens": draft.tokens,
                    "characters": draft.characters,
                },
            }
            for draft in turn.drafts
        ],
        "setbacks": [
            {
                "role": setback.role,
                "leg": setback.leg,
                "kind": setback.kind,
                "remedy": setback.remedy,
                "taken_by": setback.taken_by,
                "lost_s": setback.lost_ms / 1000,
                # A provider's own words are not kept.
                "detail": "",
            }
            for setback in turn.setbacks
        ],
        "lines": [
            {
                "endpoint": line.endpoint,
                "line_id": "",
                "reused": not line.is_cold,
                "age_s": line.age_ms / 1000,
                "waited_s": line.waited_ms / 1000,
                "region": line.region,
                # What opening one took is not kept.
                "cost": {"dns_s": 0.0, "tcp_s": 0.0, "tls_s": 0.0, "upgrade_s": 0.0},
            }
            for line in turn.lines
        ],
        "underruns": turn.underruns,
        "underrun_us": round(turn.underrun_ms * 1000),
    }

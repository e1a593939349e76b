"""A report as JSON, for programs; durations in milliseconds."""

from __future__ import annotations

from typing import Any

import msgspec

from warmline.reporting.report import QUANTILES, Report
from warmline.reporting.turn import ReportedTurn

__all__ = ["json_report"]


def json_report(report: Report) -> str:
    """Return the report as one object: the fields of `Report`, and what its timelines add up to."""
    told: dict[str, Any] = msgspec.to_builtins(report)
    told["is_kept"] = report.is_kept
    told["quantiles"] = QUANTILES
    for shown, turn in zip(told["timelines"], report.timelines, strict=True):
        shown |= _worked_out(turn)
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"


def _worked_out(turn: ReportedTurn) -> dict[str, Any]:
    return {
        "response_ms": turn.response_ms,
        "contributions_ms": {part.name: part.duration_us / 1000 for part in turn.contributions},
        "spans_ms": dict(turn.spans_ms),
    }

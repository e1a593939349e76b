"""What a check found."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Finding", "Outcome", "Status", "verdict"]


class Status(enum.Enum):
    """How a check went."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check measured; it passed if there is no problem."""

    figures: Mapping[str, float]
    """By names that end in their units: `dns_ms`, `saved_percent`, `audio_bytes`."""

    problem: str = ""
    """What is wrong, and what to do about it."""

    note: str = ""
    """What is worth a look although the check passed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one service."""

    check: str
    role: str
    """`llm`, `tts` or `stt`."""

    service: str
    """Its table in the settings, such as `openai`; `none` where the role has no service."""

    status: Status
    figures: Mapping[str, float] = field(default_factory=dict)
    advice: str = ""
    """What is wrong and what to do, why it was left out, or what is worth a look."""


def verdict(findings: Sequence[Finding]) -> str:
    """Return all of it in a line: `11 passed, 1 failed`."""
    words = {Status.PASS: "passed", Status.FAIL: "failed", Status.SKIP: "skipped"}
    counts = {status: sum(each.status is status for each in findings) for status in Status}
    return ", ".join(f"{counts[status]} {words[status]}" for status in Status if counts[status])

"""What can be learnt from kept turns: values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from warmline.reporting.turn import ReportedTurn

__all__ = [
    "FACTS",
    "Cursor",
    "Filters",
    "KeptRow",
    "Order",
    "Overview",
    "Page",
    "Percentiles",
    "Point",
    "Summary",
    "TurnLine",
    "TurnTexts",
    "Window",
]

FACTS: Final = ("channel", "stt", "llm", "tts", "stt_model", "llm_model", "tts_model", "region")
"""What turns are told apart by. `region` is the hosts that a turn's connections led to, in the order of the
alphabet with a comma between them; a fact that is not known of a turn is empty."""

Filters = Mapping[str, str]
"""Some of `FACTS` and the values that turns are to have; an empty value is of those that have none."""

Order = Literal["newest", "slowest"]


@dataclass(frozen=True, slots=True)
class Window:
    """From an instant to before another, in seconds since 1970; `until_s` may be infinite."""

    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Percentiles:
    """What is known of a measure: percentiles within 0.5 %, the count and the greatest value exactly."""

    count: int
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Turns together, counted as `warmline report` does."""

    measures: Mapping[str, Percentiles] = field(default_factory=dict)
    """By the names of `reporting.measures.MEASURES`; those of which there is a value."""

    turns: int = 0
    asked: int = 0
    """Turns that somebody spoke or typed; a greeting is none."""

    answered: int = 0
    """Turns of which something was heard, greetings among them."""

    interrupted: int = 0
    failed: int = 0
    cold_turns: int = 0
    """Turns that waited for a connection."""

    drafts_begun: int = 0
    drafts_dropped: int = 0
    wasted_tokens: int = 0
    """What dropped drafts had the model read and write."""

    setbacks_hidden: int = 0
    """Failures of providers about which something was done."""

    setbacks_noticed: int = 0
    """Those without a remedy."""

    underruns: int = 0
    underrun_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """The turns from an instant on, for `Overview.resolution_s`."""

    at_s: float
    summary: Summary


@dataclass(frozen=True, slots=True)
class Overview:
    """A window's turns, by the values of the fact that they are grouped by; "" without one."""

    whole: Mapping[str, Summary]
    points: Mapping[str, Sequence[Point]]
    """In the order of time; those without a turn are left out."""

    resolution_s: float
    """How much time a point covers."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last turn of a page, behind which the next one begins."""

    value: float
    """What the page is ordered by: seconds since 1970, or milliseconds."""

    call: str
    number: int


@dataclass(frozen=True, slots=True)
class TurnLine:
    """One turn in a list."""

    call: str
    number: int
    at_s: float
    """The turn's origin, or where that is not known when the turn was over; seconds since 1970."""

    status: str
    """A `TurnStatus`'s value."""

    is_asked: bool
    response_ms: float | None
    """As the measure: None if nobody asked, or nothing was heard."""

    facts: Mapping[str, str]
    """All that are known, those of `FACTS` among them."""

    cold_lines: int = 0
    """Connections that did not stand ready."""

    drafts_begun: int = 0
    drafts_dropped: int = 0
    setbacks: int = 0
    underruns: int = 0
    heard_share: float | None = None
    """Of the reply's characters, 0 to 1; None if there was no reply."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some turns of many."""

    lines: Sequence[TurnLine]
    next: Cursor | None
    """Where the next page begins; None if this is the last."""


@dataclass(frozen=True, slots=True)
class TurnTexts:
    """What was said in a turn; personal."""

    user: str
    reply: str
    """All that was made of the reply."""

    heard: str
    """The part of it that was played."""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A turn, whole."""

    turn: ReportedTurn
    texts: TurnTexts | None
    """None if they were not kept."""

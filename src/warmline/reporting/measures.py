"""What is measured of every turn, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from warmline.reporting.turn import ReportedTurn
from warmline.timeline.contributions import MILESTONES, SPANS
from warmline.timeline.marks import Mark

__all__ = [
    "MEASURES",
    "RESPONSE",
    "RESPONSE_SIMPLE",
    "RESPONSE_WITH_RETRIEVAL",
    "SPEECH_TO_MODEL",
    "measured_ms",
    "span_measure",
    "stage_measure",
]

RESPONSE: Final = "response"
RESPONSE_SIMPLE: Final = "response_simple"
RESPONSE_WITH_RETRIEVAL: Final = "response_with_retrieval"
SPEECH_TO_MODEL: Final = "speech_to_model"

_KNOWN_OVER: Final = (
    Mark.SPEECH_ENDED,
    Mark.SILENCE_REACHED,
    Mark.TRANSCRIPT_FINAL,
    Mark.TEXT_RECEIVED,
    Mark.REPLY_REQUESTED,
    Mark.ANSWERED,
)
"""The latest of these is when it was known that the turn is over."""

_SHOWN_SPANS: Final = tuple(name for name in SPANS if name not in {"speech", "playout"})
"""How long somebody spoke says nothing about waiting."""


def stage_measure(name: str) -> str:
    """Return the measure of a stage's contribution, by its name in `MILESTONES`."""
    return f"stage.{name}"


def span_measure(name: str) -> str:
    """Return the measure of a stage's own length, by its name in `SPANS`."""
    return f"span.{name}"


MEASURES: Final = (
    RESPONSE,
    RESPONSE_SIMPLE,
    RESPONSE_WITH_RETRIEVAL,
    SPEECH_TO_MODEL,
    *(stage_measure(name) for _, name in MILESTONES),
    *(span_measure(name) for name in _SHOWN_SPANS),
)
"""All of them, in the order of reports; milliseconds."""


def measured_ms(turn: ReportedTurn) -> Iterator[tuple[str, float]]:
    """Yield what is known of a turn: the measure and its milliseconds, never negative.

    A span whose marks contradict each other is a fault of the source, and is not measured. `speech_to_model`
    is from when the turn was known to be over to when the model was asked: 0 if that was before, on a guess.
    """
    response_ms = turn.response_ms if turn.is_asked else None
    if response_ms is not None and response_ms >= 0:
        yield RESPONSE, response_ms
        yield (RESPONSE_WITH_RETRIEVAL if turn.has_retrieval else RESPONSE_SIMPLE), response_ms
        for part in turn.contributions:
            yield stage_measure(part.name), part.duration_us / 1000
    asked_ms = turn.marks_ms.get(Mark.LLM_STARTED)
    over_ms = max((turn.marks_ms[mark] for mark in _KNOWN_OVER if mark in turn.marks_ms), default=None)
    if asked_ms is not None and over_ms is not None:
        yield SPEECH_TO_MODEL, max(asked_ms - over_ms, 0.0)
    spans_ms = turn.spans_ms
    for name in _SHOWN_SPANS:
        if spans_ms.get(name, -1.0) >= 0:
            yield span_measure(name), spans_ms[name]

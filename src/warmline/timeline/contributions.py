"""Where a turn's response time went.

Two readings of one set of marks. A *span* is how long a stage itself took; stages overlap, so
spans don't sum to anything. A *contribution* is how much later the reply was because of a
stage, given what came before it; contributions sum to the response time, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from warmline.timeline.marks import Mark

__all__ = ["MILESTONES", "SPANS", "Contribution", "Span", "contributions", "origin", "spans"]

SPANS: Final[Mapping[str, tuple[Mark, Mark]]] = {
    "speech": (Mark.SPEECH_STARTED, Mark.SPEECH_ENDED),
    "endpointing": (Mark.SPEECH_ENDED, Mark.SILENCE_REACHED),
    "transcription": (Mark.SPEECH_ENDED, Mark.TRANSCRIPT_FINAL),
    "retrieval": (Mark.RETRIEVAL_STARTED, Mark.RETRIEVAL_DONE),
    "model_first_text": (Mark.LLM_STARTED, Mark.LLM_FIRST_TEXT),
    "model": (Mark.LLM_STARTED, Mark.LLM_DONE),
    "first_clause": (Mark.LLM_FIRST_TEXT, Mark.FIRST_CLAUSE),
    "voice_first_audio": (Mark.TTS_STARTED, Mark.TTS_FIRST_AUDIO),
    "voice": (Mark.TTS_STARTED, Mark.TTS_DONE),
    "delivery": (Mark.AUDIO_SENT, Mark.AUDIO_PLAYED),
    "playout": (Mark.AUDIO_PLAYED, Mark.PLAYOUT_DONE),
}
"""Each stage's first and last mark. The last comes after the first in `CAUSES` (a test walks
them all), which is why no span can be negative; there is no way to ask for any other pair."""

MILESTONES: Final[tuple[tuple[Mark, str], ...]] = (
    (Mark.SILENCE_REACHED, "endpointing"),
    (Mark.TRANSCRIPT_FINAL, "transcription"),
    (Mark.TURN_COMMITTED, "commit"),
    (Mark.RETRIEVAL_DONE, "retrieval"),
    (Mark.LLM_STARTED, "prompt"),
    (Mark.LLM_FIRST_TEXT, "model"),
    (Mark.FIRST_CLAUSE, "clause"),
    (Mark.TTS_STARTED, "dispatch"),
    (Mark.TTS_FIRST_AUDIO, "voice"),
    (Mark.AUDIO_SENT, "send"),
    (Mark.AUDIO_PLAYED, "delivery"),
)
"""What a reply has to get past on its way to the ear, in order, and the stage that holds it up."""


_ORIGINS: Final = (Mark.SPEECH_ENDED, Mark.TEXT_RECEIVED, Mark.REPLY_REQUESTED, Mark.ANSWERED)


@dataclass(frozen=True, slots=True)
class Span:
    """A stage's own time; microseconds from the turn's origin, so speech itself lies before 0."""

    name: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Contribution:
    """The microseconds by which a stage delayed the reply; never negative."""

    name: str
    duration_us: int


_InstantT = TypeVar("_InstantT", int, float)


def origin(marks: Mapping[Mark, _InstantT]) -> _InstantT | None:
    """Return the instant from which the user waits, or None if it is not known yet.

    It is the end of speech, the arrival of a typed turn, the client's request, or the moment at which a
    call was answered; the latest, where a turn has several.
    """
    return max((marks[mark] for mark in _ORIGINS if mark in marks), default=None)


def spans(marks: Mapping[Mark, int]) -> tuple[Span, ...]:
    """Return the stages that are over, in the table's order."""
    zero = origin(marks)
    if zero is None:
        return ()
    return tuple(
        Span(name, marks[first] - zero, marks[last] - zero)
        for name, (first, last) in SPANS.items()
        if first in marks and last in marks
    )


def contributions(marks: Mapping[Mark, int]) -> tuple[Contribution, ...]:
    """Return what the response time was made of; empty while nothing has been played.

    Walking the milestones in order, a stage is charged with the time by which it ended later
    than everything before it: a stage that ran beside a longer one is charged nothing. The
    charges telescope, so their sum is the response time.
    """
    zero = origin(marks)
    if zero is None or Mark.AUDIO_PLAYED not in marks:
        return ()
    charged = []
    reached = zero
    for mark, name in MILESTONES:
        if mark in marks:
            charged.append(Contribution(name, max(marks[mark] - reached, 0)))
            reached = max(reached, marks[mark])
    return tuple(charged)

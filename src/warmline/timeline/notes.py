"""What was decided during a turn and why, and what its guesses cost; pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["DraftReport", "Note", "NoteKind", "Waste"]


class NoteKind(enum.Enum):
    """What a note is about."""

    DRAFT_WAITS = "draft_waits"
    """It might be time for a draft, and is not yet, or will not be."""

    DRAFT_BEGUN = "draft_begun"
    DRAFT_ADOPTED = "draft_adopted"
    """The turn was committed with what the draft answers."""

    DRAFT_DROPPED = "draft_dropped"
    DEBOUNCE_CHANGED = "debounce_changed"
    RETRIEVAL_REUSED = "retrieval_reused"
    """The same had been asked before."""

    RETRIEVAL_LATE = "retrieval_late"
    """The answer was made without passages, since they did not come in time."""

    RETRIEVAL_FAILED = "retrieval_failed"
    FALSE_INTERRUPTION = "false_interruption"
    """Nothing was said, or nothing that asks for the floor: the reply went on where it had stopped."""

    UNDERRUN = "underrun"
    """Everything that was sent had been played, and more was to come."""

    TOOL_CALLED = "tool_called"
    SETBACK = "setback"
    """A provider failed, or was late; what was done about it."""


@dataclass(frozen=True, slots=True)
class Note:
    """One decision or event; its text holds nothing that was said."""

    at_us: int
    """Microseconds of the clock on a timeline; from the turn's origin in its report."""

    kind: NoteKind
    text: str = ""
    """For people: the reason, with its figures."""


@dataclass(frozen=True, slots=True)
class Waste:
    """What was paid for and never heard. Tokens are reckoned from the text, at four characters each."""

    prompt_tokens: int = 0
    tokens: int = 0
    """Of the model's answer."""

    characters: int = 0
    """That the voice was given."""

    def __add__(self, other: Waste) -> Waste:
        return Waste(
            self.prompt_tokens + other.prompt_tokens,
            self.tokens + other.tokens,
            self.characters + other.characters,
        )


@dataclass(frozen=True, slots=True)
class DraftReport:
    """One guess that the turn was over."""

    trigger: str
    """What it was begun on."""

    outcome: str
    """How it ended, by the name of the event in `turns.draft`."""

    begun_us: int
    """Microseconds of the clock on a timeline; from the turn's origin in its report."""

    ended_us: int
    waste: Waste = Waste()
    """Nothing, if it was adopted."""

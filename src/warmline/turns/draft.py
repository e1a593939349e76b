"""The life of a draft: a reply that is begun on the guess that the turn is over.

Every way a draft can go on is a row of `TRANSITIONS`, as with the floor. A draft that is dropped
or failed is never heard, and leaves nothing in the context.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from warmline.errors import InvalidTransition

__all__ = ["TRANSITIONS", "DraftEvent", "DraftState", "next_draft_state", "to_mermaid"]


class DraftState(enum.Enum):
    """How far a draft has come."""

    MAKING = "making"
    """Passages, the model's text, the first clause's sound: nothing could be played yet."""

    HELD = "held"
    """There is sound, and it waits for the turn to be committed."""

    ADOPTED = "adopted"
    """It is the turn's reply."""

    DROPPED = "dropped"
    """It is cancelled, and what it cost is waste."""


class DraftEvent(enum.Enum):
    """What can happen to a draft; its value says why, for people."""

    AUDIO_MADE = "its first sound is there"
    COMMITTED = "the turn was committed, and it fits"
    COMMITTED_OTHERWISE = "the turn was committed with other words"
    USER_WENT_ON = "the user went on"
    WORDS_CHANGED = "the words were recognised otherwise"
    TURN_GIVEN_UP = "the turn was given up"
    """Its words were forgotten, typed over, or not to be answered."""

    PROVIDER_FAILED = "a provider failed"
    SESSION_ENDED = "the session ended"


_DROPPING: Final = (
    DraftEvent.COMMITTED_OTHERWISE,
    DraftEvent.USER_WENT_ON,
    DraftEvent.WORDS_CHANGED,
    DraftEvent.TURN_GIVEN_UP,
    DraftEvent.PROVIDER_FAILED,
    DraftEvent.SESSION_ENDED,
)

TRANSITIONS: Final[Mapping[tuple[DraftState, DraftEvent], DraftState]] = {
    (DraftState.MAKING, DraftEvent.AUDIO_MADE): DraftState.HELD,
    (DraftState.MAKING, DraftEvent.COMMITTED): DraftState.ADOPTED,
    (DraftState.HELD, DraftEvent.COMMITTED): DraftState.ADOPTED,
    **{
        (state, event): DraftState.DROPPED
        for state in (DraftState.MAKING, DraftState.HELD)
        for event in _DROPPING
    },
}


def next_draft_state(state: DraftState, event: DraftEvent) -> DraftState:
    """Return how a draft goes on after `event`.

    Raises:
        InvalidTransition: `event` cannot happen in `state`.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidTransition("draft", state.value, event.value) from None


def to_mermaid() -> str:
    """Return the table as a Mermaid state diagram; docs/concepts/turns.md shows it."""
    lines = ["stateDiagram-v2", f"    [*] --> {DraftState.MAKING.value}"]
    lines += [
        f"    {before.value} --> {after.value}: {event.value}"
        for (before, event), after in TRANSITIONS.items()
        if after is not DraftState.DROPPED
    ]
    why = "<br>".join(event.value for event in _DROPPING)
    lines += [
        f"    {before.value} --> {DraftState.DROPPED.value}: {why}"
        for before in (DraftState.MAKING, DraftState.HELD)
    ]
    return "\n".join(lines) + "\n"

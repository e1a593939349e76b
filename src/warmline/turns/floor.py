"""Who has the floor.

Every way the floor can change hands is a row of `TRANSITIONS`. Nothing here awaits, reads a
clock or touches a socket: the session feeds events in and carries out what follows.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from warmline.errors import InvalidTransition

__all__ = ["TRANSITIONS", "Floor", "FloorEvent", "next_floor", "to_mermaid"]


class Floor(enum.Enum):
    """Who has the floor, and how firmly."""

    OPEN = "open"
    """Nobody is speaking."""

    USER = "user"
    """The user is speaking."""

    ENDPOINTING = "endpointing"
    """The user fell silent; whether the turn is over is being decided."""

    THINKING = "thinking"
    """The user's turn is over; no sound of the reply has been played yet."""

    AGENT = "agent"
    """The reply is being played."""

    CLOSED = "closed"
    """The session is over."""


class FloorEvent(enum.Enum):
    """What can move the floor."""

    SPEECH_STARTED = "speech started"
    """Voice activity was detected."""

    SPEECH_STOPPED = "speech stopped"
    """Voice activity ended, perhaps only for a breath."""

    TURN_COMMITTED = "turn committed"
    """The user's spoken turn is over and will be answered."""

    TURN_KEPT = "turn kept"
    """The spoken turn is over: it was empty, or no answer to it was asked for."""

    TEXT_RECEIVED = "text received"
    """The user typed a turn, which will be answered."""

    REPLY_REQUESTED = "reply requested"
    """The client asked for a reply without a new turn."""

    PLAYBACK_STARTED = "playback started"
    """The first sound of the reply reached the user."""

    REPLY_FINISHED = "reply finished"
    """The reply was played out, was silent, failed or was cancelled."""

    REPLY_RESUMED = "reply resumed"
    """What seemed to interrupt the reply asked for nothing: it goes on."""

    THINKING_RESUMED = "thinking resumed"
    """The same before the reply's first sound."""

    SESSION_ENDED = "session ended"
    """Somebody hung up, or time ran out."""


_LIVE: Final = tuple(floor for floor in Floor if floor is not Floor.CLOSED)

TRANSITIONS: Final[Mapping[tuple[Floor, FloorEvent], Floor]] = {
    (Floor.OPEN, FloorEvent.SPEECH_STARTED): Floor.USER,
    (Floor.OPEN, FloorEvent.REPLY_REQUESTED): Floor.THINKING,
    (Floor.USER, FloorEvent.SPEECH_STOPPED): Floor.ENDPOINTING,
    (Floor.ENDPOINTING, FloorEvent.SPEECH_STARTED): Floor.USER,
    (Floor.ENDPOINTING, FloorEvent.TURN_COMMITTED): Floor.THINKING,
    (Floor.ENDPOINTING, FloorEvent.TURN_KEPT): Floor.OPEN,
    (Floor.THINKING, FloorEvent.PLAYBACK_STARTED): Floor.AGENT,
    (Floor.THINKING, FloorEvent.REPLY_FINISHED): Floor.OPEN,
    (Floor.AGENT, FloorEvent.REPLY_FINISHED): Floor.OPEN,
    # Barge-in: the user takes the floor before the reply is done.
    (Floor.THINKING, FloorEvent.SPEECH_STARTED): Floor.USER,
    (Floor.AGENT, FloorEvent.SPEECH_STARTED): Floor.USER,
    # What was no barge-in: a cough, or "mhm".
    (Floor.USER, FloorEvent.REPLY_RESUMED): Floor.AGENT,
    (Floor.USER, FloorEvent.THINKING_RESUMED): Floor.THINKING,
    (Floor.ENDPOINTING, FloorEvent.REPLY_RESUMED): Floor.AGENT,
    (Floor.ENDPOINTING, FloorEvent.THINKING_RESUMED): Floor.THINKING,
    # A typed turn takes the floor from anybody.
    (Floor.OPEN, FloorEvent.TEXT_RECEIVED): Floor.THINKING,
    (Floor.USER, FloorEvent.TEXT_RECEIVED): Floor.THINKING,
    (Floor.ENDPOINTING, FloorEvent.TEXT_RECEIVED): Floor.THINKING,
    (Floor.THINKING, FloorEvent.TEXT_RECEIVED): Floor.THINKING,
    (Floor.AGENT, FloorEvent.TEXT_RECEIVED): Floor.THINKING,
    **{(floor, FloorEvent.SESSION_ENDED): Floor.CLOSED for floor in _LIVE},
}


def next_floor(floor: Floor, event: FloorEvent) -> Floor:
    """Return who has the floor after `event`.

    Raises:
        InvalidTransition: `event` cannot happen while `floor` holds.
    """
    try:
        return TRANSITIONS[floor, event]
    except KeyError:
        raise InvalidTransition("floor", floor.value, event.value) from None


def to_mermaid() -> str:
    """Return the table as the Mermaid state diagram that ARCHITECTURE.md shows."""
    lines = ["stateDiagram-v2", f"    [*] --> {Floor.OPEN.value}"]
    lines += [
        f"    {before.value} --> {after.value}: {event.value}"
        for (before, event), after in TRANSITIONS.items()
        if after is not Floor.CLOSED
    ]
    lines.append(f"    note right of {Floor.OPEN.value}: whatever the floor, the session's end closes it")
    return "\n".join(lines) + "\n"

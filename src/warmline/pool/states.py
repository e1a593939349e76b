"""The life of one line, as a table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from warmline.errors import InvalidTransition

__all__ = ["TRANSITIONS", "LineEvent", "LineState", "next_state"]


class LineState(enum.Enum):
    """What a line is good for now."""

    OPENING = "opening"
    """Address, connection, TLS and upgrade are under way."""

    IDLE = "idle"
    """Open and free."""

    LEASED = "leased"
    """At least one piece of work holds it."""

    DRAINING = "draining"
    """Being closed, or to be closed when its last lease ends; nobody else gets it."""

    CLOSED = "closed"
    """Gone."""


class LineEvent(enum.Enum):
    """What can happen to a line."""

    OPENED = "opened"
    OPEN_FAILED = "open_failed"
    LEASED = "leased"
    RETURNED = "returned"
    """Its last lease ended, and it can be used again."""

    RETIRED = "retired"
    """It is not to be used again: too old, left in the middle of an answer, or not wanted."""

    LOST = "lost"
    """The far end dropped it."""

    CLOSED = "closed"
    """We closed it."""


TRANSITIONS: Final[Mapping[tuple[LineState, LineEvent], LineState]] = {
    (LineState.OPENING, LineEvent.OPENED): LineState.IDLE,
    (LineState.OPENING, LineEvent.OPEN_FAILED): LineState.CLOSED,
    (LineState.IDLE, LineEvent.LEASED): LineState.LEASED,
    (LineState.IDLE, LineEvent.RETIRED): LineState.DRAINING,
    (LineState.IDLE, LineEvent.LOST): LineState.CLOSED,
    # A line that carries several requests at once is leased again while it is leased.
    (LineState.LEASED, LineEvent.LEASED): LineState.LEASED,
    (LineState.LEASED, LineEvent.RETURNED): LineState.IDLE,
    (LineState.LEASED, LineEvent.RETIRED): LineState.DRAINING,
    (LineState.LEASED, LineEvent.LOST): LineState.CLOSED,
    (LineState.DRAINING, LineEvent.LOST): LineState.CLOSED,
    (LineState.DRAINING, LineEvent.CLOSED): LineState.CLOSED,
}


def next_state(state: LineState, event: LineEvent) -> LineState:
    """Return the line's state after `event`.

    Raises:
        InvalidTransition: `event` cannot happen in `state`.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidTransition("line", state.value, event.value) from None

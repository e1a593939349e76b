"""How far a call has come."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from warmline.errors import InvalidTransition

__all__ = ["CallEvent", "CallState", "next_state"]


class CallState(enum.Enum):
    """What may happen to a call next."""

    RINGING = "ringing"
    """Nobody has answered yet."""

    ANSWERED = "answered"
    """Both sides are on the line."""

    ENDED = "ended"
    """It is over; nothing more can happen to it."""


class CallEvent(enum.Enum):
    """What happens to a call."""

    ANSWERED = "answered"
    """One side took it."""

    HUNG_UP = "hung_up"
    """Either side, or the network, ended it."""


_TRANSITIONS: Final[Mapping[tuple[CallState, CallEvent], CallState]] = {
    (CallState.RINGING, CallEvent.ANSWERED): CallState.ANSWERED,
    (CallState.RINGING, CallEvent.HUNG_UP): CallState.ENDED,
    (CallState.ANSWERED, CallEvent.HUNG_UP): CallState.ENDED,
}


def next_state(state: CallState, event: CallEvent) -> CallState:
    """Return how far a call has come after an event.

    Raises:
        InvalidTransition: it can't happen to a call that has come so far.
    """
    try:
        return _TRANSITIONS[state, event]
    except KeyError:
        raise InvalidTransition("call", state.value, event.value) from None

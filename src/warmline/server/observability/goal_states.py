"""When somebody is told that a goal is broken, and when that it is kept again. Decisions only; no clock."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmline.errors import InvalidTransition
from warmline.reporting.goals import Verdict

__all__ = ["TRANSITIONS", "AlertEvent", "AlertPolicy", "AlertState", "Standing", "next_state", "stepped"]


class AlertState(enum.Enum):
    """How a goal stands."""

    QUIET = "quiet"
    """Nothing is wrong, or it cannot be told."""

    PENDING = "pending"
    """It is broken, and has not been for long enough."""

    FIRING = "firing"
    """It is broken, and that was told."""

    SETTLING = "settling"
    """It was told that it is broken; it is kept again, and has not been for long enough."""

    @property
    def is_firing(self) -> bool:
        """Whether it was told that the goal is broken, and not yet that it is kept again."""
        return self in (AlertState.FIRING, AlertState.SETTLING)


class AlertEvent(enum.Enum):
    """What a judgement, or time, has to say of a goal."""

    BROKEN = "broken"
    """Surely beyond its limit."""

    KEPT = "kept"
    UNSURE = "unsure"
    """Beyond its limit within chance, or of too few turns."""

    EMPTY = "empty"
    """No turn of a whole window says anything of it."""

    CONFIRMED = "confirmed"
    """It has been broken for long enough."""

    SETTLED = "settled"
    """It has been kept for long enough."""


_OF_VERDICT: Final = {
    Verdict.BROKEN: AlertEvent.BROKEN,
    Verdict.MET: AlertEvent.KEPT,
    Verdict.TOO_FEW: AlertEvent.UNSURE,
    Verdict.NO_DATA: AlertEvent.EMPTY,
}

_QUIET, _PENDING, _FIRING, _SETTLING = AlertState

TRANSITIONS: Final[Mapping[tuple[AlertState, AlertEvent], AlertState]] = {
    (_QUIET, AlertEvent.BROKEN): _PENDING,
    (_QUIET, AlertEvent.KEPT): _QUIET,
    (_QUIET, AlertEvent.UNSURE): _QUIET,
    (_QUIET, AlertEvent.EMPTY): _QUIET,
    (_PENDING, AlertEvent.BROKEN): _PENDING,
    (_PENDING, AlertEvent.KEPT): _QUIET,
    (_PENDING, AlertEvent.UNSURE): _QUIET,
    (_PENDING, AlertEvent.EMPTY): _QUIET,
    (_PENDING, AlertEvent.CONFIRMED): _FIRING,
    (_FIRING, AlertEvent.BROKEN): _FIRING,
    (_FIRING, AlertEvent.KEPT): _SETTLING,
    # Fewer turns than before are no better ones.
    (_FIRING, AlertEvent.UNSURE): _FIRING,
    # A whole window without a turn: what was broken is no longer known of.
    (_FIRING, AlertEvent.EMPTY): _QUIET,
    (_SETTLING, AlertEvent.BROKEN): _FIRING,
    (_SETTLING, AlertEvent.KEPT): _SETTLING,
    (_SETTLING, AlertEvent.UNSURE): _FIRING,
    (_SETTLING, AlertEvent.EMPTY): _QUIET,
    (_SETTLING, AlertEvent.SETTLED): _QUIET,
}


def next_state(state: AlertState, event: AlertEvent) -> AlertState:
    """Return the goal's state after `event`.

    Raises:
        InvalidTransition: `event` cannot happen in `state`.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidTransition("alert", state.value, event.value) from None


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """How long a goal must be broken, and how long kept again, before that is told; in seconds."""

    confirm_s: float = 30.0
    settle_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A goal's state, and since when; instants are of one clock."""

    state: AlertState = AlertState.QUIET
    since_s: float = 0.0
    """When it came into this state."""

    told_since_s: float | None = None
    """When it was told that the goal is broken, while it `is_firing`."""


def stepped(before: Standing, verdict: Verdict, policy: AlertPolicy, now_s: float) -> Standing:
    """Return how a goal stands after a judgement.

    Args:
        before: How it stood.
        verdict: The judgement's.
        policy: How long what must last.
        now_s: The judgement's instant.
    """
    after = _moved(before, _OF_VERDICT[verdict], now_s)
    lasted_s = now_s - after.since_s
    if after.state is AlertState.PENDING and lasted_s >= policy.confirm_s:
        return _moved(after, AlertEvent.CONFIRMED, now_s)
    if after.state is AlertState.SETTLING and lasted_s >= policy.settle_s:
        return _moved(after, AlertEvent.SETTLED, now_s)
    return after


def _moved(before: Standing, event: AlertEvent, now_s: float) -> Standing:
    state = next_state(before.state, event)
    if state is before.state:
        return before
    told_since_s = None
    if state.is_firing:
        told_since_s = before.told_since_s if before.state.is_firing else now_s
    return Standing(state, now_s, told_since_s)

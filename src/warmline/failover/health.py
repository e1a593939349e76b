"""Which legs work, as all sessions of the process have seen it. Decisions only; no I/O, no clock."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmline.core.setback import ProviderRole
from warmline.errors import InvalidTransition

__all__ = ["TRANSITIONS", "Choice", "Health", "LegEvent", "LegKey", "LegState", "next_leg", "next_state"]

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 60.0


class LegState(enum.Enum):
    """How far a leg is to be trusted."""

    HEALTHY = "healthy"
    """It works."""

    SUSPECT = "suspect"
    """It is asked first all the same, but one more miss is enough."""

    DOWN = "down"
    """It is not asked while another is up."""

    PROBING = "probing"
    """The same, and it is being found out whether it works again."""


class LegEvent(enum.Enum):
    """What can be learned of a leg."""

    SUCCEEDED = "succeeded"
    """It did some work."""

    MISSED = "missed"
    """One attempt was late, stalled, was dropped or failed; another line may do better."""

    REFUSED = "refused"
    """It will not do this for us, however often it is asked."""

    PROBE_BEGAN = "probe_began"
    PROBE_SUCCEEDED = "probe_succeeded"
    PROBE_FAILED = "probe_failed"
    PROBE_ABANDONED = "probe_abandoned"
    """It was ended before it told anything."""


_ENDS: Final = (LegEvent.PROBE_SUCCEEDED, LegEvent.PROBE_FAILED, LegEvent.PROBE_ABANDONED)

TRANSITIONS: Final[Mapping[tuple[LegState, LegEvent], LegState]] = {
    **{(state, LegEvent.SUCCEEDED): LegState.HEALTHY for state in LegState},
    (LegState.HEALTHY, LegEvent.MISSED): LegState.SUSPECT,
    (LegState.HEALTHY, LegEvent.REFUSED): LegState.DOWN,
    (LegState.SUSPECT, LegEvent.MISSED): LegState.DOWN,
    (LegState.SUSPECT, LegEvent.REFUSED): LegState.DOWN,
    (LegState.DOWN, LegEvent.MISSED): LegState.DOWN,
    (LegState.DOWN, LegEvent.REFUSED): LegState.DOWN,
    (LegState.DOWN, LegEvent.PROBE_BEGAN): LegState.PROBING,
    # What failed now had been begun before; the probe is fresher.
    (LegState.PROBING, LegEvent.MISSED): LegState.PROBING,
    (LegState.PROBING, LegEvent.REFUSED): LegState.PROBING,
    # The free request of a probe is not the work itself.
    (LegState.PROBING, LegEvent.PROBE_SUCCEEDED): LegState.SUSPECT,
    (LegState.PROBING, LegEvent.PROBE_FAILED): LegState.DOWN,
    (LegState.PROBING, LegEvent.PROBE_ABANDONED): LegState.DOWN,
    # A probe may end when work has decided already.
    **{(LegState.HEALTHY, event): LegState.HEALTHY for event in _ENDS},
    **{(LegState.SUSPECT, event): LegState.SUSPECT for event in _ENDS},
    **{(LegState.DOWN, event): LegState.DOWN for event in _ENDS},
}


def next_state(state: LegState, event: LegEvent) -> LegState:
    """Return the leg's state after `event`.

    Raises:
        InvalidTransition: `event` cannot happen in `state`.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise InvalidTransition("leg", state.value, event.value) from None


def next_leg(
    order: Sequence[str], *, asked: Sequence[str], refused: frozenset[str], tries: int
) -> str | None:
    """Return who is asked next: each leg as often as may be, in the order; None if there is nobody.

    Args:
        order: The first choice first.
        asked: Whom the same work was asked of already.
        refused: Who will not do it.
        tries: How often one leg is asked.
    """
    for leg in order:
        if leg not in refused and asked.count(leg) < tries:
            return leg
    return None


LegKey = tuple[ProviderRole, str]
"""A leg's role and name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom to ask."""

    order: tuple[str, ...]
    """All of them, the first choice first."""

    trial: str = ""
    """One to be tried beside the first choice, since it may work again; mostly none."""


@dataclass(slots=True)
class _Record:
    state: LegState = LegState.HEALTHY
    failures: int = 0
    """Times that it went down or stayed there, since it last did any work."""

    due_at_s: float = 0.0
    """When it may be probed, if it is down."""


class Health:
    """The state of each leg.

    A leg that is down is probed after a pause, which doubles with each failure from 0.5 s to 60 s,
    until it does some work. Whoever has probes `watch`es the legs they are for. A leg that nobody
    watches is tried beside a user's turn, which another leg serves; where no other is up, the turn
    itself has to ask it.

    What changes here: the records, in `note`; `_watched`, at the start.
    """

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = _nothing
        """Called when a leg's state has changed."""

        self._records: dict[LegKey, _Record] = {}
        self._watched: set[LegKey] = set()

    def state(self, role: ProviderRole, leg: str) -> LegState:
        """Return the leg's state; one that nothing is known of is healthy."""
        record = self._records.get((role, leg))
        return record.state if record is not None else LegState.HEALTHY

    def is_up(self, role: ProviderRole, leg: str) -> bool:
        """Whether it may be the first choice."""
        return self.state(role, leg) in (LegState.HEALTHY, LegState.SUSPECT)

    def watch(self, keys: Sequence[LegKey]) -> None:
        """Leave these legs to probes alone."""
        self._watched.update(keys)

    def unwatch(self, keys: Sequence[LegKey]) -> None:
        """Take that back."""
        self._watched.difference_update(keys)

    def choice(self, role: ProviderRole, legs: Sequence[str], now_s: float) -> Choice:
        """Return whom to ask: those that are up in the operator's order, then those that are down.

        Args:
            role: What for.
            legs: The operator's order.
            now_s: The instant.
        """
        up = [leg for leg in legs if self.is_up(role, leg)]
        down = [leg for leg in legs if leg not in up]
        trial = ""
        if up:
            preferred = legs[: legs.index(up[0])]
            trial = next((leg for leg in preferred if self._may_try((role, leg), now_s)), "")
        return Choice((*up, *down), trial)

    def due_in_s(self, key: LegKey, now_s: float) -> float | None:
        """Return how long until the leg may be probed; None if it needs no probe."""
        record = self._records.get(key)
        if record is None or record.state is not LegState.DOWN:
            return None
        return max(record.due_at_s - now_s, 0.0)

    def note(self, role: ProviderRole, leg: str, event: LegEvent, now_s: float) -> None:
        """Take an event into account.

        Raises:
            InvalidTransition: it cannot happen now; a bug of ours.
        """
        record = self._records.setdefault((role, leg), _Record())
        before, record.state = record.state, next_state(record.state, event)
        if event is LegEvent.SUCCEEDED:
            record.failures = 0
        elif event is not LegEvent.PROBE_ABANDONED and before is not record.state is LegState.DOWN:
            record.failures += 1
            pause_s = _FIRST_PAUSE_S * 2.0 ** min(record.failures - 1, 16)
            record.due_at_s = now_s + min(pause_s, _LONGEST_PAUSE_S)
        if before is not record.state:
            level = logging.WARNING if record.state is LegState.DOWN else logging.INFO
            _log.log(level, "leg.moved", extra={"role": role.value, "leg": leg, "state": record.state.value})
            self.on_change()

    def _may_try(self, key: LegKey, now_s: float) -> bool:
        return key not in self._watched and self.due_in_s(key, now_s) == 0.0


def _nothing() -> None:
    return

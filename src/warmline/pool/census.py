"""Which endpoints there are, and what their lines do: for whoever watches the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from warmline.pool.states import LineState

__all__ = ["Census", "EndpointLines", "PoolLines"]


@dataclass(frozen=True, slots=True)
class PoolLines:
    """The lines to one base URL at one moment."""

    states: Mapping[LineState, int]
    """How many are in each state; a state without any may be missing."""

    warm_target: int
    """How many are to stand ready beyond those in use; 0 where none need to."""

    is_broken: bool
    """It has kept failing, and is not asked for now."""


@dataclass(frozen=True, slots=True)
class EndpointLines:
    """One endpoint's lines at one moment; more than one endpoint may have the same name."""

    name: str
    pools: tuple[PoolLines, ...]

    @property
    def is_ready(self) -> bool:
        """Whether a line is open, of those that are to stand ready; or none has to."""
        wanted = [pool for pool in self.pools if pool.warm_target]
        return not wanted or any(not pool.is_broken and _open(pool.states) for pool in wanted)

    @property
    def states(self) -> Counter[LineState]:
        """The lines of all its base URLs."""
        total: Counter[LineState] = Counter()
        for pool in self.pools:
            total.update(pool.states)
        return total


class Census:
    """The endpoints of a process, while they are open.

    What changes here: `_looks`, when one is opened or closed.
    """

    def __init__(self) -> None:
        self._looks: dict[object, Callable[[], EndpointLines]] = {}

    def opened(self, endpoint: object, look: Callable[[], EndpointLines]) -> None:
        """Count an endpoint, by asking it."""
        self._looks[endpoint] = look

    def closed(self, endpoint: object) -> None:
        """Count it no more."""
        self._looks.pop(endpoint, None)

    def endpoints(self) -> tuple[EndpointLines, ...]:
        """Return what each endpoint's lines do now."""
        return tuple(look() for look in self._looks.values())


def _open(states: Mapping[LineState, int]) -> int:
    return states.get(LineState.IDLE, 0) + states.get(LineState.LEASED, 0)

"""Which endpoints there are, and what their lines do: for whoever watches the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from warmline.pool.states import LineState
from warmline.pool.view import PoolView

__all__ = ["Census", "EndpointLines"]


@dataclass(frozen=True, slots=True)
class EndpointLines:
    """One endpoint's lines at one moment; more than one endpoint may have the same name."""

    name: str
    pools: tuple[PoolView, ...]
    """One for each base URL."""

    @property
    def is_ready(self) -> bool:
        """Whether a line is open, of those that are to stand ready; or none has to."""
        wanted = [pool for pool in self.pools if pool.warm_target]
        return not wanted or any(not pool.is_broken and pool.idle + pool.leased for pool in wanted)

    @property
    def states(self) -> Mapping[LineState, int]:
        """How many lines there are in each state, of all its base URLs; those that are closed are gone."""
        return {
            LineState.IDLE: sum(pool.idle for pool in self.pools),
            LineState.LEASED: sum(pool.leased for pool in self.pools),
            LineState.OPENING: sum(pool.opening for pool in self.pools),
            LineState.DRAINING: sum(pool.draining for pool in self.pools),
        }


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

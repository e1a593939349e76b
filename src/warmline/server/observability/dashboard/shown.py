"""What the dashboard shows, and where it has it from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from warmline.pool.view import PoolView
from warmline.server.observability.dashboard.answers import NotKept
from warmline.server.observability.dashboard.live import LiveCalls
from warmline.server.observability.dashboard.process import memory_bytes
from warmline.store.turn_reading import TurnReading

__all__ = ["Shown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What there is. Callables are called on the event loop, and look at what is in memory."""

    live: LiveCalls
    figures: Callable[[], Mapping[str, Any]]
    """The process's, as `/health` tells them."""

    pools: Callable[[], Sequence[PoolView]]
    drafts_band: tuple[float, float]
    """Between which shares the drafts' cancellation rate is aimed at."""

    turns: TurnReading | None = None
    """None where no turns are kept."""

    store: Callable[[], Mapping[str, Any]] | None = None
    """The store's own state: `is_on`, `kept`, `waiting`, `lost`, `problem`."""

    goals: Callable[[], Sequence[Mapping[str, Any]]] | None = None
    """A row for each goal: its `name`, `words` and `limit` for people, what was `measured` in its `unit`
    (`ms` or `share`), the `verdict`, how many `samples`, and `since_unix_s` if it is told as broken."""

    plots: Path | None = None
    """The folder with uPlot's files; None where that is not installed."""

    recordings: Callable[[str], Sequence[str]] = lambda _: ()
    """The addresses of a call's recordings, by its id."""

    def reading(self) -> TurnReading:
        """Return what reads turns.

        Raises:
            NotKept: none are kept.
        """
        if self.turns is None:
            raise NotKept("this server keeps no turns: history.keep is off, or its store can't be opened")
        return self.turns

    async def state(self) -> dict[str, Any]:
        """Return how lines, goals, the store and the process are now."""
        memory = await anyio.to_thread.run_sync(memory_bytes)
        return {
            "process": {**self.figures(), "memory_bytes": memory},
            "pools": [dataclasses.asdict(pool) for pool in self.pools()],
            "goals": None if self.goals is None else list(self.goals()),
            "store": None if self.store is None else dict(self.store()),
        }

"""Reading the turns that are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from warmline.reporting.turn import ReportedTurn
from warmline.store.database import Database
from warmline.store.turn_views import (
    FACTS,
    Cursor,
    Filters,
    KeptRow,
    Order,
    Overview,
    Page,
    Percentiles,
    Point,
    Summary,
    TurnLine,
    TurnTexts,
    Window,
)

__all__ = [
    "FACTS",
    "Cursor",
    "Filters",
    "KeptRow",
    "Order",
    "Overview",
    "Page",
    "Percentiles",
    "Point",
    "Summary",
    "TurnLine",
    "TurnReading",
    "TurnTexts",
    "Window",
]

_ALL: Filters = {}


class TurnReading:
    """What is kept of turns. Methods block: for worker threads alone.

    Methods that filter raise ConfigError for a fact that is none of `FACTS`.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine

    def overview(
        self, window: Window, filters: Filters = _ALL, *, group_by: str | None = None, points: int = 60
    ) -> Overview:
        """Return the window's turns together, and in the course of time.

        The window is widened to whole minutes, and narrowed to when there are turns. A million turns take
        well under a second.

        Args:
            window: Which turns, by their origin.
            filters: Which of them.
            group_by: One of `FACTS`, by whose values they are told apart.
            points: The most points in time for each value.
        """
        raise NotImplementedError

    def facts(self, window: Window) -> Mapping[str, Sequence[str]]:
        """Return the values of each of `FACTS` that turns of the window have, sorted."""
        raise NotImplementedError

    def turns(
        self,
        window: Window,
        filters: Filters = _ALL,
        *,
        order: Order,
        limit: int = 100,
        before: Cursor | None = None,
    ) -> Page:
        """Return some of the window's turns.

        Args:
            window: Which turns, by their origin.
            filters: Which of them.
            order: The newest or the slowest first. Among the slowest there are none without a response time.
            limit: The most of them.
            before: Those behind this one, which a page before ended with.
        """
        raise NotImplementedError

    def turn(self, call: str, number: int) -> KeptRow | None:
        """Return a turn, if it is kept."""
        raise NotImplementedError

    def each(self, window: Window, filters: Filters = _ALL) -> Iterator[ReportedTurn]:
        """Yield the window's turns in the order of time; no more than some hundred are held at once."""
        raise NotImplementedError

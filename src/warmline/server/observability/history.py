"""The process's history: the store it is in, who writes it, who reads it, and its upkeep."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from warmline.core.clock import unix_now_s
from warmline.errors import ConfigError
from warmline.server.observability.figures import Gauge
from warmline.server.observability.keeping import Keeping, in_thread, problem_words
from warmline.server.observability.observer import KeptTurn
from warmline.server.settings import HistoryTable, StoreTable
from warmline.store.database import Database, database_url
from warmline.store.turn_keeping import ArrivedTurn, TurnKeeping
from warmline.store.turn_reading import TurnReading
from warmline.store.turn_upkeep import TurnUpkeep

__all__ = ["History"]

_log = logging.getLogger(__name__)

_FLUSH_S: Final = 3.0
"""How long the end of the process waits for the last turns to be written."""

_BREATH_S: Final = 0.05
"""Between two small pieces of upkeep, so that writers have their turn."""

_DAY_S: Final = 86_400.0

_GAUGES: Final = {
    "kept": "Turns that were written since the start.",
    "waiting": "Turns that wait in memory to be written.",
    "lost": "Turns that are not kept: the store failed for too long.",
}


class History:
    """What the process keeps of turns; nothing, if that is not wanted or the store can't be opened.

    What changes here: `database` and `reading`, when `running` is entered and left.
    """

    def __init__(
        self,
        store: StoreTable,
        history: HistoryTable,
        *,
        port: int,
        now_s: Callable[[], float] = unix_now_s,
        upkeep_s: float = 60.0,
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            store: Where.
            history: What, and for how long.
            port: The server's, for the process's name.
            now_s: The wall clock, in seconds since 1970.
            upkeep_s: How often it is looked what can be folded or deleted.
        """
        self.database: Database | None = None
        """Open while `running` is; for others in this process as well."""

        self.reading: TurnReading | None = None
        self._store = store
        self._history = history
        self._worker = store.worker or f"{socket.gethostname()}:{port}"
        self._now_s = now_s
        self._upkeep_s = upkeep_s
        self._keeping: Keeping | None = None
        self._problem = ""

    def take(self, kept: KeptTurn) -> None:
        """Take a turn; a `TurnSink`."""
        if self._keeping is not None:
            self._keeping.take(kept)

    def figures(self) -> dict[str, Any]:
        """Return how keeping goes: `is_on`, and if so what `Keeping.figures` tells."""
        if self._keeping is None:
            return {"is_on": False, "problem": self._problem}
        return {"is_on": True, **self._keeping.figures()}

    def gauges(self) -> Iterator[Gauge]:
        """Yield the figures for metrics; nothing where no turns are kept."""
        figures = self.figures()
        if not figures["is_on"]:
            return
        for of, doc in _GAUGES.items():
            yield Gauge(f"warmline.history.{of}", doc, figures[of])
        doc = "Whether the store fails."
        yield Gauge("warmline.history.failing", doc, float(bool(figures["problem"])))

    def health(self) -> dict[str, Any]:
        """Return the figures for whoever asks: of a problem, only whether there is one."""
        figures = self.figures()
        return {**figures, "problem": bool(figures["problem"])}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the turns that are taken inside; leaving writes the last ones.

        A store that can't be opened is warned of, and nothing is kept: calls are worth more.
        """
        database = await self._opened() if self._history.keep else None
        if database is None:
            yield
            return
        try:
            self.database, self.reading = database, TurnReading(database)
            storage = _Storage(database, TurnKeeping(database, self._worker))
            keeping = Keeping(storage, self._now_s, keeps_texts=self._history.transcripts)
            self._keeping = keeping
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(keeping.run)
                    tasks.start_soon(self._look_after, TurnUpkeep(database))
                    yield
                    tasks.cancel_scope.cancel()
            finally:
                with anyio.move_on_after(_FLUSH_S, shield=True):
                    await keeping.flush()
                self._keeping = None
                _tell_of_the_end(keeping)
        finally:
            self.database = self.reading = None
            database.__exit__()

    async def _opened(self) -> Database | None:
        try:
            database = Database(database_url(self._store.url))
            await anyio.to_thread.run_sync(database.__enter__)
        except ConfigError as error:
            self._problem = str(error)
            _log.warning("history.not_kept", extra={"problem": self._problem})
            return None
        return database

    async def _look_after(self, upkeep: TurnUpkeep) -> None:
        """Fold what can be folded, and delete what is too old, until cancelled."""
        is_failing = False
        while True:
            await anyio.sleep(self._upkeep_s)
            try:
                await _bit_by_bit(lambda: upkeep.fold(self._now_s()))
                if self._history.keep_days:
                    before_s = self._now_s() - self._history.keep_days * _DAY_S
                    await _bit_by_bit(partial(upkeep.delete, before_s))
                is_failing = False
            except Exception as error:  # noqa: BLE001 - told of; the next time may be better
                if not is_failing:
                    _log.warning("history.upkeep_failing", extra={"problem": problem_words(error)})
                is_failing = True


class _Storage:
    """A database's turns, as `Keeping` wants them."""

    def __init__(self, database: Database, turns: TurnKeeping) -> None:
        self._database = database
        self._turns = turns

    @property
    def is_there(self) -> bool:
        return self._database.is_there

    def keep(self, arrived: Sequence[ArrivedTurn]) -> None:
        self._turns.keep(arrived)

    def reopen(self) -> None:
        self._database.reopen()


async def _bit_by_bit(work: Callable[[], bool]) -> None:
    """Have a thread do something again and again, until it says that there is no more."""
    while True:
        has_more = await in_thread(work)
        if not has_more:
            return
        await anyio.sleep(_BREATH_S)


def _tell_of_the_end(keeping: Keeping) -> None:
    figures = keeping.figures()
    unwritten = figures["waiting"] + figures["lost"]
    if unwritten:
        _log.warning("history.turns_lost", extra={"turns": unwritten})

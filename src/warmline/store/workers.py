"""The processes that share a database, so that the work of one that died is gone on with.

Methods block, each for one transaction: for worker threads alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from warmline.store.database import Database
from warmline.store.messages import insert_new
from warmline.store.schema import WORKERS

__all__ = ["Workers"]


class Workers:
    """When each process was seen last, in seconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine

    def seen(self, worker: str, now_s: float) -> None:
        """Note that a process lives."""
        with self._engine.begin() as connection:
            changed = connection.execute(
                sa.update(WORKERS).where(WORKERS.c.id == worker).values(seen_s=now_s)
            ).rowcount
            if not changed:
                insert_new(connection, WORKERS, {"id": worker, "seen_s": now_s})

    def living(self, since_s: float) -> Sequence[str]:
        """Return the processes that were seen since."""
        with self._engine.connect() as connection:
            seen = sa.select(WORKERS.c.id).where(WORKERS.c.seen_s >= since_s).order_by(WORKERS.c.id)
            return [row.id for row in connection.execute(seen)]

    def bury(self, before_s: float) -> Sequence[str]:
        """Return the processes that were not seen since, each to one caller alone."""
        with self._engine.begin() as connection:
            gone = sa.delete(WORKERS).where(WORKERS.c.seen_s < before_s).returning(WORKERS.c.id)
            return [row.id for row in connection.execute(gone)]

"""Rows of roll-ups: turns of some time, facts and process, together.

A minute's row is written by the process whose turns they are, a little at a time. When its hour is over it is
*folded*: the rows of its hour and its day, which belong to no process, then hold the same turns. What comes
late for a minute that is folded goes into another row of that minute, until that is folded as well. So hours,
and minutes that are not folded, are all turns; and so are days with those minutes; and all minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from warmline.store.cells import decoded, encoded, merged
from warmline.store.schema import TURN_ROLLUPS
from warmline.store.turn_tally import SUMS, Tally

__all__ = ["DAY_S", "HOUR_S", "KEY", "MINUTE_S", "Bucket", "add_to_rollups", "is_bucket", "tally_in"]

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400


class Bucket(NamedTuple):
    """A row's key; its names are the columns'."""

    resolution_s: int
    is_folded: bool
    bucket_s: int
    """When it begins, in seconds since 1970."""

    facts_id: int
    worker: str
    """Whose turns; empty for hours and days."""

    @property
    def bound(self) -> dict[str, Any]:
        """The values of what `is_bucket` compares with."""
        return {f"its_{name}": value for name, value in self._asdict().items()}


KEY: Final = tuple(TURN_ROLLUPS.c[name] for name in Bucket._fields)

is_bucket: Final = sa.and_(*(column == sa.bindparam(f"its_{column.name}") for column in KEY))
"""Whether a row is that of a `Bucket.bound`."""

_READ: Final = sa.select(TURN_ROLLUPS).where(is_bucket).with_for_update()
_INSERT: Final = sa.insert(TURN_ROLLUPS)
_WRITE: Final = (
    sa
    .update(TURN_ROLLUPS)
    .where(is_bucket)
    .values({name: sa.bindparam(f"new_{name}") for name in (*SUMS, "cells")})
)


def tally_in(row: sa.RowMapping) -> Tally:
    """Return what a row holds."""
    return Tally({name: row[name] for name in SUMS}, decoded(row["cells"]))


def add_to_rollups(connection: sa.Connection, tallies: Mapping[Bucket, Tally]) -> None:
    """Add turns to rows, which are made where there are none.

    Nobody else may add to them meanwhile: SQLite's one writer is the caller, and elsewhere what is there is
    locked, and what is not there is made by the caller alone.
    """
    inserts, writes = [], []
    for bucket in sorted(tallies):
        tally = tallies[bucket]
        row = connection.execute(_READ, bucket.bound).mappings().one_or_none()
        if row is None:
            inserts.append({**bucket._asdict(), **tally.sums, "cells": encoded(tally.cells)})
            continue
        values = {f"new_{name}": row[name] + tally.sums[name] for name in SUMS}
        cells = encoded(merged([decoded(row["cells"]), tally.cells]))
        writes.append({**bucket.bound, **values, "new_cells": cells})
    if inserts:
        connection.execute(_INSERT, inserts)
    if writes:
        connection.execute(_WRITE, writes)

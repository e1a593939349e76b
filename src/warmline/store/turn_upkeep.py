"""The upkeep of kept turns: minutes folded into hours and days, and what is old deleted, a little at a time.

Methods block, each for short transactions: for worker threads alone. Of the processes that share a database
one does it at a time, and the others have nothing to do meanwhile.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

from warmline.store.database import Database, begin_writing
from warmline.store.rollups import DAY_S, HOUR_S, KEY, MINUTE_S, Bucket, add_to_rollups, is_bucket, tally_in
from warmline.store.schema import TURN_ROLLUPS, TURNS
from warmline.store.turn_tally import Tally, tally_of_all

__all__ = ["TurnUpkeep"]

_FOLD_AFTER_S: Final = 300
"""How long after its end an hour's minutes are folded: nearly all of them has come then. What comes later is
folded by itself."""

_AT_ONCE: Final = 500
"""Turns that are deleted in one transaction."""

_ALONE: Final = sa.text("SELECT pg_try_advisory_xact_lock(7797110)")

_ROLLUP: Final = TURN_ROLLUPS.c

_TIERS: Final = ((MINUTE_S, False), (MINUTE_S, True), (HOUR_S, True), (DAY_S, True))
"""Resolutions, and whether coarser ones hold the same."""


class TurnUpkeep:
    """Looks after what is kept."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine

    def fold(self, now_s: float) -> bool:
        """Fold the minutes of one hour into it and its day; return whether there may be more.

        Args:
            now_s: Seconds since 1970. Hours that ended within the last minutes are left for later.
        """
        with self._alone() as connection:
            if connection is None:
                return False
            unfolded = (_ROLLUP.resolution_s == MINUTE_S, _ROLLUP.is_folded.is_(False))
            first_s = connection.execute(sa.select(sa.func.min(_ROLLUP.bucket_s)).where(*unfolded)).scalar()
            if first_s is None:
                return False
            hour_s = first_s - first_s % HOUR_S
            if hour_s + HOUR_S > now_s - _FOLD_AFTER_S:
                return False
            is_its = (*unfolded, _ROLLUP.bucket_s >= hour_s, _ROLLUP.bucket_s < hour_s + HOUR_S)
            wanted = sa.select(TURN_ROLLUPS).where(*is_its).order_by(*KEY).with_for_update()
            minutes = {
                Bucket(*(row[column.name] for column in KEY)): tally_in(row)
                for row in connection.execute(wanted).mappings()
            }
            add_to_rollups(connection, _coarser(minutes, hour_s))
            _mark_folded(connection, minutes, hour_s)
        return True

    def delete(self, before_s: float) -> bool:
        """Delete some turns, with what was said in them, or roll-ups; return whether there may be more.

        Whole days (UTC) are deleted: what is of the day of `before_s` stays.
        """
        day_s = math.floor(before_s / DAY_S) * DAY_S
        with self._alone() as connection:
            if connection is None:
                return False
            old = sa.select(TURNS.c.call, TURNS.c.number).where(TURNS.c.at_s < day_s)
            some = old.order_by(TURNS.c.at_s).limit(_AT_ONCE)
            is_one = sa.tuple_(TURNS.c.call, TURNS.c.number).in_(some)
            has_deleted = bool(connection.execute(sa.delete(TURNS).where(is_one)).rowcount)
            for resolution_s, is_folded in _TIERS:
                tier = (_ROLLUP.resolution_s == resolution_s, _ROLLUP.is_folded.is_(is_folded))
                first_s = connection.execute(sa.select(sa.func.min(_ROLLUP.bucket_s)).where(*tier)).scalar()
                if first_s is not None and first_s < day_s:
                    until_s = min(first_s + HOUR_S, day_s)
                    connection.execute(sa.delete(TURN_ROLLUPS).where(*tier, _ROLLUP.bucket_s < until_s))
                    has_deleted = True
        return has_deleted

    @contextmanager
    def _alone(self) -> Iterator[sa.Connection | None]:
        """Begin a transaction in which nobody else does upkeep; None if somebody else is at it."""
        with self._engine.begin() as connection:
            begin_writing(connection)
            is_free = connection.dialect.name == "sqlite" or connection.execute(_ALONE).scalar()
            yield connection if is_free else None


def _coarser(minutes: Mapping[Bucket, Tally], hour_s: int) -> dict[Bucket, Tally]:
    """Return what an hour's minutes add to it and to its day."""
    by_facts: dict[int, list[Tally]] = defaultdict(list)
    for bucket, tally in minutes.items():
        by_facts[bucket.facts_id].append(tally)
    added = {}
    for facts_id, tallies in by_facts.items():
        tally = tally_of_all(tallies)
        added[Bucket(HOUR_S, True, hour_s, facts_id, "")] = tally
        added[Bucket(DAY_S, True, hour_s - hour_s % DAY_S, facts_id, "")] = tally
    return added


def _mark_folded(connection: sa.Connection, minutes: Mapping[Bucket, Tally], hour_s: int) -> None:
    """Make an hour's minutes such that are folded, or part of those that were folded before."""
    its_hour = (_ROLLUP.bucket_s >= hour_s, _ROLLUP.bucket_s < hour_s + HOUR_S)
    folded = (_ROLLUP.resolution_s == MINUTE_S, _ROLLUP.is_folded.is_(True), *its_hour)
    there = {Bucket(*row) for row in connection.execute(sa.select(*KEY).where(*folded))}
    after = {bucket: bucket._replace(is_folded=True) for bucket in minutes}
    late = [bucket for bucket in minutes if after[bucket] in there]
    add_to_rollups(connection, {after[bucket]: minutes[bucket] for bucket in late})
    # These rows alone: others may have come meanwhile.
    first = [bucket for bucket in minutes if after[bucket] not in there]
    for statement, those in (
        (sa.delete(TURN_ROLLUPS).where(is_bucket), late),
        (sa.update(TURN_ROLLUPS).where(is_bucket).values(is_folded=True), first),
    ):
        if those:
            connection.execute(statement, [bucket.bound for bucket in those])

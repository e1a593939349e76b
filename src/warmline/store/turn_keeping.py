"""Keeping turns: whole, what was said in them if that is wanted, and rolled up by the minute.

Methods block, each for one transaction: for worker threads alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from warmline.reporting.events import decode_fields, logged_turn
from warmline.reporting.measures import RESPONSE, measured_ms
from warmline.reporting.turn import ReportedTurn
from warmline.store.database import Database, begin_writing
from warmline.store.rollups import MINUTE_S, Bucket, add_to_rollups
from warmline.store.schema import TURN_FACTS, TURN_TEXTS, TURNS
from warmline.store.turn_tally import Tally, facts_id, facts_of, tally_of, tally_of_all
from warmline.store.turn_views import TurnTexts

__all__ = ["ArrivedTurn", "TurnKeeping"]

_INSERT: Final = sa.insert(TURNS)

_TurnKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ArrivedTurn:
    """A turn to be kept."""

    turn: ReportedTurn
    arrived_s: float
    """When it was over, in seconds since 1970."""

    texts: TurnTexts | None = None
    """What was said, if that is to be kept; personal."""

    is_correction: bool = False
    """It arrived before: its status, its playout and what was heard of it are known better now."""

    @property
    def key(self) -> _TurnKey:
        """What it is known by."""
        return self.turn.call, self.turn.number

    @property
    def at_s(self) -> float:
        """Its origin, or where that is not known when it was over."""
        return self.arrived_s if self.turn.at_s is None else self.turn.at_s


class TurnKeeping:
    """Writes turns."""

    def __init__(self, database: Database, worker: str) -> None:
        """Prepare.

        Args:
            database: Open.
            worker: This process's name, in whose roll-ups no other process writes.
        """
        self._engine = database.engine
        self._worker = worker

    def keep(self, arrived: Sequence[ArrivedTurn]) -> None:
        """Keep turns and corrections of turns, in this order; to keep the same ones again changes nothing.

        Another turn of a call and number that are kept, such as that of a message which is answered anew,
        gets the next number that is free.
        """
        with self._engine.begin() as connection:
            begin_writing(connection)
            fresh, corrections = _sorted_out(connection, arrived)
            facts = {each.key: facts_of(each.turn) for each in fresh}
            ids = {key: facts_id(told) for key, told in facts.items()}
            tallies: dict[Bucket, list[Tally]] = defaultdict(list)
            if fresh:
                _keep_facts(connection, {ids[key]: told for key, told in facts.items()})
                connection.execute(_INSERT, [_row(each, ids[each.key]) for each in fresh])
            for each in fresh:
                tallies[self._bucket(each.at_s, ids[each.key])].append(tally_of(each.turn))
            for row, correction in corrections:
                change = _correct(connection, row, correction.turn)
                if any(change.sums.values()):
                    tallies[self._bucket(row.at_s, row.facts_id)].append(change)
            add_to_rollups(connection, {bucket: tally_of_all(those) for bucket, those in tallies.items()})
            _keep_texts(connection, [*fresh, *(correction for _, correction in corrections)])

    def _bucket(self, at_s: float, its_facts: int) -> Bucket:
        return Bucket(MINUTE_S, False, math.floor(at_s / MINUTE_S) * MINUTE_S, its_facts, self._worker)


def _sorted_out(
    connection: sa.Connection, arrived: Sequence[ArrivedTurn]
) -> tuple[list[ArrivedTurn], list[tuple[Any, ArrivedTurn]]]:
    """Return the turns that are not kept yet, and the rows of others with what is known better of them."""
    kept = _kept(connection, [each.key for each in arrived])
    fresh: dict[_TurnKey, ArrivedTurn] = {}
    corrections: dict[_TurnKey, ArrivedTurn] = {}
    for each in arrived:
        if not each.is_correction:
            numbered = _numbered(connection, each, fresh, kept)
            if numbered is not None:
                fresh[numbered.key] = numbered
        elif each.key in kept:
            corrections[each.key] = each
        else:
            before = fresh.get(each.key, each)
            fresh[each.key] = replace(before, turn=_corrected(before.turn, each.turn), texts=each.texts)
    return list(fresh.values()), [(kept[key], each) for key, each in corrections.items()]


def _numbered(
    connection: sa.Connection,
    arrived: ArrivedTurn,
    fresh: Mapping[_TurnKey, ArrivedTurn],
    kept: Mapping[_TurnKey, Any],
) -> ArrivedTurn | None:
    """Return a turn with a number that is free; None if it is kept already."""
    while True:
        if arrived.key in kept:
            there = decode_fields(kept[arrived.key].turn)
        elif arrived.key in fresh:
            there = fresh[arrived.key].turn
        else:
            return arrived
        if _written(_corrected(there, arrived.turn)) == _written(arrived.turn):
            return None
        arrived = replace(arrived, turn=replace(arrived.turn, number=arrived.turn.number + 1))
        kept = {**kept, **_kept(connection, [arrived.key])}


def _corrected(before: ReportedTurn, told: ReportedTurn) -> ReportedTurn:
    """Return a turn with what may be known better later; the rest is of when it was over."""
    return replace(before, status=told.status, playout=told.playout, heard_share=told.heard_share)


def _correct(connection: sa.Connection, row: Any, told: ReportedTurn) -> Tally:
    """Write what is known better of a turn; return what that changes in its roll-up."""
    before = decode_fields(row.turn)
    after = _corrected(before, told)
    if after != before:
        is_it = (TURNS.c.call == row.call, TURNS.c.number == row.number)
        status = after.status.value if after.status else ""
        connection.execute(sa.update(TURNS).where(*is_it).values(status=status, turn=_written(after)))
    return tally_of(after).minus_sums(tally_of(before))


def _kept(connection: sa.Connection, keys: Sequence[_TurnKey]) -> Mapping[_TurnKey, Any]:
    """Return the rows that there are of turns."""
    wanted = sa.select(TURNS).where(sa.tuple_(TURNS.c.call, TURNS.c.number).in_(keys))
    return {(row.call, row.number): row for row in connection.execute(wanted)}


def _keep_facts(connection: sa.Connection, facts: Mapping[int, Mapping[str, str]]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # In one order, so that processes don't wait for each other in a circle.
    rows = [{"id": number, **facts[number]} for number in sorted(facts)]
    connection.execute(dialect.insert(TURN_FACTS).on_conflict_do_nothing(), rows)


def _keep_texts(connection: sa.Connection, arrived: Sequence[ArrivedTurn]) -> None:
    rows = [
        {
            "call": each.turn.call,
            "number": each.turn.number,
            "user_text": _storable(each.texts.user),
            "reply_text": _storable(each.texts.reply),
            "heard_text": _storable(each.texts.heard),
        }
        for each in arrived
        if each.texts is not None
    ]
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(TURN_TEXTS)
    texts = {name: insert.excluded[name] for name in ("user_text", "reply_text", "heard_text")}
    connection.execute(insert.on_conflict_do_update(index_elements=["call", "number"], set_=texts), rows)


def _row(arrived: ArrivedTurn, its_facts: int) -> dict[str, Any]:
    turn = arrived.turn
    return {
        "call": turn.call,
        "number": turn.number,
        "at_s": arrived.at_s,
        "facts_id": its_facts,
        "status": turn.status.value if turn.status else "",
        "response_ms": dict(measured_ms(turn)).get(RESPONSE),
        "turn": _written(turn),
    }


def _written(turn: ReportedTurn) -> str:
    return msgspec.json.encode(logged_turn(turn)).decode()


def _storable(text: str) -> str:
    """Return a text without what PostgreSQL or UTF-8 can't hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")

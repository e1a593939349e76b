"""Reading the turns that are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from warmline.errors import ConfigError
from warmline.reporting.events import decode_fields
from warmline.reporting.turn import ReportedTurn
from warmline.store.database import Database, begin_reading
from warmline.store.rollups import MINUTE_S
from warmline.store.schema import TURN_FACTS, TURN_TEXTS, TURNS
from warmline.store.turn_overview import facts_in, kept_window, overview_of, point_width_s
from warmline.store.turn_tally import facts_of
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

_TURN: Final = TURNS.c

_PAGE: Final = 200
"""Turns that `each` holds at once."""


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
        _check_facts([*filters, *([group_by] if group_by else [])])
        with self._engine.connect() as connection:
            begin_reading(connection)
            kept = kept_window(connection, window)
            if kept is None:
                return Overview({}, {}, point_width_s(Window(0, MINUTE_S), points))
            rows = connection.execute(_facts_with(filters)).mappings()
            groups = {row["id"]: row[group_by] if group_by else "" for row in rows}
            return overview_of(connection, kept, points, groups)

    def facts(self, window: Window) -> Mapping[str, Sequence[str]]:
        """Return the values of each of `FACTS` that turns of the window have, sorted."""
        values: dict[str, set[str]] = {fact: set() for fact in FACTS}
        with self._engine.connect() as connection:
            begin_reading(connection)
            kept = kept_window(connection, window)
            ids = facts_in(connection, kept) if kept is not None else set()
            for row in connection.execute(sa.select(TURN_FACTS)).mappings():
                if row["id"] in ids:
                    for fact in FACTS:
                        values[fact].add(row[fact])
        return {fact: sorted(told) for fact, told in values.items()}

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
        _check_facts(filters)
        by = _TURN.at_s if order == "newest" else _TURN.response_ms
        wanted = _turns_in(window, filters)
        if order == "slowest":
            wanted = wanted.where(by.is_not(None))
        if before is not None:
            wanted = wanted.where(
                sa.tuple_(by, _TURN.call, _TURN.number)
                < sa.tuple_(sa.literal(before.value), sa.literal(before.call), sa.literal(before.number))
            )
        wanted = wanted.order_by(by.desc(), _TURN.call.desc(), _TURN.number.desc()).limit(limit + 1)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted).all()
        shown = rows[:limit]
        is_last = len(rows) <= limit or not shown
        next_ = None if is_last else Cursor(getattr(shown[-1], by.key), shown[-1].call, shown[-1].number)
        return Page([_line(row) for row in shown], next_)

    def turn(self, call: str, number: int) -> KeptRow | None:
        """Return a turn, if it is kept."""
        joined = TURNS.outerjoin(TURN_TEXTS)
        texts = (TURN_TEXTS.c.user_text, TURN_TEXTS.c.reply_text, TURN_TEXTS.c.heard_text)
        wanted = sa.select(_TURN.turn, *texts).select_from(joined)
        with self._engine.connect() as connection:
            row = connection.execute(wanted.where(_TURN.call == call, _TURN.number == number)).one_or_none()
        if row is None:
            return None
        has_texts = row.user_text is not None
        kept = TurnTexts(row.user_text, row.reply_text, row.heard_text) if has_texts else None
        return KeptRow(decode_fields(row.turn), kept)

    def each(self, window: Window, filters: Filters = _ALL) -> Iterator[ReportedTurn]:
        """Yield the window's turns in the order of time; no more than some hundred are held at once."""
        _check_facts(filters)
        order = (_TURN.at_s, _TURN.call, _TURN.number)
        wanted = _turns_in(window, filters).order_by(*order).limit(_PAGE)
        page = wanted
        while True:
            # A transaction for each page: one that stays open would keep the database from tidying up.
            with self._engine.connect() as connection:
                rows = connection.execute(page).all()
            for row in rows:
                yield decode_fields(row.turn)
            if len(rows) < _PAGE:
                return
            last = rows[-1]
            behind = (sa.literal(last.at_s), sa.literal(last.call), sa.literal(last.number))
            page = wanted.where(sa.tuple_(*order) > sa.tuple_(*behind))


def _check_facts(facts: Iterable[str]) -> None:
    for fact in facts:
        if fact not in FACTS:
            raise ConfigError(f"turns are not told apart by {fact}; there are {', '.join(FACTS)}")


def _facts_with(filters: Filters) -> sa.Select[Any]:
    return sa.select(TURN_FACTS).where(*(TURN_FACTS.c[fact] == value for fact, value in filters.items()))


def _turns_in(window: Window, filters: Filters) -> sa.Select[Any]:
    wanted = sa.select(TURNS).where(_TURN.at_s >= window.from_s)
    if window.until_s < math.inf:
        wanted = wanted.where(_TURN.at_s < window.until_s)
    if filters:
        wanted = wanted.where(_TURN.facts_id.in_(_facts_with(filters).with_only_columns(TURN_FACTS.c.id)))
    return wanted


def _line(row: Any) -> TurnLine:
    turn = decode_fields(row.turn)
    return TurnLine(
        call=row.call,
        number=row.number,
        at_s=row.at_s,
        status=row.status,
        is_asked=turn.is_asked,
        response_ms=row.response_ms,
        facts={**turn.facts, **facts_of(turn)},
        cold_lines=len(turn.waits),
        drafts_begun=turn.drafts_begun,
        drafts_dropped=turn.drafts_dropped,
        setbacks=len(turn.setbacks),
        underruns=turn.underruns,
        heard_share=turn.heard_share,
    )

"""Periods of turns that are kept in the store, for `warmline report --store`."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.exc import SQLAlchemyError

from warmline.cli.instants import instant_s
from warmline.core.clock import unix_now_s
from warmline.errors import ConfigError
from warmline.reporting.period import Period
from warmline.reporting.reading import LineCounts
from warmline.store.database import Database, database_url
from warmline.store.turn_reading import FACTS, TurnReading, Window

__all__ = ["Times", "store_periods"]

_STEP: Final = 1_000
"""How many turns are read between two steps of what is shown meanwhile."""


@dataclass(frozen=True)
class Times:
    """What is read of a store, in people's words; empty where they say nothing."""

    since: str = ""
    until: str = ""
    against_since: str = ""
    against_until: str = ""


def store_periods(
    url: str, times: Times, wanted: Mapping[str, str], wanted_before: Mapping[str, str]
) -> tuple[tuple[Period, LineCounts], tuple[Period, LineCounts] | tuple[None, None]]:
    """Return the turns of a store that were held with what is wanted, and those to compare with, if any.

    Those end, unless that is said, where the first ones begin; and were held with the same, unless that is.

    Args:
        url: As in `store.url`.
        times: Of the turns, and of those to compare with.
        wanted: Facts and their values.
        wanted_before: Those of the turns to compare with.

    Raises:
        ConfigError: the store can't be had, or has no such turn; or the times make no sense.
    """
    now_s = unix_now_s()
    window = _window(("--since", "--until"), times.since, times.until, now_s)
    before = None
    if times.against_since or times.against_until:
        until = times.against_until or times.since
        before = _window(("--against-since", "--against-until"), times.against_since, until, now_s)
    elif wanted_before:
        before = window
    database = Database(database_url(url))
    if not database.is_there:
        raise ConfigError(f"there is no {database.shown} (store.url): no server has kept turns there yet")
    try:
        with database, _counting_turns() as on_turns:
            now = _read(database, window, wanted, on_turns)
            if before is None:
                return now, (None, None)
            return now, _read(database, before, wanted_before or wanted, on_turns)
    except SQLAlchemyError as error:
        problem = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise ConfigError(f"using {database.shown} (store.url): {problem}") from error


def _window(options: tuple[str, str], since: str, until: str, now_s: float) -> Window:
    """Return the time between two instants as people give them; empty ones are the beginning and the end.

    Raises:
        ConfigError: one is none, or there is no time between them.
    """
    from_s = instant_s(options[0], since, now_s) if since else 0.0
    until_s = instant_s(options[1], until, now_s) if until else math.inf
    if from_s >= until_s:
        raise ConfigError(f"{options[0]} {since}: that is not before {options[1]} {until}")
    return Window(from_s, until_s)


def _read(
    database: Database, window: Window, wanted: Mapping[str, str], on_turns: Callable[[int], None]
) -> tuple[Period, LineCounts]:
    filters = {fact: value for fact, value in wanted.items() if fact in FACTS}
    others = {fact: value for fact, value in wanted.items() if fact not in FACTS}
    period, counts = Period(_words(window)), LineCounts()
    for turn in TurnReading(database).each(window, filters):
        counts.lines += 1
        if others.items() <= turn.facts.items():
            period.add(turn)
        if counts.lines % _STEP == 0:
            on_turns(_STEP)
    if not period.turns:
        facts = ", ".join(f"{fact}={value}" for fact, value in wanted.items())
        held = f" that were held with {facts}" if facts else ""
        raise ConfigError(f"reading {database.shown}: there are no turns{held} in {_words(window)}")
    return period, counts


@contextmanager
def _counting_turns() -> Iterator[Callable[[int], None]]:
    """Show how many turns have been read; nothing is left on the screen afterwards."""
    console = Console(stderr=True)
    columns = (TextColumn("Reading turns"), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda read: progress.advance(task, read)


def _words(window: Window) -> str:
    """Return a window for people."""
    since = _at(window.from_s) if window.from_s > 0 else ""
    until = _at(window.until_s) if window.until_s < math.inf else ""
    told = " ".join(filter(None, [f"since {since}" if since else "", f"until {until}" if until else ""]))
    return f"the store, {told}" if told else "the store"


def _at(instant_s: float) -> str:
    return datetime.datetime.fromtimestamp(instant_s, datetime.UTC).strftime("%Y-%m-%d %H:%M")

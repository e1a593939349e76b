"""What is asked for, out of a request's query; values in, values out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast, get_args

from warmline.store.turn_views import FACTS, Cursor, Order, Window

__all__ = [
    "WINDOWS_S",
    "BadQuery",
    "OverviewQuery",
    "TurnsQuery",
    "asked_overview",
    "asked_turns",
    "asked_window",
]

WINDOWS_S: Final[Mapping[str, float]] = {
    "15m": 15 * 60,
    "1h": 3600,
    "24h": 24 * 3600,
    "7d": 7 * 24 * 3600,
    "30d": 30 * 24 * 3600,
    "all": math.inf,
}
"""The windows that can be asked for by name, each up to now, in seconds."""

_MOST_POINTS: Final = 500
_MOST_TURNS: Final = 500
_WINDOW: Final = ("window", "from_s", "until_s")


class BadQuery(Exception):
    """A parameter is unknown, twice there, or out of range; says what it may be."""


@dataclass(frozen=True, slots=True)
class OverviewQuery:
    """Which turns are to be told of together."""

    window: Window
    filters: Mapping[str, str]
    group_by: str | None
    points: int


@dataclass(frozen=True, slots=True)
class TurnsQuery:
    """Which turns are to be listed."""

    window: Window
    filters: Mapping[str, str]
    order: Order
    limit: int
    before: Cursor | None


def asked_window(pairs: Iterable[tuple[str, str]], now_unix_s: float) -> Window:
    """Return the window of a query that has nothing else.

    Raises:
        BadQuery: it is none.
    """
    return _window(_once(pairs, _WINDOW), now_unix_s)


def asked_overview(pairs: Iterable[tuple[str, str]], now_unix_s: float) -> OverviewQuery:
    """Return what a query asks to be told of.

    Args:
        pairs: Its names and values.
        now_unix_s: The instant, in seconds since 1970.

    Raises:
        BadQuery: it can't be told.
    """
    given = _once(pairs, (*_WINDOW, *FACTS, "group_by", "points"))
    group_by = given.get("group_by") or None
    if group_by is not None and group_by not in FACTS:
        raise BadQuery(f"group_by is {group_by!r}; it must be one of {', '.join(FACTS)}")
    return OverviewQuery(
        _window(given, now_unix_s), _filters(given), group_by, _whole(given, "points", 60, _MOST_POINTS)
    )


def asked_turns(pairs: Iterable[tuple[str, str]], now_unix_s: float) -> TurnsQuery:
    """Return which turns a query asks for; as `asked_overview`."""
    given = _once(pairs, (*_WINDOW, *FACTS, "order", "limit", "before_value", "before_call", "before_number"))
    order = given.get("order", "newest")
    if order not in get_args(Order):
        raise BadQuery(f"order is {order!r}; it must be one of {', '.join(get_args(Order))}")
    before = None
    if "before_value" in given or "before_call" in given or "before_number" in given:
        if not {"before_value", "before_call", "before_number"} <= given.keys():
            raise BadQuery("give before_value, before_call and before_number together, as `next` told them")
        before = Cursor(
            _number(given, "before_value"), given["before_call"], round(_number(given, "before_number"))
        )
    return TurnsQuery(
        _window(given, now_unix_s),
        _filters(given),
        cast("Order", order),
        _whole(given, "limit", 50, _MOST_TURNS),
        before,
    )


def _once(pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> dict[str, str]:
    """Return the parameters by name."""
    given: dict[str, str] = {}
    names = tuple(known)
    for name, value in pairs:
        if name not in names:
            raise BadQuery(f"{name[:60]!r} is unknown; the parameters are {', '.join(names)}")
        if name in given:
            raise BadQuery(f"{name} is given twice; give it once")
        given[name] = value
    return given


def _window(given: Mapping[str, str], now_unix_s: float) -> Window:
    if "from_s" in given or "until_s" in given:
        if "window" in given:
            raise BadQuery("give window, or from_s and until_s, but not both")
        from_s = _number(given, "from_s") if "from_s" in given else 0.0
        until_s = _number(given, "until_s") if "until_s" in given else math.inf
        if from_s >= until_s:
            raise BadQuery("from_s must be before until_s; both are seconds since 1970")
        return Window(from_s, until_s)
    name = given.get("window", "24h")
    if name not in WINDOWS_S:
        raise BadQuery(f"window is {name[:60]!r}; it must be one of {', '.join(WINDOWS_S)}")
    return Window(max(now_unix_s - WINDOWS_S[name], 0.0), math.inf)


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name] for name in FACTS if name in given}


def _number(given: Mapping[str, str], name: str) -> float:
    try:
        number = float(given[name])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadQuery(f"{name} is {given[name][:60]!r}; it must be a number")
    return number


def _whole(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most and len(text) < 10):
        raise BadQuery(f"{name} is {text[:60]!r}; it must be a whole number from 1 to {most}")
    return int(text)

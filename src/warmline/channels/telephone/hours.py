"""When calls are taken: days and times of the week, in the operator's time zone. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["OPENING_PATTERN", "Opening", "is_open", "parse_opening"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = "|".join(_DAYS)
_TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d|24:00"

OPENING_PATTERN: Final = rf"(?:{_DAY})(?:-(?:{_DAY}))? (?:{_TIME})-(?:{_TIME})"
"""Such as `mon-fri 09:00-17:30`, or `sat 22:00-02:00` for a night that ends on Sunday."""

_OPENING: Final = re.compile(rf"({_DAY})(?:-({_DAY}))? ({_TIME})-({_TIME})")
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Opening:
    """A stretch of time on certain days of the week."""

    days: frozenset[int]
    """On which it begins; 0 is Monday."""

    begins_minute: int
    """Of the day."""

    lasts_minutes: int


def parse_opening(text: str) -> Opening:
    """Return what `OPENING_PATTERN` describes.

    Raises:
        ValueError: it is none.
    """
    match = _OPENING.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no opening time such as 'mon-fri 09:00-17:30'")
    first, last, begins, ends = match.groups()
    begin_day = _DAYS.index(first)
    count = (_DAYS.index(last or first) - begin_day) % 7 + 1
    begins_minute, ends_minute = _minute(begins), _minute(ends)
    lasts = (ends_minute - begins_minute) % _DAY_MINUTES or _DAY_MINUTES
    return Opening(frozenset((begin_day + n) % 7 for n in range(count)), begins_minute, lasts)


def is_open(openings: Sequence[Opening], now: datetime) -> bool:
    """Return whether one of them holds `now`, a time of day where they are meant; none at all is always."""
    if not openings:
        return True
    for opening in openings:
        for days_ago in (0, 1):
            day = now - timedelta(days=days_ago)
            since_minutes = now.hour * 60 + now.minute + days_ago * _DAY_MINUTES - opening.begins_minute
            if day.weekday() in opening.days and 0 <= since_minutes < opening.lasts_minutes:
                return True
    return False


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)

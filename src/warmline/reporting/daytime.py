"""Instants of a log that names times of day, and perhaps no dates."""

from __future__ import annotations

import datetime
from typing import Final

__all__ = ["DayClock", "instant_words", "parse_time_s"]

_DAY_S: Final = 86_400.0
_OLDEST_UNIX_S: Final = 1_000_000_000.0
"""Instants before this one (the year 2001) are counted from a log's first midnight: 30 years of it."""


def parse_time_s(text: str) -> float:
    """Return the seconds since midnight of `HH:MM:SS`, with `,` or `.` before a fraction.

    Raises:
        ValueError: it is no time of day.
    """
    hours, minutes, seconds = text.split(":")
    of_minute_s = float(seconds.replace(",", "."))
    # A leap second is its minute's 61st.
    if not (0 <= int(hours) < 24 and 0 <= int(minutes) < 60 and 0 <= of_minute_s < 61):
        raise ValueError(f"no time of day: {text}")
    return int(hours) * 3600 + int(minutes) * 60 + of_minute_s


class DayClock:
    """Makes instants that go on of times of day that begin anew at midnight.

    What changes here: the day and the last time of day, in `instant_s` alone.
    """

    def __init__(self) -> None:
        self._last_s = 0.0
        self._day_s = 0.0

    def instant_s(self, time_s: float, date: str | None = None) -> float:
        """Return a line's instant: of one with an ISO date since 1970, else since the first line's midnight.

        A time of day that is more than half a day before the last line's is the next day's; less, and the
        lines were written out of order. A gap of a day and more cannot be seen.

        Raises:
            ValueError: the date is no date.
        """
        if date is not None:
            day = datetime.datetime.fromisoformat(date).replace(tzinfo=datetime.UTC)
            return day.timestamp() + time_s
        if time_s < self._last_s - _DAY_S / 2:
            self._day_s += _DAY_S
            self._last_s = time_s
        elif time_s - self._last_s > _DAY_S / 2 and self._day_s > 0:
            # A line of the evening before, written after midnight.
            return self._day_s - _DAY_S + time_s
        else:
            self._last_s = max(self._last_s, time_s)
        return self._day_s + time_s


def instant_words(at_s: float | None) -> str:
    """Return an instant for people: date and time (UTC), or where there is no date the time of day.

    From the second day of a log on, the time of day is followed by the day's number.
    """
    if at_s is None:
        return ""
    if at_s >= _OLDEST_UNIX_S:
        at = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
        return at.strftime("%Y-%m-%d %H:%M:%S")
    day, of_day_s = divmod(at_s, _DAY_S)
    whole_s = int(of_day_s)
    words = f"{whole_s // 3600:02}:{whole_s // 60 % 60:02}:{whole_s % 60:02}"
    return f"{words} (day {day + 1:.0f})" if day else words

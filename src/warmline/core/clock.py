"""The one place where time is read.

Pure code is handed instants as data; code that awaits asks a `Clock`. Two clocks exist: this
one, and the jumping one in `warmline.testing`, so that an hour's call can be tested in milliseconds.
"""

from __future__ import annotations

import datetime
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "unix_now_s", "unix_time_s", "utc_now"]


class Clock(Protocol):
    """Monotonic time."""

    def now_s(self) -> float:
        """Return the instant, in seconds since an arbitrary origin; never runs backwards."""
        ...


class SystemClock:
    """The machine's monotonic clock, with sub-microsecond resolution.

    The event loop's own `time()` is not used: uvloop's moves in whole milliseconds.
    """

    def now_s(self) -> float:
        """Return the instant, in seconds."""
        return time.perf_counter()  # noqa: TID251 - the one place


def unix_time_s() -> int:
    """Return the wall clock's seconds since 1970, for wire fields such as `expires_at`."""
    return int(time.time())  # noqa: TID251 - the one place


def unix_now_s() -> float:
    """Return the wall clock's seconds since 1970, for what is kept longer than a process lives."""
    return time.time()  # noqa: TID251 - the one place


def utc_now() -> datetime.datetime:
    """Return the wall clock, for dates that a far end writes, such as Retry-After's."""
    return datetime.datetime.now(datetime.UTC)  # noqa: TID251 - the one place

"""When a request is sent again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

__all__ = ["RetryPolicy", "retry_after_s"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """For requests that may be sent twice; the figures are those the earlier systems asked for."""

    retries: int = 3
    backoff_s: float = 0.3
    """Before the first retry; doubled before each further one."""

    statuses: frozenset[int] = frozenset({500, 502, 503, 504})
    longest_wait_s: float = 10.0
    """A far end that asks for a longer pause is not waited for."""

    def delay_s(self, attempt: int, asked_s: float | None, draw: random.Random) -> float | None:
        """Return how long to wait before the next try, or None to give up.

        Args:
            attempt: How many have failed, from 1.
            asked_s: What the far end asked for in Retry-After, if it did.
            draw: Where the jitter comes from: a quarter more or less.
        """
        if attempt > self.retries:
            return None
        if asked_s is not None:
            return asked_s if asked_s <= self.longest_wait_s else None
        return float(self.backoff_s * 2 ** (attempt - 1) * draw.uniform(0.75, 1.25))


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the pause that a response asks for, in seconds; None if it asks for none.

    Reads `retry-after-ms` (OpenAI's), and `retry-after` as seconds or as a date (RFC 9110, 10.2.3).

    Args:
        headers: Names in lower case.
        now: The wall clock, with its zone.
    """
    milliseconds = headers.get("retry-after-ms", "")
    seconds = headers.get("retry-after", "")
    try:
        return max(float(milliseconds) / 1000, 0.0)
    except ValueError:
        pass
    try:
        return max(float(seconds), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(seconds) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None

"""How fast a business may send. Decisions only; instants are handed in."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["PairRate", "Throughput"]

_SECOND_S: Final = 1.0


class PairRate:
    """Messages of one number to one person: a burst that is borrowed from later, then one at a time.

    What changes here: by when each person's messages are paid off, in `take`.
    """

    def __init__(self) -> None:
        self._paid_at_s: dict[str, float] = {}

    def take(self, person: str, now_s: float, *, burst: int, each_s: float) -> bool:
        """Return whether a message may go to a person now; it counts if it may."""
        paid_at_s = max(self._paid_at_s.get(person, now_s), now_s)
        if burst and paid_at_s - now_s > (burst - 1) * each_s:
            return False
        self._paid_at_s[person] = paid_at_s + each_s
        return True


class Throughput:
    """Messages of one number to whomever.

    What changes here: when the last second's were sent, in `take`.
    """

    def __init__(self) -> None:
        self._sent_at_s: deque[float] = deque()

    def take(self, now_s: float, *, per_s: int) -> bool:
        """Return whether a message may go now; it counts if it may."""
        while self._sent_at_s and now_s - self._sent_at_s[0] >= _SECOND_S:
            self._sent_at_s.popleft()
        if per_s and len(self._sent_at_s) >= per_s:
            return False
        self._sent_at_s.append(now_s)
        return True

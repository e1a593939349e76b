"""How many requests may be sent twice. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["HedgeBudget"]

_WINDOW: Final = 100
"""Requests that are looked back on."""


class HedgeBudget:
    """Counts the requests of all sessions, and which of them were hedged.

    What changes here: `_asked`, in `asked`; `_hedged`, in `may_hedge`.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._hedged: deque[int] = deque()

    def asked(self) -> None:
        """Note a request."""
        self._asked += 1

    def may_hedge(self, share: float) -> bool:
        """Return whether one more request may be hedged, and count it if so.

        Args:
            share: The most of the last hundred requests that may be.
        """
        while self._hedged and self._hedged[0] <= self._asked - _WINDOW:
            self._hedged.popleft()
        if len(self._hedged) + 1 > share * min(self._asked, _WINDOW):
            return False
        self._hedged.append(self._asked)
        return True

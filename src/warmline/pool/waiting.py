"""Who waits for a line, and the places that lines have in a pool. Decisions only; nothing here awaits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic

import anyio

from warmline.errors import PoolError
from warmline.pool.line import LineT
from warmline.pool.shelf import ShelvedLine
from warmline.pool.states import LineState

__all__ = ["Shelved", "Waiter", "Waiters"]


class Shelved(Generic[LineT]):
    """A line and its place in the pool."""

    def __init__(self, number: int) -> None:
        self.key = str(number)
        self.state = LineState.OPENING
        self.line: LineT | None = None
        self.opened_at_s = 0.0
        self.used_at_s = 0.0
        self.leases = 0
        self.is_being_kept_alive = False
        self.is_lent_to_keep_alive = False

    def view(self) -> ShelvedLine:
        """Return it as the plan sees it."""
        return ShelvedLine(
            id=self.key,
            state=self.state,
            opened_at_s=self.opened_at_s,
            used_at_s=self.used_at_s,
            leases=self.leases,
            capacity=self.line.capacity if self.line else 1,
            is_being_kept_alive=self.is_being_kept_alive,
        )


class Waiter(Generic[LineT]):
    """A caller without a line; gets one or a problem."""

    def __init__(self, *, is_in_background: bool) -> None:
        self.is_in_background = is_in_background
        self.served = anyio.Event()
        self.shelved: Shelved[LineT] | None = None
        self.problem: PoolError | None = None

    def refuse(self, problem: PoolError) -> None:
        """Tell the caller that there is no line."""
        self.problem = problem
        self.served.set()


class Waiters(Generic[LineT]):
    """The callers without a line: those of live turns first, within each kind the longest waiting.

    Work that nobody waits for leaves half of the lines to live turns.

    What changes here: the callers, and how many leases are such work's, in every method that does not
    only tell.
    """

    def __init__(self) -> None:
        self._waiters: deque[Waiter[LineT]] = deque()
        self._background_leases = 0

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[Waiter[LineT]]:
        return iter([*self._waiters])

    def add(self, waiter: Waiter[LineT]) -> None:
        """Put a caller behind those of its kind."""
        behind = 0 if waiter.is_in_background else self._background
        self._waiters.insert(len(self._waiters) - behind, waiter)

    def remove(self, waiter: Waiter[LineT]) -> None:
        """Let a caller go, if it waits still."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def pop(self) -> Waiter[LineT]:
        """Take out the caller whose turn it is."""
        return self._waiters.popleft()

    def clear(self) -> None:
        """Let everybody go."""
        self._waiters.clear()

    def serve(self, shelved: Shelved[LineT]) -> None:
        """Give a line to the caller whose turn it is."""
        waiter = self.pop()
        waiter.shelved = shelved
        self._background_leases += waiter.is_in_background
        waiter.served.set()

    def returned(self, *, is_in_background: bool) -> None:
        """Note that a lease is over."""
        self._background_leases -= is_in_background

    def sought_for(self, max_lines: int) -> int:
        """Return how many of them lines are sought for now."""
        background = self._background
        room = max(max_lines // 2, 1) - self._background_leases
        return len(self._waiters) - background + min(background, max(room, 0))

    @property
    def _background(self) -> int:
        return sum(each.is_in_background for each in self._waiters)

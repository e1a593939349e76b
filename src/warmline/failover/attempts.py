"""One leg's attempt at a piece of work, in a task of its own, so that others can be made beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import anyio

from warmline.core.clock import Clock
from warmline.errors import ProviderError, leaves
from warmline.failover.legs import Leg

__all__ = ["Attempt", "Source", "gives_anything"]

ProviderT = TypeVar("ProviderT")
PieceT = TypeVar("PieceT")

Source = Callable[[], AbstractAsyncContextManager[AsyncIterator[PieceT]]]
"""Returns a provider's stream, not entered yet; called once."""


class Attempt(Generic[ProviderT, PieceT]):
    """A provider's stream, read a few pieces ahead.

    What changes here: the pieces, in `run` and `take`; how it ended, in `run`.
    """

    def __init__(
        self,
        leg: Leg[ProviderT],
        source: Source[PieceT],
        clock: Clock,
        *,
        ahead: int,
        is_wanted: Callable[[PieceT], bool],
        on_arrival: Callable[[Attempt[ProviderT, PieceT]], None],
        on_change: Callable[[], None],
    ) -> None:
        """Prepare; nothing is asked for until `run`.

        Args:
            leg: Whose it is.
            source: What gives the stream to read.
            clock: The session's.
            ahead: How many pieces are read before the stream is made to wait.
            is_wanted: Says of a piece whether it is one; others are dropped.
            on_arrival: Called before each piece is put with the others.
            on_change: Called after each piece, and at the end.
        """
        self.leg = leg
        self.source = source
        self.began_at_s = clock.now_s()
        self.quiet_since_s = self.began_at_s
        """When the last piece came, or there was room for the next one."""

        self.has_begun = False
        """Whether any piece came."""

        self.is_late = False
        """It was given up on; it may come back all the same."""

        self.is_over = False
        """It ended as it should."""

        self.problem: ProviderError | None = None
        """Why it ended otherwise."""

        self.longest_quiet_s = 0.0
        """Of what was waited for after the first piece."""

        self._clock = clock
        self._ahead = ahead
        self._is_wanted = is_wanted
        self._on_arrival = on_arrival
        self._on_change = on_change
        self._pieces: deque[PieceT] = deque()
        self._room = anyio.Event()
        self._scope = anyio.CancelScope()

    @property
    def is_ready(self) -> bool:
        """Whether a piece can be taken."""
        return bool(self._pieces)

    @property
    def is_full(self) -> bool:
        """Whether it is made to wait, and so owes nothing."""
        return len(self._pieces) >= self._ahead

    async def run(self) -> None:
        """Read until the end, a failure, or `cancel`."""
        try:
            with self._scope:
                async with self.source() as pieces:
                    async for piece in pieces:
                        if self._is_wanted(piece):
                            await self._put(piece)
                self.is_over = True
        # A provider that reads in a task group raises a group.
        except* ProviderError as problems:
            self.problem = next(leaves(problems))
        finally:
            self._on_change()

    def take(self) -> PieceT:
        """Return the next piece; there is one."""
        piece = self._pieces.popleft()
        if len(self._pieces) == self._ahead - 1:
            self.quiet_since_s = self._clock.now_s()
        self._room.set()
        return piece

    def cancel(self) -> None:
        """Have it stop, and its line given back; returns at once."""
        self._scope.cancel()

    async def _put(self, piece: PieceT) -> None:
        self._on_arrival(self)
        self.has_begun = True
        self._pieces.append(piece)
        self.quiet_since_s = self._clock.now_s()
        self._on_change()
        while self.is_full:
            self._room = anyio.Event()
            await self._room.wait()


async def gives_anything(source: Source[PieceT], is_wanted: Callable[[PieceT], bool], limit_s: float) -> bool:
    """Return whether a stream's first piece comes in time; the rest of it is left.

    Args:
        source: What gives the stream.
        is_wanted: Says of a piece whether it is one.
        limit_s: How long it may take, in seconds.
    """
    try:
        with anyio.move_on_after(limit_s):
            async with source() as pieces:
                async for piece in pieces:
                    if is_wanted(piece):
                        return True
    except* ProviderError:
        pass
    return False

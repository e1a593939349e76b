"""An event loop whose clock jumps: an hour's call takes milliseconds and comes out the same each time.

For far ends in the same loop only. A thread or another process answers in real time, and the
clock would have jumped past the answer's deadline.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Final, TypeVarTuple

__all__ = ["LoopClock", "VirtualTimeLoop"]


_Args = TypeVarTuple("_Args")

_RESOLUTION_S: Final = 5e-10
"""How near an instant is to be its own: below what timers are set apart by, and above what a float of a
month's seconds can tell apart; below that, a timer that is due would never be."""


class _JumpingSelector(selectors.DefaultSelector):
    """Moves `now_s` on by the time it was asked to sleep."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # No timer at all: a thread's wake-up is all that can come.
            return super().select(None)
        self.now_s += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop that sleeps in no time; timers due at the same instant fire in the order they were set."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = _RESOLUTION_S
        self._timers_set = 0

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._jumping.now_s

    def call_at(
        self, when: float, callback: Callable[[*_Args], object], *args: *_Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer a nanosecond later than the one before; the heap alone would not keep order."""
        self._timers_set += 1
        return super().call_at(when + self._timers_set * 1e-9, callback, *args, context=context)


class LoopClock:
    """The running loop's time, as a `warmline.core.clock.Clock`."""

    def now_s(self) -> float:
        """Return the loop's instant, in seconds."""
        return asyncio.get_running_loop().time()

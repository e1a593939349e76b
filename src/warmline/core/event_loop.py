"""The event loop that a process runs on: uvloop where there is one, with timers that are never early."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING or sys.platform != "win32":
    import uvloop

__all__ = ["new_event_loop"]

_TICKS_A_SECOND: Final = 1_000
"""In whole ones of which uvloop counts time."""


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop; for `anyio.run(..., backend_options={"loop_factory": new_event_loop})`."""
    return asyncio.new_event_loop() if sys.platform == "win32" else _PunctualLoop()


if TYPE_CHECKING or sys.platform != "win32":

    class _PunctualLoop(uvloop.Loop):
        """uvloop, whose timers are otherwise early by up to half a millisecond, since they are rounded.

        anyio sets the timer of a deadline that is not over yet anew: some 400 times in the millisecond
        before each, in which the processor does nothing else.
        """

        def call_at(
            self,
            when: float,
            callback: Callable[..., object],
            *args: object,
            context: Context | None = None,
        ) -> asyncio.TimerHandle:
            """Call back at an instant of `time()`, or up to a millisecond later."""
            now_s = self.time()
            ticks = math.ceil((when - now_s) * _TICKS_A_SECOND)
            # The two clocks meet at sums of floats: an instant's own tick may lie a hair before it.
            while now_s + ticks / _TICKS_A_SECOND < when:
                ticks += 1
            return self.call_later(max(ticks, 0) / _TICKS_A_SECOND, callback, *args, context=context)

"""How the process is doing, as `/health` tells it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

import anyio

from warmline.core.clock import Clock

__all__ = ["Vitals"]

_LOOK_S: Final = 0.1
_KEPT: Final = 100
"""Of the event loop's last ten seconds."""

_USUAL: Final = 0.95


class Vitals:
    """Looks at the event loop ten times a second.

    What changes here: `_lags_s`, with each look.
    """

    def __init__(self, clock: Clock) -> None:
        """Prepare.

        Args:
            clock: The process's.
        """
        self._clock = clock
        self._lags_s: deque[float] = deque(maxlen=_KEPT)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due_s = self._clock.now_s() + _LOOK_S
            await anyio.sleep(_LOOK_S)
            self.note_lag(self._clock.now_s() - due_s)

    def note_lag(self, lag_s: float) -> None:
        """Take by how much the event loop was late."""
        self._lags_s.append(max(lag_s, 0.0))

    def figures(self) -> dict[str, Any]:
        """Return the tasks there are, and how late the event loop was in its last ten seconds."""
        lags_s = sorted(self._lags_s) or [0.0]
        return {
            "tasks": len(asyncio.all_tasks()),
            "loop_lag_p95_ms": round(lags_s[int(_USUAL * (len(lags_s) - 1))] * 1000, 2),
            "loop_lag_max_ms": round(lags_s[-1] * 1000, 2),
        }

"""How the process is doing, as `/health` tells it."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple

import anyio

from warmline.core.clock import Clock

__all__ = ["Vitals"]

_LOOK_S: Final = 0.1
_KEPT: Final = 600
"""Of the event loop's last minute: a turn is seldom longer."""

_SHOWN: Final = 100
"""Of its last ten seconds."""

_USUAL: Final = 0.95


class _Look(NamedTuple):
    """What was seen at one instant."""

    at_s: float
    lag_s: float
    collected_s: float
    """What the garbage collector had taken by then, in all."""


class Vitals:
    """Looks at the event loop ten times a second, and at each pause for the garbage collector.

    What changes here: the looks; the time that the collector takes, as it ends.
    """

    def __init__(self, clock: Clock) -> None:
        """Prepare.

        Args:
            clock: The process's.
        """
        self._clock = clock
        self._looks: deque[_Look] = deque(maxlen=_KEPT)
        """The newest last."""

        self._collecting_since_s = 0.0
        self._collected_s = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        with self._counting_pauses():
            while True:
                due_s = self._clock.now_s() + _LOOK_S
                await anyio.sleep(_LOOK_S)
                self.note_lag(self._clock.now_s() - due_s)

    def note_lag(self, lag_s: float) -> None:
        """Take by how much the event loop was late."""
        self._looks.append(_Look(self._clock.now_s(), max(lag_s, 0.0), self._collected_s))

    def worst_lag_s(self, since_s: float) -> float:
        """Return the latest that the event loop was since an instant, of its last minute."""
        return max((look.lag_s for look in self._looks if look.at_s >= since_s), default=0.0)

    def collected_s(self, since_s: float) -> float:
        """Return how long the garbage collector has stopped the process since the look before an instant."""
        before = next((look for look in reversed(self._looks) if look.at_s < since_s), None)
        return self._collected_s - (before.collected_s if before is not None else 0.0)

    def figures(self) -> dict[str, Any]:
        """Return the tasks there are, and how late the event loop was in its last ten seconds."""
        lags_s = sorted(look.lag_s for look in islice(reversed(self._looks), _SHOWN)) or [0.0]
        return {
            "tasks": len(asyncio.all_tasks()),
            "loop_lag_p95_ms": round(lags_s[int(_USUAL * (len(lags_s) - 1))] * 1000, 2),
            "loop_lag_max_ms": round(lags_s[-1] * 1000, 2),
        }

    @contextmanager
    def _counting_pauses(self) -> Iterator[None]:
        gc.callbacks.append(self._collected)
        try:
            yield
        finally:
            gc.callbacks.remove(self._collected)

    def _collected(self, phase: str, _: dict[str, int]) -> None:
        """Be told by the collector, in whichever thread set it off; every thread stands still meanwhile."""
        now_s = self._clock.now_s()
        if phase == "start":
            self._collecting_since_s = now_s
        else:
            self._collected_s += now_s - self._collecting_since_s

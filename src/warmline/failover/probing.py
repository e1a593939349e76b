"""Finding out, beside all sessions, whether legs that are down work again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock
from warmline.errors import ProviderError
from warmline.failover.health import Health, LegEvent, LegKey

__all__ = ["Probe", "Probing"]

Probe = Callable[[], Awaitable[None]]
"""Asks for what costs nothing; raises ProviderError."""

_PROBE_S: Final = 3.0
"""How long a probe may take."""


class Probing:
    """Probes the legs that it is given probes for, when they are due. Use as an async context manager.

    What changes here: `_changed`, when a leg's state does.
    """

    def __init__(self, health: Health, probes: Mapping[LegKey, Probe], clock: Clock) -> None:
        """Prepare.

        Args:
            health: The process's; while this runs, no user's turn is a trial of these legs.
            probes: By leg.
            clock: The process's.
        """
        self._health = health
        self._probes = probes
        self._clock = clock
        self._changed = anyio.Event()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self._health.watch([*self._probes])
        self._health.on_change = self._tell
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        for key, probe in self._probes.items():
            self._tasks.start_soon(self._watch, key, probe)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Probe nothing any more."""
        self._health.unwatch([*self._probes])
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
            # Without the error, which would come out inside a group.
            await tasks.__aexit__(None, None, None)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _watch(self, key: LegKey, probe: Probe) -> None:
        while True:
            changed = self._changed
            due_s = self._health.due_in_s(key, self._clock.now_s())
            if due_s == 0.0:
                await self._ask(key, probe)
                continue
            with anyio.move_on_after(due_s):
                await changed.wait()

    async def _ask(self, key: LegKey, probe: Probe) -> None:
        self._note(key, LegEvent.PROBE_BEGAN)
        outcome = LegEvent.PROBE_ABANDONED
        try:
            with anyio.move_on_after(_PROBE_S) as timer:
                await probe()
            outcome = LegEvent.PROBE_FAILED if timer.cancelled_caught else LegEvent.PROBE_SUCCEEDED
        except ProviderError:
            outcome = LegEvent.PROBE_FAILED
        finally:
            self._note(key, outcome)

    def _note(self, key: LegKey, event: LegEvent) -> None:
        role, leg = key
        self._health.note(role, leg, event, self._clock.now_s())

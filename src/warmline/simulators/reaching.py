"""A simulator that asks and tells servers of its own accord."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import anyio.abc

from warmline.core.clock import Clock, SystemClock
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator
from warmline.simulators.speech import Speech

__all__ = ["ReachingSimulator"]


class ReachingSimulator(Simulator):
    """One with work of its own, for as long as it runs."""

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self.clock: Clock = SystemClock()
        self._client: aiohttp.ClientSession | None = None
        self._tasks: anyio.abc.TaskGroup | None = None

    @property
    def client(self) -> aiohttp.ClientSession:
        """Asks servers."""
        assert self._client is not None
        return self._client

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Work for as long as the context is not left; what goes on then is cut off."""
        async with aiohttp.ClientSession() as self._client, anyio.create_task_group() as self._tasks:
            yield
            self._tasks.cancel_scope.cancel()

    def start(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Have work done for as long as the simulator runs."""
        assert self._tasks is not None
        self._tasks.start_soon(work, *arguments)

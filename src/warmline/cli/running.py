"""Running a command's coroutine until it ends, or somebody asks for an end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import anyio

from warmline.core.event_loop import new_event_loop

__all__ = ["run"]

_Args = TypeVarTuple("_Args")


def run(command: Callable[[*_Args], Awaitable[None]], *args: *_Args) -> None:
    """Run `command` on uvloop, where there is one.

    SIGINT (Ctrl+C) and SIGTERM cancel it, so that it can tidy up; a second signal ends the process at once.
    """
    anyio.run(
        _until_signal, command, args, backend="asyncio", backend_options={"loop_factory": new_event_loop}
    )


async def _until_signal(command: Callable[..., Awaitable[None]], args: tuple[object, ...]) -> None:
    async with anyio.create_task_group() as tasks:
        if sys.platform != "win32":  # there Ctrl+C cancels the main task by itself
            tasks.start_soon(_cancel_on_signal, tasks.cancel_scope)
        await command(*args)
        tasks.cancel_scope.cancel()


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            break
    # The receiver has put the default handlers back: the next signal is not waited for.
    scope.cancel()

"""Whether everything is closed in the end."""

from __future__ import annotations

import os
import socket
import stat
import sys
from typing import Any, Final

import anyio

from warmline.core.line_use import LineUse
from warmline.server.doctor.findings import Outcome
from warmline.server.doctor.subjects import Subject

__all__ = ["clean_up", "connections"]

_CLOSE_S: Final = 3.0
"""How long the operating system, and a far end that is told goodbye, may take."""

_LOOK_S: Final = 0.02


async def clean_up(subject: Subject[Any]) -> Outcome:
    """Open lines and a socket, close them, and count the process's connections; then ask anew."""
    before = connections()
    first: list[LineUse] = []
    second: list[LineUse] = []
    async with subject.opened(warm=0 if subject.is_free else 1) as service:
        await service.check_key(first.append)
        if service.check_socket is not None and not subject.is_free:
            await service.check_socket(None)
        opened = connections() - before
    left = await _left(opened)
    async with subject.opened() as service:
        await service.check_key(second.append)
    figures = {"were_open": len(opened), "left_open": len(left)}
    if left:
        return Outcome(
            figures, "lines are open although all were closed: this is a bug of warmline's; please report it"
        )
    if second[0].reused or second[0].line_id in {use.line_id for use in first}:
        return Outcome(figures, "a closed line was used again: this is a bug of warmline's; please report it")
    return Outcome(figures)


def connections() -> frozenset[tuple[Any, Any]]:
    """Return this process's connections over IP: their addresses here and there.

    There are none to be seen on Windows, which does not list what a process has open.
    """
    if sys.platform == "win32":
        return frozenset()
    found = set()
    for name in os.listdir("/dev/fd"):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as sock:
                if sock.family in (socket.AF_INET, socket.AF_INET6):
                    found.add((sock.getsockname(), sock.getpeername()))
        # Closed in between, or not connected.
        except OSError:
            continue
    return frozenset(found)


async def _left(opened: frozenset[tuple[Any, Any]]) -> frozenset[tuple[Any, Any]]:
    """Return which of them are still there when closing has had its time."""
    for _ in range(int(_CLOSE_S / _LOOK_S)):
        if not opened & connections():
            break
        await anyio.sleep(_LOOK_S)
    return opened & connections()

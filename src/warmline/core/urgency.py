"""Whether somebody is waiting on the line for what is being done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["in_background", "is_in_background"]

_IN_BACKGROUND: ContextVar[bool] = ContextVar("in_background", default=False)


@contextmanager
def in_background() -> Iterator[None]:
    """Let what is asked for within, tasks that are started there included, stand behind live turns."""
    token = _IN_BACKGROUND.set(True)
    try:
        yield
    finally:
        _IN_BACKGROUND.reset(token)


def is_in_background() -> bool:
    """Return whether this is work that live turns go before."""
    return _IN_BACKGROUND.get()

"""The garbage collector's full looks, taken when nobody waits for an answer.

A full look stops the process for as long as there are objects to look at: 80 ms with a hundred calls, in the
middle of whatever they are at. The collector's small looks, a millisecond or two, stay as they are.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import anyio

__all__ = ["collect_when_calm", "is_due"]

_SMALL_AFTER: Final = 10_000
"""Objects made and not freed by themselves, after which the collector looks at the new ones. Python's 700 are
made by a call several times a second, and next to none of them wait for the collector."""

_NEVER: Final = 1_000_000_000

_LOOK_S: Final = 0.5
_OFTEN_ENOUGH_S: Final = 10.0

_EVERYTHING_S: Final = 600.0
"""What was there from the beginning seldom becomes garbage, and takes a fifth of a second to look at."""

_FORCED_AFTER: Final = 200
"""Middle looks, of 100,000 objects that were made and stayed each, most of them for good reason: two minutes
of a hundred calls."""


def is_due(middle_looks: int, since_s: float, *, is_calm: bool) -> bool:
    """Return whether to take a full look now.

    Args:
        middle_looks: Of the collector's since the last full one.
        since_s: How long ago that was.
        is_calm: Whether it would keep nobody waiting.
    """
    return middle_looks >= _FORCED_AFTER or (is_calm and middle_looks > 0 and since_s >= _OFTEN_ENOUGH_S)


async def collect_when_calm(is_calm: Callable[[], bool], is_idle: Callable[[], bool] = bool) -> None:
    """See to the garbage of this process until cancelled.

    What exists now is taken to stay, and is looked at again only when the process is idle.

    Args:
        is_calm: Whether a pause would keep nobody waiting now; asked twice a second.
        is_idle: Whether there is nobody at all; by default there may always be.
    """
    with _full_looks_are_ours():
        since_s = since_everything_s = 0.0
        while True:
            await anyio.sleep(_LOOK_S)
            since_s += _LOOK_S
            since_everything_s += _LOOK_S
            if is_due(gc.get_count()[2], since_s, is_calm=is_calm()):
                is_everything = since_everything_s >= _EVERYTHING_S and is_idle()
                _look(at_everything=is_everything)
                since_s = 0.0
                since_everything_s = 0.0 if is_everything else since_everything_s


def _look(*, at_everything: bool) -> None:
    if at_everything:
        gc.unfreeze()
    gc.collect()
    if at_everything:
        gc.freeze()


@contextmanager
def _full_looks_are_ours() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_SMALL_AFTER, before[1], _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()

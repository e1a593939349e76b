"""What changes, told to an open page as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

import anyio
import msgspec

from warmline.server.observability.dashboard.shown import Shown

__all__ = ["stream"]

_STATE_EVERY_S: Final = 2.0
"""How often a page is told of lines, goals, the store and the process."""

_GATHERED_S: Final = 0.1
"""For how long changes are gathered; a person sees no difference."""

_LONGEST_S: Final = 3_600.0
"""After which the page has to ask again, and to show again that it may."""


async def stream(shown: Shown, now_s: Callable[[], float]) -> AsyncIterator[bytes]:
    """Yield events until the server stops, or it is time to ask again.

    `calls` has all sessions, first of all; `changed` those that have changed since, and the ids of those that
    are over; `state` is what `Shown.state` tells.

    Args:
        shown: What there is.
        now_s: The clock.
    """
    ends_s = now_s() + _LONGEST_S
    with shown.live.viewed() as viewer:
        yield _event("calls", list(shown.live.calls.values()))
        told_s = -_STATE_EVERY_S
        while not shown.live.is_closed and now_s() < ends_s:
            if now_s() - told_s >= _STATE_EVERY_S:
                told_s = now_s()
                yield _event("state", await shown.state())
            changes = await viewer.changes(max(told_s + _STATE_EVERY_S - now_s(), 0.0))
            if changes is not None:
                yield _event("changed", changes)
                await anyio.sleep(_GATHERED_S)


def _event(name: str, body: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(body))

"""What changes, told to an open page as server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio
import msgspec
from anyio.abc import TaskGroup
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from warmline.server.observability.dashboard.shown import Shown

__all__ = ["LiveEvents"]

_STATE_EVERY_S: Final = 2.0
"""How often a page is told of lines, goals, the store and the process."""

_GATHERED_S: Final = 0.1
"""For how long changes are gathered; a person sees no difference."""

_LONGEST_S: Final = 3_600.0
"""After which the page has to ask again, and to show again that it may."""


class LiveEvents(Response):
    """An answer that goes on until the page is closed, the server stops, or it is time to ask again.

    Of its events `calls` is first, and has all sessions; `changed` has those that have changed since, and the
    ids of those that are over; `state` has what `Shown.state` tells.
    """

    media_type = "text/event-stream"

    def __init__(self, shown: Shown, now_s: Callable[[], float]) -> None:
        """Prepare.

        Args:
            shown: What there is.
            now_s: The clock.
        """
        # A proxy that gathers answers before it passes them on would hold events back.
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._shown = shown
        self._now_s = now_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events; a page that is closed ends it at once."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_left, receive, tasks)
            await self._tell(send)
            tasks.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, send: Send) -> None:
        live, now_s = self._shown.live, self._now_s
        ends_s = now_s() + _LONGEST_S
        state_s = now_s()
        with live.viewed() as viewer:
            await _send_event(send, "calls", list(live.calls.values()))
            while not live.is_closed and now_s() < ends_s:
                if now_s() >= state_s:
                    state_s = now_s() + _STATE_EVERY_S
                    await _send_event(send, "state", await self._shown.state())
                changes = await viewer.changes(max(state_s - now_s(), 0.0))
                if changes is not None:
                    await _send_event(send, "changed", changes)
                    await anyio.sleep(_GATHERED_S)


async def _until_left(receive: Receive, tasks: TaskGroup) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    tasks.cancel_scope.cancel()


async def _send_event(send: Send, name: str, body: object) -> None:
    event = b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(body))
    await send({"type": "http.response.body", "body": event, "more_body": True})

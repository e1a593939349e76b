"""The dashboard's JSON: what is kept of turns, and what goes on now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from warmline.core.clock import SystemClock, unix_now_s, unix_time_s
from warmline.server.observability.dashboard.access import COOKIE, DashboardAccess
from warmline.server.observability.dashboard.answers import (
    Handler,
    NotKept,
    as_json,
    encoded,
    refused,
    with_words,
)
from warmline.server.observability.dashboard.asking import asked_overview, asked_turns, asked_window
from warmline.server.observability.dashboard.pages import DASHBOARD_PATH, page_routes
from warmline.server.observability.dashboard.showing import shown_overview, shown_page, shown_window
from warmline.server.observability.dashboard.shown import Shown
from warmline.server.observability.dashboard.stream import LiveEvents
from warmline.server.observability.dashboard.turn_view import turn_view

__all__ = ["dashboard_routes"]

_T = TypeVar("_T")

_READERS: Final = 4
"""Reads at a time, for all pages together: others wait, and the worker threads are not for these alone."""


def dashboard_routes(shown: Shown, access: DashboardAccess) -> list[BaseRoute]:
    """Return the dashboard's routes.

    Args:
        shown: What there is.
        access: Who may look.
    """
    readers = anyio.CapacityLimiter(_READERS)

    async def read(work: Callable[[], _T]) -> _T:
        """Do what blocks, in a worker thread."""
        return await anyio.to_thread.run_sync(work, limiter=readers)

    async def overview(request: Request) -> Response:
        asked = asked_overview(request.query_params.multi_items(), unix_now_s())
        reading = shown.reading()

        def work() -> bytes:
            found = reading.overview(
                asked.window, asked.filters, group_by=asked.group_by, points=asked.points
            )
            return msgspec.json.encode(shown_overview(found, asked.window))

        return encoded(await read(work))

    async def facts(request: Request) -> Response:
        window = asked_window(request.query_params.multi_items(), unix_now_s())
        found = await read(partial(shown.reading().facts, window))
        return as_json({"window": shown_window(window), "facts": found})

    async def turns(request: Request) -> Response:
        asked = asked_turns(request.query_params.multi_items(), unix_now_s())
        page = partial(
            shown.reading().turns,
            asked.window,
            asked.filters,
            order=asked.order,
            limit=asked.limit,
            before=asked.before,
        )
        return as_json(shown_page(await read(page)))

    async def turn(request: Request) -> Response:
        call, number = request.path_params["call"], request.path_params["number"]
        row = await read(partial(shown.reading().turn, call, number))
        if row is None:
            raise NotKept(f"turn {number} of call {call[:80]!r} is not kept, or not any more")
        return as_json({**turn_view(row), "recordings": list(shown.recordings(call))})

    async def now(_: Request) -> Response:
        calls = list(shown.live.calls.values())
        return as_json({"at_s": unix_now_s(), "calls": calls, **await shown.state()})

    async def live(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type=LiveEvents.media_type)
        return LiveEvents(shown, SystemClock().now_s)

    def guarded(path: str, handler: Handler) -> Route:
        async def answer(request: Request) -> Response:
            cookie = request.cookies.get(COOKIE, "")
            refusal = access.check(request.headers, cookie, unix_time_s())
            return refused(refusal) if refusal is not None else await handler(request)

        return Route(f"{DASHBOARD_PATH}/api/{path}", with_words(answer), methods=["GET"])

    return [
        guarded("overview", overview),
        guarded("facts", facts),
        guarded("turns", turns),
        guarded("turns/{call:path}/{number:int}", turn),
        guarded("now", now),
        guarded("live", live),
        *page_routes(shown, access),
    ]

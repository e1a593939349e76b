"""Stands in for an endpoint: answers requests by a script, on the jumping clock."""

from contextlib import asynccontextmanager
from typing import Any

import anyio

from warmline.errors import WarmlineError
from warmline.testing.virtual_time import LoopClock


class Response:
    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def read(self, *, at_most_bytes: int) -> bytes:
        assert len(self._body) <= at_most_bytes
        return self._body


class Answering:
    """What comes of each request in turn: after so many seconds a status and a body, or an error."""

    def __init__(self, *script: tuple[float, int, bytes] | tuple[float, WarmlineError]) -> None:
        self.requests: list[tuple[float, Any]] = []
        """When each came, and what it was."""

        self.cancelled = 0
        self._script = list(script)

    @asynccontextmanager
    async def request(self, request, *, first_result_s, wait_s=None, on_line=None):
        self.requests.append((round(LoopClock().now_s(), 3), request))
        after_s, what, *more = self._script.pop(0)
        try:
            await anyio.sleep(after_s)
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        if isinstance(what, WarmlineError):
            raise what
        yield Response(what, more[0], {})

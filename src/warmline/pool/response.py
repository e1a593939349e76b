"""A response as it arrives: what is the same on every kind of line."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Self

import anyio

from warmline.errors import LineLost

__all__ = ["ArrivingResponse"]


class ArrivingResponse:
    """A response whose line adds to it; implements `warmline.pool.http.LineResponse`.

    What changes here: everything, as it arrives (by `add_header`, `add` and `finish`, which the line
    calls); the body's pieces go as they are read.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.has_headers = anyio.Event()
        """Set by the line; by `finish` as well, so that nobody waits for what will not come."""

        self.problem: LineLost | None = None
        self.unread_bytes = 0
        self._is_complete = False
        self._body: deque[bytes] = deque()
        self._arrived = anyio.Event()

    def chunks(self) -> AsyncIterator[bytes]:
        """Return the body in pieces as they arrive; every call goes on where the last one stopped."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._body:
            if self.problem is not None:
                raise self.problem
            if self._is_complete:
                raise StopAsyncIteration
            self._arrived = anyio.Event()
            await self._arrived.wait()
        piece = self._body.popleft()
        self.unread_bytes -= len(piece)
        self._was_read(len(piece))
        return piece

    async def read(self, *, at_most_bytes: int = 16_777_216) -> bytes:
        """Return the rest of the body."""
        body = bytearray()
        async for piece in self:
            body += piece
            if len(body) > at_most_bytes:
                raise LineLost(f"reading an answer: it is larger than {at_most_bytes} bytes")
        return bytes(body)

    def abandon(self) -> None:
        """Leave the rest unread."""

    def add_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; values of the same name are joined."""
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        before = self.headers.get(key)
        self.headers[key] = text if before is None else f"{before}, {text}"

    def add(self, piece: bytes) -> None:
        """Add a piece of the body."""
        self._body.append(piece)
        self.unread_bytes += len(piece)
        self._arrived.set()

    def discard(self) -> int:
        """Drop what is unread; return how many bytes that was."""
        size = self.unread_bytes
        self._body.clear()
        self.unread_bytes = 0
        return size

    def finish(self, problem: LineLost | None = None) -> None:
        """End the body, well or badly."""
        self._is_complete = problem is None
        self.problem = problem
        self.has_headers.set()
        self._arrived.set()

    def _was_read(self, size_bytes: int) -> None:
        """Let the line know that there is room again."""

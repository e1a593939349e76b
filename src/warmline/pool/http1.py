"""HTTP/1.1 over one connection: one request at a time, parsed by httptools."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, cast

import anyio
import httptools

from warmline.core.clock import Clock
from warmline.core.ids import new_id
from warmline.core.line_use import OpenCost
from warmline.errors import LineLost, NoAnswer
from warmline.pool.dialling import Address, Dialler
from warmline.pool.http import HttpRequest
from warmline.pool.line import OnLost
from warmline.pool.response import ArrivingResponse

__all__ = ["Http1Line", "Http1Response"]

_BUFFERED_BYTES: Final = 262_144
"""Body that may lie unread before the far end is made to wait."""

_HEADER_BYTES: Final = 65_536


class Http1Response(ArrivingResponse):
    """A response on a line; abandoned, it does nothing, since the line is not used again then."""

    def __init__(self, line: Http1Line) -> None:
        super().__init__()
        self._line = line

    def _was_read(self, size_bytes: int) -> None:
        if self.unread_bytes < _BUFFERED_BYTES:
            self._line.resume_reading()


class Http1Line(asyncio.Protocol):
    """One connection that carries requests one after another.

    It can be used again when an answer was read to its end and the far end keeps the connection
    open; left in the middle, it can't, since HTTP/1.1 has no way to stop an answer.

    What changes here: `_response` with each request, the rest in the transport's callbacks.
    """

    capacity = 1

    def __init__(
        self,
        address: Address,
        headers: Mapping[str, str],
        probe: HttpRequest | None,
        clock: Clock,
        on_lost: OnLost,
    ) -> None:
        self.id = new_id("line")
        self.cost = OpenCost()
        self._address = address
        self._headers = headers
        self._probe = probe
        self._clock = clock
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: Http1Response | None = None
        self._keeps_open = True
        self._is_paused = False
        self._header_bytes = 0
        self._closed = anyio.Event()

    @classmethod
    async def open(
        cls,
        dialler: Dialler,
        address: Address,
        headers: Mapping[str, str],
        probe: HttpRequest | None,
        clock: Clock,
        on_lost: OnLost,
    ) -> Http1Line:
        """Connect and encrypt; nothing is asked.

        Raises:
            OpenFailed: it can't be connected to.
        """
        line, cost = await dialler.open(address, lambda: cls(address, headers, probe, clock, on_lost))
        line.cost = cost
        return line

    @property
    def is_reusable(self) -> bool:
        """Whether it is open and no answer is under way."""
        return self._is_open and self._keeps_open and self._response is None

    async def request(self, request: HttpRequest, *, first_result_s: float) -> Http1Response:
        """Send a request and return its response when its status and headers are there.

        Raises:
            LineLost: the connection is gone, or no answer began in time.
        """
        if not self.is_reusable or self._transport is None:
            raise LineLost(f"asking {self._address.authority}: the connection is closed")
        self._response = response = Http1Response(self)
        self._header_bytes = 0
        self._transport.write(self._head(request) + request.body)
        with anyio.move_on_after(first_result_s):
            await response.has_headers.wait()
        if response.problem is not None:
            raise response.problem
        if not response.has_headers.is_set():
            raise NoAnswer(f"asking {self._address.authority}: no answer within {first_result_s:g} s")
        return response

    async def keep_alive(self) -> float | None:
        """Ask for something cheap and read the answer; return how long it took to begin."""
        if self._probe is None:
            return None
        began_s = self._clock.now_s()
        response = await self.request(self._probe, first_result_s=5.0)
        round_trip_s = self._clock.now_s() - began_s
        await response.read()
        return round_trip_s

    async def aclose(self) -> None:
        """Close the connection; at once where an answer is still under way."""
        if self._transport is None or not self._is_open:
            return
        if self._response is None:
            self._transport.close()
            with anyio.move_on_after(0.5):
                await self._closed.wait()
                return
        self._transport.abort()

    def resume_reading(self) -> None:
        """Let the far end go on."""
        if self._is_paused and self._transport is not None and self._is_open:
            self._is_paused = False
            self._transport.resume_reading()

    @property
    def _is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def _head(self, request: HttpRequest) -> bytes:
        lines = [
            f"{request.method} {self._address.path}{request.path} HTTP/1.1",
            f"host: {self._address.authority}",
        ]
        lines.extend(f"{name}: {value}" for name, value in request.fields(self._headers))
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    # The transport's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Parse what came; what is not HTTP ends the connection."""
        if self._response is None:
            self._lose("it spoke without being asked")
            return
        response = self._response
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._lose(f"it sent what is not HTTP ({error})")
            return
        if not response.has_headers.is_set():
            self._header_bytes += len(data)
            if self._header_bytes > _HEADER_BYTES:
                self._lose("it sent what is not HTTP (the headers are too long)")

    def eof_received(self) -> bool:
        """The far end is done: an answer without a length ends here."""
        response = self._response
        if response is not None and response.has_headers.is_set() and self._ends_with_connection:
            self._complete()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer that was under way, and tell the pool."""
        self._closed.set()
        response, self._response = self._response, None
        if response is not None:
            why = f" ({exc})" if exc else ""
            response.finish(LineLost(f"asking {self._address.authority}: the connection was dropped{why}"))
        self._on_lost()

    # The parser's callbacks.

    def on_status(self, _: bytes) -> None:
        """Begin a response; an interim one (1xx) is followed by another."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if self._response is not None:
            self._response.add_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the response over."""
        response = self._response
        status = self._parser.get_status_code()
        if response is None:
            self._keeps_open = False  # An answer that nobody asked for.
            return
        if status < 200:
            return
        response.status = status
        self._keeps_open = self._parser.should_keep_alive()
        response.has_headers.set()

    def on_body(self, piece: bytes) -> None:
        """Hand a piece of the body over."""
        if self._response is None or self._transport is None:
            return
        self._response.add(piece)
        if self._response.unread_bytes >= _BUFFERED_BYTES:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """End the response, unless it was an interim one."""
        if self._parser.get_status_code() >= 200:
            self._complete()
        elif self._response is not None:
            self._response.headers.clear()

    @property
    def _ends_with_connection(self) -> bool:
        headers = self._response.headers if self._response else {}
        return "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "")

    def _complete(self) -> None:
        response, self._response = self._response, None
        # A parser is not used twice: what one far end did must not leak into the next answer.
        self._parser = httptools.HttpResponseParser(self)
        self.resume_reading()
        if response is not None:
            response.finish()

    def _lose(self, why: str) -> None:
        response, self._response = self._response, None
        self._keeps_open = False
        if response is not None:
            response.finish(LineLost(f"asking {self._address.authority}: {why}"))
        if self._transport is not None:
            self._transport.abort()

"""A proxy that is as far away as a profile says: everything through it takes real round trips."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.abc

from warmline.core.clock import SystemClock
from warmline.simulators.profiles import Link

__all__ = ["Network"]

_HEADER_BYTES: Final = 16_384
_READ_BYTES: Final = 65_536
_BUFFERED_BYTES: Final = 4 * 1024 * 1024
_CLOCK: Final = SystemClock()


class Network:
    """An HTTP proxy (CONNECT) in front of simulators on this machine. Use as an async context manager.

    A connection through it costs what TCP and TLS cost over a link: the answer to CONNECT comes
    after one round trip, and every byte after it takes half of one each way.

    What changes here: the links that were used, whose first connection costs more.
    """

    def __init__(self, links: Mapping[int, Link], *, seed: int = 0) -> None:
        """Prepare.

        Args:
            links: By the port that is connected to.
            seed: For jitter and stalls.
        """
        self._links = dict(links)
        self._used: set[int] = set()
        self._draw = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """What a client sets as its proxy."""
        return f"http://127.0.0.1:{self.port}"

    def change(self, port: int, link: Link) -> None:
        """Have connections that are opened from now on take another way."""
        self._links[port] = link

    async def __aenter__(self) -> Self:
        """Listen on a free port of this machine."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drop every connection."""
        if self._server is None or self._tasks is None:
            return
        self._server.close()
        self.drop_all()
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        with anyio.move_on_after(2, shield=True):
            await self._server.wait_closed()

    def drop_all(self) -> None:
        """Reset every connection, as when a network goes away."""
        for writer in list(self._open):
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: asyncio would make a task of its own of it, and not know how to cancel that.
        assert self._tasks is not None
        self._tasks.start_soon(self._serve, reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; whatever becomes of it ends no other."""
        self._open.add(writer)
        try:
            await self._relay(reader, writer)
        # uvloop tells by a RuntimeError that a connection is gone to which goodbye is to be said.
        except* (OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open.discard(writer)
            if not writer.is_closing():
                writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = await self._target(reader)
        if target is None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        link = self._links.get(target[1], Link())
        extra_ms = link.first_ms if target[1] not in self._used else 0.0
        self._used.add(target[1])
        await anyio.sleep((link.rtt_ms + extra_ms) / 1000)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target[1])
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        self._open.add(far_writer)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        hello_ms = max((link.tls_ms or link.rtt_ms) - link.rtt_ms, 0.0)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._carry, reader, far_writer, link, hello_ms)
                tasks.start_soon(self._carry, far_reader, writer, link, 0.0)
        finally:
            self._open.discard(far_writer)
            far_writer.transport.abort()

    async def _target(self, reader: asyncio.StreamReader) -> tuple[str, int] | None:
        header = await reader.readuntil(b"\r\n\r\n")
        words = header.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or words[0] != "CONNECT" or len(header) > _HEADER_BYTES:
            return None
        host, _, port = words[1].rpartition(":")
        return (host, int(port)) if port.isdecimal() and int(port) < 65_536 else None

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, first_ms: float
    ) -> None:
        """Carry one direction; `first_ms` is what the first piece takes more, such as a slow handshake."""
        pieces: deque[tuple[float, bytes]] = deque()
        arrived = anyio.Event()
        left = anyio.Event()
        buffered_bytes = 0

        async def deliver() -> None:
            nonlocal arrived, left, buffered_bytes
            while True:
                while not pieces:
                    arrived = anyio.Event()
                    await arrived.wait()
                due_s, piece = pieces.popleft()
                await anyio.sleep(max(due_s - _CLOCK.now_s(), 0.0))
                if not piece:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                buffered_bytes -= len(piece)
                left.set()
                writer.write(piece)
                await writer.drain()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_quietly, deliver)
            last_due_s = 0.0
            extra_s = first_ms / 1000
            while True:
                try:
                    piece = await reader.read(_READ_BYTES)
                except ConnectionError:
                    # A reset is passed on as one.
                    writer.transport.abort()
                    tasks.cancel_scope.cancel()
                    return
                due_s = _CLOCK.now_s() + self._way_s(link) + extra_s
                extra_s = 0.0
                last_due_s = max(last_due_s, due_s)
                pieces.append((last_due_s, piece))
                buffered_bytes += len(piece)
                arrived.set()
                if not piece:
                    return
                while buffered_bytes > _BUFFERED_BYTES:
                    left = anyio.Event()
                    await left.wait()

    def _way_s(self, link: Link) -> float:
        way_ms = link.rtt_ms / 2
        if link.jitter_ms:
            way_ms += self._draw.uniform(0, link.jitter_ms)
        if link.stall_probability and self._draw.random() < link.stall_probability:
            way_ms += link.stall_ms
        return way_ms / 1000


async def _quietly(deliver: Callable[[], Awaitable[None]]) -> None:
    """Carry on until the receiving end is gone, which is no error of the network's."""
    try:
        await deliver()
    except OSError:
        return

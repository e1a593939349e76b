"""Answers on their way out, with what was asked to go wrong on the way."""

from __future__ import annotations

import asyncio
import os
import socket
from abc import abstractmethod
from typing import cast

import anyio
from aiohttp import web

from warmline.simulators.faults import Fault, FaultKind

__all__ = ["EVENT_GARBAGE", "Gone", "HttpOutgoing", "Outgoing", "SocketOutgoing", "half_close", "reset"]

_GARBAGE = b"\xff\xfe{not a message"

EVENT_GARBAGE = b"data: " + _GARBAGE + b"\n\n"
"""The same where the pieces are server-sent events, whose readers pass over lines that are none."""


class Gone(Exception):
    """The answer has ended before its end."""


def reset(transport: asyncio.BaseTransport | None) -> None:
    """End a connection with a TCP reset."""
    if transport is not None:
        _stream(transport).abort()


def half_close(transport: asyncio.BaseTransport | None) -> None:
    """Say on TCP that no more will be sent, without a farewell of TLS or of the protocol."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is not None:
        with socket.socket(fileno=os.dup(sock.fileno())) as twin:
            twin.shutdown(socket.SHUT_WR)


def _stream(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """Return a connection's transport as what it is; uvloop's are no instances of asyncio's classes."""
    return cast("asyncio.Transport", transport)


class Outgoing:
    """The pieces of one answer, in order.

    What changes here: how many were sent, and the piece that is held back, in `send`.
    """

    def __init__(
        self, transport: asyncio.BaseTransport | None, fault: Fault | None, garbage: bytes = _GARBAGE
    ) -> None:
        self._transport = transport
        self._garbage = garbage
        self._fault = fault
        self._sent = 0
        self._held: bytes | str | None = None
        self._has_waited = False

    def arm(self, fault: Fault | None) -> None:
        """Have something go wrong with the pieces that follow."""
        if fault is not None:
            self._fault, self._sent, self._held, self._has_waited = fault, 0, None, False

    @abstractmethod
    async def write(self, piece: bytes | str) -> None:
        """Send as it is."""

    @abstractmethod
    async def fail(self) -> None:
        """Send the provider's error in the middle of a stream, and end."""

    async def begin(self) -> None:
        """Wait as long as the first piece is to be late.

        Raises:
            Gone: there will be no answer.
        """
        if self._fault is None:
            return
        if self._fault.kind is FaultKind.SLOW_FIRST_BYTE:
            self._has_waited = True
            await anyio.sleep(self._fault.seconds)
        elif self._fault.kind is FaultKind.MUTE:
            await anyio.sleep_forever()
        elif self._fault.kind is FaultKind.DROP:
            reset(self._transport)
            raise Gone

    async def send(self, piece: bytes | str) -> None:
        """Send the next piece.

        Raises:
            Gone: the answer ends here.
        """
        fault = self._fault
        if fault is None or self._sent < fault.after:
            self._sent += 1
            await self.write(piece)
            return
        self._sent += 1
        match fault.kind:
            case FaultKind.CUT:
                reset(self._transport)
                raise Gone
            case FaultKind.STALL | FaultKind.MUTE:
                await anyio.sleep_forever()
            case FaultKind.HALF_CLOSE:
                half_close(self._transport)
                await anyio.sleep_forever()
            case FaultKind.SLOW_FIRST_BYTE if not self._has_waited:
                self._has_waited = True
                await anyio.sleep(fault.seconds)
                await self.write(piece)
            case FaultKind.ERROR_MID_STREAM:
                await self.fail()
                raise Gone
            case FaultKind.GARBAGE:
                self._fault = None
                await self.write(self._garbage if isinstance(piece, bytes) else _GARBAGE.decode("latin-1"))
                await self.write(piece)
            case FaultKind.WRONG_ORDER:
                if self._held is None:
                    self._held = piece
                    return
                self._fault = None
                await self.write(piece)
                await self.write(self._held)
            case FaultKind.SPLIT if isinstance(piece, bytes):
                for byte in piece:
                    await self.write(bytes((byte,)))
            case _:
                await self.write(piece)

    async def end(self) -> None:
        """Send what was held back."""
        if self._held is not None and self._fault is not None:
            self._fault = None
            await self.write(self._held)


class HttpOutgoing(Outgoing):
    """The pieces of a response's body."""

    def __init__(
        self,
        request: web.Request,
        response: web.StreamResponse,
        fault: Fault | None,
        error: bytes = b"",
        garbage: bytes = _GARBAGE,
    ) -> None:
        super().__init__(request.transport, fault, garbage)
        self._response = response
        self._error = error

    async def write(self, piece: bytes | str) -> None:
        """Send as it is.

        Raises:
            Gone: the client has left.
        """
        try:
            await self._response.write(piece.encode() if isinstance(piece, str) else piece)
        except ConnectionError:
            raise Gone from None

    async def fail(self) -> None:
        """Send the error as a piece, and end."""
        await self._response.write(self._error)
        await self._response.write_eof()


class SocketOutgoing(Outgoing):
    """The messages of a WebSocket."""

    def __init__(
        self, request: web.Request, socket: web.WebSocketResponse, fault: Fault | None, error: str = ""
    ) -> None:
        super().__init__(request.transport, fault)
        self._socket = socket
        self._error = error

    async def write(self, piece: bytes | str) -> None:
        """Send as it is; text as a text message.

        Raises:
            Gone: the client has left.
        """
        if self._socket.closed:
            raise Gone
        try:
            if isinstance(piece, str):
                await self._socket.send_str(piece)
            else:
                await self._socket.send_bytes(piece)
        except ConnectionError:
            raise Gone from None

    async def say_goodbye(self) -> None:
        """Send a close frame without a code, and hang up: aiohttp would send another one with a code."""
        await self._socket.send_frame(b"", web.WSMsgType.CLOSE)
        if self._transport is not None:
            _stream(self._transport).close()

    async def fail(self) -> None:
        """Send the error as a message, and close."""
        await self._socket.send_str(self._error)
        await self._socket.close(code=1011)

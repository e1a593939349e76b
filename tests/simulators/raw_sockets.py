"""A bare WebSocket to a simulator, for what an SDK would not send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from warmline.pool.dialling import ssl_context
from warmline.simulators.running import Running

__all__ = ["InvalidStatus", "RawSocket", "raw_socket"]


class RawSocket:
    """Messages of JSON, and audio, over one socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def say(self, **message: Any) -> None:
        await self._socket.send(json.dumps(message))

    async def say_text(self, text: str) -> None:
        await self._socket.send(text)

    async def say_bytes(self, audio: bytes) -> None:
        await self._socket.send(audio)

    async def say_audio(self, audio: bytes, *, piece_bytes: int = 2_560, speed: float = 8.0) -> None:
        """Send 16 kHz pcm16 in pieces of 80 ms, faster than a person speaks."""
        for begin in range(0, len(audio), piece_bytes):
            await self._socket.send(audio[begin : begin + piece_bytes])
            await anyio.sleep(piece_bytes / 32_000 / speed)

    async def next(self, within_s: float = 5.0) -> dict[str, Any] | None:
        """Return the next message; None when the socket is closed."""
        try:
            with anyio.fail_after(within_s):
                received = await self._socket.recv()
        except ConnectionClosed:
            return None
        message: dict[str, Any] = msgspec.json.decode(received)
        return message

    async def until(self, within_s: float = 10.0, **fields: Any) -> list[dict[str, Any]]:
        """Return what comes, to the first message with these fields."""
        found = []
        with anyio.fail_after(within_s):
            while (message := await self.next(within_s)) is not None:
                found.append(message)
                if fields.items() <= message.items():
                    return found
        raise AssertionError(f"closed with {self.close_code} after {found}")

    async def rest(self, within_s: float = 10.0) -> list[dict[str, Any]]:
        """Return what comes until the socket is closed."""
        found = []
        while (message := await self.next(within_s)) is not None:
            found.append(message)
        return found

    @property
    def close_code(self) -> int | None:
        """What it was closed with; 1005 for a close frame without a code."""
        return self._socket.close_code


@asynccontextmanager
async def raw_socket(
    running: Running, provider: str, path: str, headers: Mapping[str, str]
) -> AsyncIterator[RawSocket]:
    """Open one.

    Raises:
        InvalidStatus: it was refused.
    """
    url = running.base_urls[provider].replace("https:", "wss:") + path
    trusting = ssl_context(str(running.certificate))
    async with connect(url, ssl=trusting, additional_headers=headers, max_size=None) as socket:
        yield RawSocket(socket)

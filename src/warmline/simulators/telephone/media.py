"""One media stream: a WebSocket that the network opens to a server, for the time of a call or less."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import anyio
import msgspec
from aiohttp import WSMsgType

from warmline.simulators.telephone.codec import FRAME_BYTES, FRAME_S, Codec, Decoder, Encoder
from warmline.simulators.telephone.phone import Phone
from warmline.simulators.telephone.placing import CallFaults
from warmline.simulators.telephone.report import LoggedMark, LoggedStream

__all__ = ["MediaStream", "StreamFailed", "StreamRefused"]

_OPEN_S: Final = 10.0
_CLOSE_S: Final = 1.0
_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""30 s of 48 kHz L16 in base64, and room for the rest of a message."""

_DUPLICATED: Final = 3
_SWAPPED: Final = 6
"""Of every ten frames: which one comes twice, and which one changes places with the next."""


class StreamFailed(Exception):
    """A media stream could not be opened; the text says why."""


class StreamRefused(Exception):
    """A message of the server's can't be taken."""

    def __init__(self, code: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.title = title


class MediaStream(ABC):
    """Carries a telephone's sound to a server and back, as one network writes it.

    What changes here: the numbers of messages and frames, and the frame that a fault holds back, in
    `carry`; the marks that are under way.
    """

    inbound: str = "inbound"
    """The track on which the person is heard."""

    def __init__(
        self,
        phone: Phone,
        log: LoggedStream,
        faults: CallFaults,
        draw: random.Random,
        *,
        codec: Codec,
        takes: Codec,
        tracks: tuple[str, ...] = ("inbound",),
    ) -> None:
        """Prepare.

        Args:
            phone: Whose sound is carried.
            log: What is kept of it.
            faults: What goes wrong.
            draw: For what goes wrong at random.
            codec: What the server is sent.
            takes: What it sends.
            tracks: Which directions it is sent.
        """
        self.log = log
        self._phone = phone
        self._faults = faults
        self._draw = draw
        self._encoders = {track: Encoder(codec) for track in tracks}
        self._decoder = Decoder(takes)
        self._takes = takes
        self._unsent = {track: bytearray() for track in tracks}
        self._chunks = dict.fromkeys(tracks, 0)
        self._sequence = 0
        self._held = ""
        self._marks: list[LoggedMark] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._is_finished = False

    @abstractmethod
    def openings(self) -> list[dict[str, Any]]:
        """Return the messages that come first; `sequence` numbers those that are numbered."""

    @abstractmethod
    def media(self, track: str, chunk: int, timestamp_ms: int, payload: str) -> dict[str, Any]:
        """Return the message of a frame."""

    @abstractmethod
    def mark(self, name: str) -> dict[str, Any]:
        """Return the message of a mark."""

    @abstractmethod
    def dtmf(self, digit: str) -> dict[str, Any]:
        """Return the message of a key."""

    @abstractmethod
    def stop(self) -> dict[str, Any]:
        """Return the last message."""

    @abstractmethod
    async def take(self, text: str) -> None:
        """Do what a message of the server's says.

        Raises:
            StreamRefused: it can't be done.
        """

    @abstractmethod
    async def refuse(self, refused: StreamRefused) -> None:
        """Tell the server, or end the stream."""

    def sequence(self) -> str:
        """Return the next number of a message."""
        self._sequence += 1
        return str(self._sequence)

    async def open(self, client: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        """Connect, and say what is going to come.

        Raises:
            StreamFailed: that was not possible.
        """
        if self._faults.streaming_failed:
            raise StreamFailed("the connection could not be established")
        try:
            with anyio.fail_after(_OPEN_S):
                self._socket = await client.ws_connect(
                    url, headers=headers, max_msg_size=_MESSAGE_BYTES, autoping=True
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            raise StreamFailed(f"the connection could not be established: {_told(problem)}") from problem
        self.log.opened_at_s = self.log_now_s()
        for message in self.openings():
            await self.send(message)
        self._phone.attach(self)

    @abstractmethod
    def log_now_s(self) -> float:
        """Return the instant as the call's log counts it."""

    async def serve(self) -> None:
        """Listen to the server until either side has closed."""
        assert self._socket is not None
        try:
            async for message in self._socket:
                try:
                    if message.type is not WSMsgType.TEXT:
                        raise StreamRefused(0, "malformed_frame", "the message is not a text")
                    await self.take(message.data)
                except StreamRefused as refused:
                    self.log.errors.append(f"{refused.code} {refused.title}: {refused}".removeprefix("0 "))
                    await self.refuse(refused)
        finally:
            self._phone.detach(self)
            self.log.closed_at_s = self.log_now_s()

    async def finish(self) -> None:
        """Say that this is the end, and close; does nothing the second time."""
        self._phone.detach(self)
        if self._socket is None or self._is_finished or self._socket.closed:
            return
        self._is_finished = True
        if self._faults.lose_stop:
            _die(self._socket)
            return
        await self._flush_held()
        await self.send(self.stop())
        await self.close()

    async def close(self) -> None:
        """Close without another word."""
        if self._socket is not None:
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await self._socket.close()

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message; to nobody, if the server has gone."""
        await self._write(msgspec.json.encode(message).decode())

    async def carry(self, spoken: bytes, heard: bytes) -> None:
        """Send 20 ms of each direction that the server is to be sent."""
        for track, unsent in self._unsent.items():
            unsent += spoken if track == self.inbound else heard
            while len(unsent) >= FRAME_BYTES:
                frame = bytes(unsent[:FRAME_BYTES])
                del unsent[:FRAME_BYTES]
                await self._send_frame(track, frame)

    async def reach(self, mark: str) -> None:
        """Send a mark back."""
        for logged in self._marks:
            if logged.name == mark:
                logged.returned_at_s = self.log_now_s()
                self._marks.remove(logged)
                break
        await self.send(self.mark(mark))

    async def press(self, digit: str) -> None:
        """Tell of a key."""
        await self.send(self.dtmf(digit))

    def play(self, audio: bytes) -> None:
        """Have what the server sent played, behind what is being played."""
        self.log.frames_received += 1
        self.log.received_s = round(self.log.received_s + self._takes.duration_s(len(audio)), 6)
        self._phone.line.stream.push(self._decoder.samples(audio), self._phone.now_s)

    def note_mark(self, name: str) -> None:
        """Have a mark sent back when what came before it was played."""
        mark = LoggedMark(name=name, at_s=self.log_now_s())
        self.log.marks.append(mark)
        self._marks.append(mark)
        self._phone.line.stream.mark(name, self._phone.now_s)

    def clear(self) -> None:
        """Drop what is still to be played."""
        self.log.clears += 1
        self._phone.line.stream.clear(self._phone.now_s)

    async def _send_frame(self, track: str, frame: bytes) -> None:
        self._chunks[track] += 1
        chunk = self._chunks[track]
        timestamp_ms = round((chunk - 1) * FRAME_S * 1000)
        payload = base64.b64encode(self._encoders[track].frame(frame)).decode()
        text = msgspec.json.encode(self.media(track, chunk, timestamp_ms, payload)).decode()
        faults = self._faults
        if faults.drop_media_percent and self._draw.uniform(0, 100) < faults.drop_media_percent:
            return
        self.log.frames_sent += 1
        if faults.reorder_media and chunk % 10 == _SWAPPED:
            await self._flush_held()
            self._held = text
            return
        await self._write(text)
        await self._flush_held()
        if faults.duplicate_media and chunk % 10 == _DUPLICATED:
            await self._write(text)

    async def _flush_held(self) -> None:
        held, self._held = self._held, ""
        if held:
            await self._write(held)

    async def _write(self, text: str) -> None:
        if self._socket is None or self._socket.closed:
            return
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError):
            # The server has gone; `serve` meets that as well, and ends.
            self._phone.detach(self)


def _die(connection: aiohttp.ClientWebSocketResponse) -> None:
    """End a connection without a word of WebSocket's or TLS's."""
    sock = connection.get_extra_info("socket")
    if sock is not None:
        with socket.socket(fileno=os.dup(sock.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)


def _told(problem: BaseException) -> str:
    if isinstance(problem, aiohttp.WSServerHandshakeError):
        return f"it was answered with status {problem.status}"
    if isinstance(problem, TimeoutError | asyncio.TimeoutError):
        return f"there was no answer within {_OPEN_S:g} s"
    return str(problem) or type(problem).__name__

"""HTTP/2 over one connection: many requests at once, each of which can be cancelled by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final, cast

import anyio
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError, StreamClosedError

from warmline.core.clock import Clock
from warmline.core.ids import new_id
from warmline.core.line_use import OpenCost
from warmline.errors import LineLost, NoAnswer, OpenFailed
from warmline.pool.dialling import Address, Dialler
from warmline.pool.http import HttpRequest
from warmline.pool.http2_connection import MAX_STREAMS, Http2Connection
from warmline.pool.line import OnLost
from warmline.pool.response import ArrivingResponse

__all__ = ["Http2Line", "Http2Response"]

_PING_S: Final = 5.0

_REMEDY: Final = "set the endpoint to HTTP/1.1"


class Http2Response(ArrivingResponse):
    """A response on a stream of its own, and the rest of its request's body."""

    def __init__(self, line: Http2Line, stream_id: int, request: HttpRequest) -> None:
        super().__init__()
        self.stream_id = stream_id
        self.unsent = memoryview(request.body)
        self.received_bytes = 0
        self._line = line
        self._is_head = request.method == "HEAD"

    def abandon(self) -> None:
        """Cancel the stream if it has not ended, and give back the window of what is unread."""
        self._line.abandon(self)

    @property
    def is_whole(self) -> bool:
        """Whether the body is as long as its header says; h2 looks at this only if DATA ends the stream."""
        length = self.headers.get("content-length")
        if length is None or self._is_head or self.status in {204, 304}:
            return True
        return length == str(self.received_bytes)

    def _was_read(self, size_bytes: int) -> None:
        self._line.was_read(self, size_bytes)


class Http2Line(asyncio.Protocol):
    """One connection that carries many requests at once.

    An answer that is left in the middle has its stream reset, and the line goes on. One that is
    read slowly makes the far end wait with that answer alone.

    What changes here: `_streams` with each request and its end, `_leaving` when the far end says
    goodbye or is not heard of, the rest in the transport's callbacks.
    """

    def __init__(self, address: Address, headers: Mapping[str, str], clock: Clock, on_lost: OnLost) -> None:
        self.id = new_id("line")
        self.cost = OpenCost()
        self._address = address
        self._headers = headers
        self._clock = clock
        self._on_lost: OnLost | None = on_lost
        self._transport: asyncio.Transport | None = None
        self._h2 = Http2Connection()
        self._may_send = False
        self._has_settings = anyio.Event()
        self._streams: dict[int, Http2Response] = {}
        self._pings: dict[bytes, anyio.Event] = {}
        self._ping_count = 0
        self._heard_at_s = 0.0
        self._leaving: str | None = None
        """Why no request may be sent any more; None while requests may be."""

        self._closed = anyio.Event()

    @classmethod
    async def open(
        cls,
        dialler: Dialler,
        address: Address,
        headers: Mapping[str, str],
        clock: Clock,
        on_lost: OnLost,
    ) -> Http2Line:
        """Connect, encrypt, and wait for the far end's settings; nothing is asked.

        Raises:
            OpenFailed: it can't be connected to, or does not speak HTTP/2.
        """
        if not address.is_tls:
            raise OpenFailed(f"opening HTTP/2 to {address.authority}: it needs https; {_REMEDY}")
        try:
            line, cost = await dialler.open(
                address, lambda: cls(address, headers, clock, on_lost), dialler.http2_tls
            )
        except OpenFailed as error:
            if "no application protocol" in str(error):
                raise _no_http2(address) from error
            raise
        began_s = clock.now_s()
        try:
            await line._begin(dialler.connect_s)
        except BaseException:
            line._abort()
            raise
        line.cost = replace(cost, upgrade_s=clock.now_s() - began_s)
        return line

    @property
    def capacity(self) -> int:
        """How many requests it takes at once; none after the far end's goodbye."""
        if self._leaving is not None:
            return 0
        return min(self._h2.remote_settings.max_concurrent_streams, MAX_STREAMS)

    @property
    def is_reusable(self) -> bool:
        """Whether it is open and takes requests, whatever else is under way."""
        return self._is_open and self._leaving is None

    async def request(self, request: HttpRequest, *, first_result_s: float) -> Http2Response:
        """Send a request and return its response when its status and headers are there.

        Raises:
            LineLost: the connection is gone, or no answer began in time.
        """
        response = self._send(request)
        sent_at_s = self._clock.now_s()
        try:
            with anyio.move_on_after(first_result_s):
                await response.has_headers.wait()
            if response.problem is not None:
                raise response.problem
            if not response.has_headers.is_set():
                if self._heard_at_s < sent_at_s:
                    # The connection may be dead: the next request is not to wait in vain as well.
                    self._leaving = "nothing has come from it for too long"
                raise NoAnswer(f"asking {self._address.authority}: no answer within {first_result_s:g} s")
        except BaseException:
            response.abandon()
            raise
        return response

    async def keep_alive(self) -> float | None:
        """Ping; return how long the answer took.

        A far end whose idle limit ignores pings says goodbye when it is reached, and is replaced.
        """
        if not self._is_open:
            raise self._lost("the connection is closed")
        self._ping_count += 1
        name = self._ping_count.to_bytes(8, "big")
        answered = self._pings[name] = anyio.Event()
        began_s = self._clock.now_s()
        self._h2.ping(name)
        self._settle()
        try:
            with anyio.move_on_after(_PING_S):
                await answered.wait()
        finally:
            self._pings.pop(name, None)
        if not answered.is_set():
            raise NoAnswer(f"pinging {self._address.authority}: no answer within {_PING_S:g} s")
        if not self._is_open:
            raise self._lost("the connection was dropped")
        return self._clock.now_s() - began_s

    async def aclose(self) -> None:
        """Close the connection; at once where an answer is still under way."""
        if self._transport is None or not self._is_open:
            return
        if not self._streams:
            self._h2.close_connection()
            self._settle()
            self._transport.close()
            with anyio.move_on_after(0.5):
                await self._closed.wait()
                return
        self._transport.abort()

    # What its responses call.

    def was_read(self, response: Http2Response, size_bytes: int) -> None:
        """Let the far end send so much more."""
        if self._is_open:
            self._h2.acknowledge_received_data(size_bytes, response.stream_id)
            self._settle()

    def abandon(self, response: Http2Response) -> None:
        """Reset the response's stream if it is open."""
        unread_bytes = response.discard()
        if not self._is_open:
            return
        self._h2.acknowledge_received_data(unread_bytes, response.stream_id)
        if response.stream_id in self._streams:
            self._end(response, self._lost("the answer was abandoned"))
        self._settle()

    # The transport's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; called again when it is encrypted."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Take what came; what is not HTTP/2 ends the connection."""
        self._heard_at_s = self._clock.now_s()
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            self._settle()
            self._leaving = f"it sent what is not HTTP/2 ({error})"
            self._abort()
            return
        for event in events:
            self._take(event)
        self._send_bodies()  # There may be room now.
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answers that were under way, and tell the pool."""
        self._closed.set()
        self._has_settings.set()
        for answered in self._pings.values():
            answered.set()
        why = self._leaving or exc
        streams, self._streams = self._streams, {}
        for response in streams.values():
            response.finish(self._lost(f"the connection was dropped{f' ({why})' if why else ''}"))
        self._tell_lost()

    # What comes from the far end.

    def _take(self, event: Event) -> None:
        """Take one event; those of a stream that has ended here only give back its window."""
        match event:
            case ResponseReceived(stream_id=stream_id, headers=headers):
                if response := self._streams.get(stream_id):
                    self._take_headers(response, headers)
            case DataReceived(stream_id=stream_id):
                self._take_data(event, self._streams.get(stream_id))
            case StreamEnded(stream_id=stream_id):
                if response := self._streams.get(stream_id):
                    self._end(response, None if response.is_whole else self._lost("its answer was cut short"))
            case StreamReset(stream_id=stream_id, error_code=code):
                if response := self._streams.get(stream_id):
                    self._end(response, self._lost(f"it cancelled its answer ({_name(code)})"))
            case RemoteSettingsChanged():
                self._has_settings.set()
            case PingAckReceived(ping_data=name):
                if answered := self._pings.get(name):
                    answered.set()
            case ConnectionTerminated(error_code=code, last_stream_id=last_stream_id):
                self._leaving = f"it said goodbye ({_name(code)})"
                for response in [*self._streams.values()]:
                    if response.stream_id > (last_stream_id or 0):
                        self._end(response, self._lost(self._leaving))
            case _:
                pass  # Interim answers, trailers, and what h2 keeps account of.

    def _take_headers(self, response: Http2Response, headers: Iterable[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            if name != b":status":
                response.add_header(name, value)
            elif value.isdigit():
                response.status = int(value)
        if response.status:
            response.has_headers.set()
        else:
            self._end(response, self._lost("its answer has no status"))

    def _take_data(self, event: DataReceived, response: Http2Response | None) -> None:
        """Keep a piece of a body; its padding, and what nobody will read, is given back at once."""
        kept_bytes = 0
        if response is not None and event.data:
            kept_bytes = len(event.data)
            response.received_bytes += kept_bytes
            response.add(event.data)
        self._h2.acknowledge_received_data(event.flow_controlled_length - kept_bytes, event.stream_id)

    # What goes to the far end.

    @property
    def _is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def _begin(self, settings_s: float) -> None:
        """Send our settings and wait for theirs, which say how many requests it takes at once."""
        ssl_object = self._transport.get_extra_info("ssl_object") if self._transport else None
        if ssl_object is not None and ssl_object.selected_alpn_protocol() != "h2":
            raise _no_http2(self._address)
        self._may_send = True
        self._settle()
        with anyio.move_on_after(settings_s):
            await self._has_settings.wait()
        if not self._has_settings.is_set():
            raise OpenFailed(
                f"opening HTTP/2 to {self._address.authority}: no answer within {settings_s:g} s"
            )
        if not self.is_reusable:
            raise OpenFailed(f"opening HTTP/2 to {self._address.authority}: {self._leaving or 'it hung up'}")

    def _send(self, request: HttpRequest) -> Http2Response:
        """Send a request, and of its body what the far end has room for."""
        if not self.is_reusable:
            raise self._lost(self._leaving or "the connection is closed")
        if len(self._streams) >= self.capacity:
            raise self._lost(f"it takes no more than {self.capacity} requests at once")
        fields = [
            (":method", request.method),
            (":scheme", "https"),
            (":authority", self._address.authority),
            (":path", self._address.path + request.path),
            *request.fields(self._headers),
        ]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        try:
            stream_id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream_id, encoded, end_stream=not request.body)
        except ProtocolError as error:
            # Both ends compress headers by the same table, and ours may have changed in the middle.
            self._abort()
            raise self._lost(f"the request cannot be sent ({error})") from error
        response = self._streams[stream_id] = Http2Response(self, stream_id, request)
        self._send_bodies()
        self._settle()
        return response

    def _send_bodies(self) -> None:
        """Send what there is room for, the oldest request first."""
        for response in self._streams.values():
            while response.unsent:
                room_bytes = min(
                    self._h2.local_flow_control_window(response.stream_id), self._h2.max_outbound_frame_size
                )
                if room_bytes <= 0:
                    break
                piece, response.unsent = response.unsent[:room_bytes], response.unsent[room_bytes:]
                self._h2.send_data(response.stream_id, piece, end_stream=not response.unsent)

    def _end(self, response: Http2Response, problem: LineLost | None) -> None:
        """End a response, and its stream where either end is not done with it."""
        del self._streams[response.stream_id]
        with suppress(StreamClosedError):
            self._h2.reset_stream(response.stream_id, ErrorCodes.CANCEL)
        response.finish(problem)

    def _settle(self) -> None:
        """Send what h2 wants sent; close a line that takes no more requests after its last answer."""
        if self._transport is None or not self._may_send or not self._is_open:
            return
        if data := self._h2.take_outgoing():
            self._transport.write(data)
        if self._leaving is not None and not self._streams:
            self._tell_lost()
            self._transport.abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _tell_lost(self) -> None:
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    def _lost(self, why: str) -> LineLost:
        return LineLost(f"asking {self._address.authority}: {why}")


def _no_http2(address: Address) -> OpenFailed:
    return OpenFailed(f"opening HTTP/2 to {address.authority}: it does not speak it; {_REMEDY}")


def _name(code: ErrorCodes | int | None) -> str:
    return code.name if isinstance(code, ErrorCodes) else str(code)

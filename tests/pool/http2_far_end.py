"""A real HTTP/2 server over TLS, on h2's server side, with handlers that may misbehave."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
import h2.events
import trustme
from anyio.streams.tls import TLSListener, TLSStream
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from warmline.core.clock import SystemClock
from warmline.pool.dialling import Dialler, ssl_context
from warmline.pool.resolver import Resolver

__all__ = ["Connection", "Http2FarEnd", "Stream", "http2_far_end"]


class Stream:
    """One request, and the way to answer it."""

    def __init__(self, connection: Connection, stream_id: int, headers: Mapping[str, str]) -> None:
        self.connection = connection
        self.id = stream_id
        self.headers = headers
        self.body = bytearray()
        self.is_asked = anyio.Event()
        """Set when the whole request is there."""

        self.resets: list[int] = []
        self.scope = anyio.CancelScope()

    async def answer(self, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send a whole answer."""
        await self.begin(headers)
        await self.send(body, end=True)

    async def begin(
        self, headers: Sequence[tuple[str, str]] = (), *, status: str = "200", end: bool = False
    ) -> None:
        """Send headers: interim ones, the answer's, or trailers (which have no status)."""
        fields = [(":status", status)] if status else []
        self.connection.h2.send_headers(self.id, [*fields, *headers], end_stream=end)
        await self.connection.flush()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """Send a piece of the body as the client has room for it."""
        h2 = self.connection.h2
        while data:
            room = min(h2.local_flow_control_window(self.id), h2.max_outbound_frame_size, len(data))
            if room > 0:
                h2.send_data(self.id, data[:room])
                data = data[room:]
                await self.connection.flush()
            else:
                await self.connection.changed.wait()
        if end:
            h2.end_stream(self.id)
            await self.connection.flush()

    async def reset(self, code: ErrorCodes) -> None:
        """End it badly."""
        self.connection.h2.reset_stream(self.id, code)
        await self.connection.flush()


class Connection:
    """One client."""

    def __init__(
        self, transport: TLSStream, settings: Mapping[SettingCodes, int], *, takes_uploads: bool
    ) -> None:
        self.transport = transport
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self.h2.local_settings = Settings(client=False, initial_values=dict(settings))
        self.h2.initiate_connection()
        self.streams: dict[int, Stream] = {}
        self.changed = anyio.Event()
        self.pings = 0
        self.goodbye: int | None = None
        """The error code of the client's GOAWAY."""

        self.takes_uploads = takes_uploads
        self._sending = anyio.Lock()

    async def flush(self) -> None:
        """Send what h2 wants sent; shielded, since half a TLS record would spoil the connection."""
        with anyio.CancelScope(shield=True):
            async with self._sending:
                if data := self.h2.data_to_send():
                    await self.transport.send(data)

    async def say_goodbye(self, last_stream_id: int) -> None:
        """Send GOAWAY; h2 by itself would send nothing after it."""
        frame = GoAwayFrame(last_stream_id=last_stream_id)
        async with self._sending:
            await self.transport.send(frame.serialize())

    async def serve(self, routes: Mapping[str, Handler]) -> None:
        """Answer until the client hangs up."""
        await self.flush()
        async with anyio.create_task_group() as tasks:
            try:
                while True:
                    for event in self.h2.receive_data(await self.transport.receive()):
                        self._take(event, routes, tasks.start_soon)
                    await self.flush()
                    self.changed.set()
                    self.changed = anyio.Event()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ProtocolError):
                tasks.cancel_scope.cancel()

    def _take(
        self, event: h2.events.Event, routes: Mapping[str, Handler], start: Callable[..., object]
    ) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=stream_id, headers=headers):
                fields = {str(name): str(value) for name, value in headers}
                stream = self.streams[stream_id] = Stream(self, stream_id, fields)
                start(self._handle, routes[stream.headers[":path"]], stream)
            case h2.events.DataReceived(stream_id=stream_id):
                self.streams[stream_id].body += event.data
                if self.takes_uploads:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
            case h2.events.StreamEnded(stream_id=stream_id):
                self.streams[stream_id].is_asked.set()
            case h2.events.StreamReset(stream_id=stream_id, error_code=code):
                self.streams[stream_id].resets.append(code)
                self.streams[stream_id].scope.cancel()
            case h2.events.PingReceived():
                self.pings += 1
            case h2.events.ConnectionTerminated(error_code=code):
                self.goodbye = code

    async def _handle(self, handler: Handler, stream: Stream) -> None:
        with stream.scope:
            # The client may be gone, or have reset the stream.
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, ProtocolError):
                await handler(stream)


Handler = Callable[[Stream], Awaitable[None]]


@dataclass
class Http2FarEnd:
    """Where it listens, and a dialler that trusts it."""

    url: str
    dialler: Dialler
    certificate: bytes
    """The authority to trust, as PEM."""

    connections: list[Connection] = field(default_factory=list)
    """All that were ever opened."""


@asynccontextmanager
async def http2_far_end(
    routes: Mapping[str, Handler],
    *,
    settings: Mapping[SettingCodes, int] | None = None,
    offers: str = "h2",
    takes_uploads: bool = True,
) -> AsyncIterator[Http2FarEnd]:
    """Serve `routes` by path, any method, over TLS on localhost."""
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.set_alpn_protocols([offers])
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = ssl_context(http2=True)
    authority.configure_trust(client_tls)
    clock = SystemClock()
    dialler = Dialler(Resolver(clock), clock, http2_tls=client_tls)
    wanted = settings or {SettingCodes.MAX_CONCURRENT_STREAMS: 100}

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp,
        anyio.create_task_group() as tasks,
    ):
        port = tcp.extra(anyio.abc.SocketAttribute.local_port)
        far = Http2FarEnd(f"https://localhost:{port}", dialler, authority.cert_pem.bytes())

        async def serve(transport: TLSStream) -> None:
            async with transport:
                connection = Connection(transport, wanted, takes_uploads=takes_uploads)
                far.connections.append(connection)
                await connection.serve(routes)

        tasks.start_soon(TLSListener(tcp, server_tls, standard_compatible=False).serve, serve)
        yield far
        tasks.cancel_scope.cancel()

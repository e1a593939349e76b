"""Media sockets on uvicorn's port: picows takes over the connection at the upgrade.

Between the socket and the session there is a plain call per message: no task, no queue, no ASGI
event (docs/adr/0006-media-sockets.md).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # compiled, and left out of its stub

from warmline.server.access import Refusal

__all__ = ["Accept", "MediaConnection", "SocketUser", "media_protocol"]

_log = logging.getLogger(__name__)

_PING_AFTER_S: Final = 20.0
"""Silence of a client after which it is asked whether it is there, and has as long again to answer."""

_MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
"""What may wait for a client that reads slowly: about a minute of audio, which it can't catch up with."""


class SocketUser(Protocol):
    """Whoever has a connection; called on the event loop."""

    def opened(self, connection: MediaConnection) -> None:
        """The connection is open."""
        ...

    def received(self, message: bytes) -> None:
        """A whole text message came."""
        ...

    def too_large(self, size_bytes: int) -> None:
        """A message over the limit came and was dropped; the connection is closed after this."""
        ...

    def closed(self) -> None:
        """The connection is gone; nothing can be sent any more."""
        ...

    def server_stopping(self) -> None:
        """The server is about to stop and waits, not for long, until the connection is closed."""
        ...


Accept = Callable[[str, Mapping[str, str]], "tuple[SocketUser, str | None] | Refusal"]
"""Decides on an upgrade of a path with headers: who uses it and which sub-protocol, or why not."""


class MediaConnection(WSListener):
    """One WebSocket that carries text messages.

    What changes here: the parts of a message that comes in pieces, and whether it is closed.
    """

    def __init__(self, user: SocketUser, max_message_bytes: int) -> None:
        self._user = user
        self._max_message_bytes = max_message_bytes
        self._transport: WSTransport | None = None
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._is_closed = False

    def send(self, message: bytes) -> None:
        """Send a text message; a client that does not read what it is sent is closed."""
        if self._transport is None or self._is_closed:
            return
        self._transport.send(WSMsgType.TEXT, message)
        if self._transport.underlying_transport.get_write_buffer_size() > _MAX_WAITING_BYTES:
            _log.warning("client.too_slow")
            self.close(WSCloseCode.POLICY_VIOLATION.value, "the client reads too slowly")
            self._transport.underlying_transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Close; calling it again does nothing."""
        if self._transport is not None and not self._is_closed:
            self._is_closed = True
            self._transport.send_close(WSCloseCode(code), reason.encode())
            self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the transport."""
        self._transport = transport
        self._user.opened(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame: mostly a whole message."""
        if self._is_closed:
            return
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin:
            self._take(frame.get_payload_as_bytes())
        elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._take_part(frame)
        elif kind == WSMsgType.BINARY:
            self.close(WSCloseCode.UNSUPPORTED_DATA.value, "messages are text: JSON events")
        elif kind == WSMsgType.CLOSE:
            self.close(WSCloseCode.OK.value, "")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Tell the user that it is over."""
        self._is_closed = True
        self._user.closed()

    def server_stopping(self) -> None:
        """Pass on that the server stops."""
        self._user.server_stopping()

    def _take_part(self, frame: WSFrame) -> None:
        # Counted and not kept beyond the limit, so that pieces without end take no memory.
        self._parts_bytes += frame.payload_size
        if self._parts_bytes <= self._max_message_bytes:
            self._parts.append(frame.get_payload_as_bytes())
        if frame.fin or self._parts_bytes > self._max_message_bytes:
            parts, self._parts = self._parts, []
            size_bytes, self._parts_bytes = self._parts_bytes, 0
            self._take(b"".join(parts), size_bytes)

    def _take(self, message: bytes, size_bytes: int | None = None) -> None:
        size_bytes = len(message) if size_bytes is None else size_bytes
        if size_bytes <= self._max_message_bytes:
            self._user.received(message)
        else:
            self._user.too_large(size_bytes)
            self.close(WSCloseCode.MESSAGE_TOO_BIG.value, "the message is too large")


def media_protocol(accept: Accept, max_message_bytes: int) -> type[Any]:
    """Return the class that uvicorn makes for each upgrade (`Config(ws=...)`).

    Args:
        accept: Decides on each upgrade.
        max_message_bytes: Larger messages are refused; a frame of twice as many is not even read.
    """

    def respond(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        decision = accept(request.path.decode("latin-1"), request.headers)
        if isinstance(decision, Refusal):
            return WSUpgradeResponseWithListener(_refusal(decision), None)
        user, subprotocol = decision
        headers = {"Sec-WebSocket-Protocol": subprotocol} if subprotocol else None
        response = WSUpgradeResponse.create_101_response(extra_headers=headers)
        return WSUpgradeResponseWithListener(response, MediaConnection(user, max_message_bytes))

    class MediaProtocol(WSProtocol):  # type: ignore[misc]  # a compiled class without type information
        """uvicorn's side: made at the upgrade, told to shut down, known among its connections."""

        def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
            super().__init__(
                None,  # host and port: a client's
                None,  # path: a client's
                False,
                respond,
                logging.getLogger("picows.server"),
                True,  # an error in a callback closes its connection
                5.0,  # seconds for the handshake, which has arrived already
                True,  # pings
                _PING_AFTER_S,
                _PING_AFTER_S,
                WSAutoPingStrategy.PING_WHEN_IDLE,
                True,  # pongs
                2 * max_message_bytes,
                None,  # headers: a client's
                16 * 1024,
            )
            self._connections = server_state.connections

        def connection_made(self, transport: Any) -> None:
            self._connections.add(self)
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            self._connections.discard(self)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            """Take the upgrade request, which uvicorn has read already."""
            view = memoryview(data)
            while view:
                buffer = self.get_buffer(-1)
                size = min(len(buffer), len(view))
                buffer[:size] = view[:size]
                self.buffer_updated(size)
                view = view[size:]

        def shutdown(self) -> None:
            """Let the session say goodbye; uvicorn waits until the connection is gone."""
            if isinstance(self.listener, MediaConnection):
                self.listener.server_stopping()

    return MediaProtocol


def _refusal(refusal: Refusal) -> WSUpgradeResponse:
    body = json.dumps({"error": {"code": refusal.code, "message": refusal.message}}).encode()
    headers = {"Content-Type": "application/json", "Connection": "close"}
    response: WSUpgradeResponse = WSUpgradeResponse.create_error_response(refusal.status, body, headers)
    return response

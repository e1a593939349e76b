"""WebSocket lines, by picows: opened ahead, kept alive, and lent for as long as a call lasts."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import anyio
import picows

from warmline.core.clock import Clock
from warmline.core.ids import new_id
from warmline.core.line_use import OnLine, OpenCost
from warmline.errors import HandshakeRefused, LineLost, OpenFailed
from warmline.pool.dialling import Address, Dialler, TimedSslObject
from warmline.pool.line import OnLost
from warmline.pool.pool import Pool
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.view import PoolView

__all__ = ["KeepAlive", "SocketEndpoint", "WebSocketLine"]

_wire_log = logging.getLogger(f"{__name__}.wire")
_wire_log.setLevel(logging.WARNING)

_MESSAGE_BYTES: Final = 16_777_216
_CLOSE_S: Final = 1.0
_ABNORMAL: Final = 1006
"""What RFC 6455, 7.1.5 calls a connection that ended without a close frame."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """What keeps a free socket open; a WebSocket ping where `text` is None."""

    text: bytes | None = None


OnMessage = Callable[[bytes, bool], None]
"""Given the payload, and whether it was a text message."""


class _Listener(picows.WSListener):
    """picows' callbacks, handed on to the line."""

    def __init__(self, line: WebSocketLine) -> None:
        self._line = line
        self._parts: list[bytes] = []
        self._is_text = True

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._line.transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind == picows.WSMsgType.CLOSE:
            code = frame.get_close_code()
            # 1005 is what RFC 6455, 7.1.5 calls a close frame without a code.
            self._line.closed_by_far_end(int(code.value) if code is not None else 1005, _reason(frame))
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind == picows.WSMsgType.PONG:
            self._line.ponged.set()
        elif kind in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION):
            self._take(kind, frame)

    def _take(self, kind: picows.WSMsgType, frame: picows.WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if kind != picows.WSMsgType.CONTINUATION:
            self._is_text = kind == picows.WSMsgType.TEXT
            if frame.fin:
                self._line.received(payload, self._is_text)
                return
        self._parts.append(payload)
        if sum(map(len, self._parts)) > _MESSAGE_BYTES:
            self._line.transport_abort()
        elif frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._line.received(whole, self._is_text)

    def on_ws_disconnected(self, _: picows.WSTransport) -> None:
        self._line.disconnected()


def _reason(frame: picows.WSFrame) -> str:
    message = frame.get_close_message()
    return message if isinstance(message, str) else (message or b"").decode("utf-8", "replace")


class WebSocketLine:
    """One socket. While it is free, what it receives goes nowhere: it has no way into a conversation.

    What changes here: who is attached, in `attach` and `detach`; the rest in picows' callbacks.
    """

    capacity = 1

    def __init__(self, name: str, keep_alive: KeepAlive | None, clock: Clock, on_lost: OnLost) -> None:
        self.id = new_id("line")
        self.cost = OpenCost()
        self.transport: picows.WSTransport | None = None
        self.ponged = anyio.Event()
        self._name = name
        self._keep_alive = keep_alive
        self._clock = clock
        self._on_lost_to_pool = on_lost
        self._on_message: OnMessage | None = None
        self._on_lost: Callable[[LineLost], None] | None = None
        self._is_retired = False
        self._is_used = False
        self._loss: LineLost | None = None
        self._closed = anyio.Event()

    @property
    def is_reusable(self) -> bool:
        """Whether it is open, and was not retired."""
        return self.transport is not None and self._loss is None and not self._is_retired

    def attach(self, on_message: OnMessage, on_lost: Callable[[LineLost], None]) -> None:
        """Receive from now on; for the holder of the lease.

        Args:
            on_message: Called with each message.
            on_lost: Called at most once; at once, if the line is lost already.
        """
        self._on_message, self._on_lost = on_message, on_lost
        if self._loss is not None:
            self._tell_lost()

    def detach(self) -> None:
        """Receive no more."""
        self._on_message = self._on_lost = None

    def retire(self) -> None:
        """Have the line closed when its lease ends."""
        self._is_retired = True

    def send_text(self, text: bytes | str) -> None:
        """Send a text message; never blocks.

        Raises:
            LineLost: the socket is closed.
        """
        self._send(picows.WSMsgType.TEXT, text.encode() if isinstance(text, str) else text)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message; never blocks.

        Raises:
            LineLost: the socket is closed.
        """
        self._send(picows.WSMsgType.BINARY, data)

    async def keep_alive(self) -> float | None:
        """Send what the provider's protocol asks for; return the ping's round trip where it is a ping.

        Raises:
            LineLost: the socket is closed, or does not answer.
        """
        if self._keep_alive is not None and self._keep_alive.text is not None:
            self.send_text(self._keep_alive.text)
            return None
        self.ponged = anyio.Event()
        began_s = self._clock.now_s()
        self._send(picows.WSMsgType.PING, b"")
        await self.ponged.wait()
        return self._clock.now_s() - began_s

    async def aclose(self) -> None:
        """Say goodbye and close."""
        if self.transport is None or self._loss is not None:
            return
        self.detach()
        self.transport.send_close(picows.WSCloseCode.OK)
        with anyio.move_on_after(_CLOSE_S):
            await self._closed.wait()
            return
        self.transport.disconnect(graceful=False)

    # Called by the listener.

    def received(self, payload: bytes, is_text: bool) -> None:
        """Hand a message to whoever holds the line."""
        if self._on_message is not None:
            self._on_message(payload, is_text)

    def closed_by_far_end(self, code: int, reason: str) -> None:
        """Note the close frame."""
        self._lose(
            LineLost(
                f"{self._name}: the socket was closed ({code} {reason})".rstrip(), code=code, reason=reason
            )
        )

    def disconnected(self) -> None:
        """Note that the connection is gone."""
        self._closed.set()
        self._lose(LineLost(f"{self._name}: the connection was dropped", code=_ABNORMAL))

    def transport_abort(self) -> None:
        """End the connection: the far end sent what cannot be taken."""
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def _lose(self, loss: LineLost) -> None:
        if self._loss is None:
            self._loss = loss
            self._tell_lost()
            self._on_lost_to_pool()

    def _tell_lost(self) -> None:
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None and self._loss is not None:
            on_lost(self._loss)

    def _send(self, kind: picows.WSMsgType, payload: bytes) -> None:
        if self.transport is None or self._loss is not None:
            raise self._loss or LineLost(f"{self._name}: the socket is not open")
        self.transport.send(kind, payload)


class SocketEndpoint:
    """One provider's sockets at one path; shared by all sessions. Use as an async context manager."""

    def __init__(
        self,
        name: str,
        url: str | Callable[[], str],
        dialler: Dialler,
        policy: ShelfPolicy,
        clock: Clock,
        *,
        headers: Mapping[str, str] | None = None,
        keep_alive: KeepAlive | None = None,
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            name: For people and timelines, such as `elevenlabs`.
            url: `wss://` with its path and query, or what returns it for each line that is opened.
            dialler: Opens connections.
            policy: How many lines; a socket is lent for a call, so `warm_target` is beyond those in use.
            clock: The process's.
            headers: Sent with the upgrade; the key is among them.
            keep_alive: What a free socket is kept open with, every `policy.keep_alive_s`.
        """
        self.name = name
        self._url = url
        self._dialler = dialler
        self._clock = clock
        self._headers = dict(headers or {})
        self._keep_alive = keep_alive
        self.pool: Pool[WebSocketLine] = Pool(name, self._open, policy, clock)

    def __repr__(self) -> str:
        return repr(self.pool)

    def views(self) -> tuple[PoolView, ...]:
        """Return what is to be seen of its sockets now."""
        url = self._url if isinstance(self._url, str) else self._url()
        return (self.pool.view(kind="socket", region=Address.of(url).host),)

    async def __aenter__(self) -> Self:
        await self.pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.pool.__aexit__(exc_type, exc, traceback)

    @asynccontextmanager
    async def lease(
        self, *, deadline_s: float = 10.0, on_line: OnLine | None = None
    ) -> AsyncIterator[WebSocketLine]:
        """Hold a socket; attach to it to receive. It is kept for the next one unless it was retired.

        Args:
            deadline_s: How long to wait for one, in seconds.
            on_line: Told how it was got.

        Raises:
            PoolError: none could be had.
        """
        async with self.pool.lease(wait_s=deadline_s, on_line=on_line) as line:
            try:
                yield line
            finally:
                line.detach()

    async def _open(self, on_lost: OnLost) -> WebSocketLine:
        line = WebSocketLine(self.name, self._keep_alive, self._clock, on_lost)
        url = self._url if isinstance(self._url, str) else self._url()
        address = Address.of(url)
        sock, cost = await self._dialler.connect(address)
        connected_at_s = self._clock.now_s()
        context = self._dialler.tls if address.is_tls else None
        settings: dict[str, Any] = {"server_hostname": address.host} if address.is_tls else {}
        try:
            transport = await self._upgraded(line, url, sock, context, settings)
        except picows.WSHandshakeError as error:
            raise _refusal(self.name, error) from error
        except (OSError, ssl.CertificateError, picows.WSError) as error:
            raise OpenFailed(f"opening a socket to {address.authority}: {error or 'no answer'}") from error
        finally:
            if line.transport is None:
                # A transport has it by now, which nobody hands out; it closes when it reads the end.
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        opened_at_s = self._clock.now_s()
        encryption = transport.underlying_transport.get_extra_info("ssl_object")
        encrypted_at_s = encryption.done_at_s if isinstance(encryption, TimedSslObject) else connected_at_s
        line.cost = OpenCost(
            dns_s=cost.dns_s,
            tcp_s=cost.tcp_s,
            tls_s=encrypted_at_s - connected_at_s,
            upgrade_s=opened_at_s - encrypted_at_s,
        )
        return line

    async def _upgraded(
        self,
        line: WebSocketLine,
        url: str,
        sock: socket.socket,
        context: ssl.SSLContext | None,
        settings: Mapping[str, Any],
    ) -> picows.WSTransport:
        """Encrypt and upgrade a connection.

        Being cancelled hangs up and lets the handshake fail of that: one that is cancelled itself
        would leave its transport open.
        """
        transport: picows.WSTransport | None = None
        problem: Exception | None = None

        async def hang_up_if_cancelled() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                if transport is None and problem is None:
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hang_up_if_cancelled)
                with anyio.CancelScope(shield=True):
                    try:
                        transport, _ = await picows.ws_connect(
                            lambda: _Listener(line),
                            url,
                            ssl_context=context,
                            socket_factory=lambda _: sock,
                            websocket_handshake_timeout=self._dialler.connect_s,
                            extra_headers=self._headers,
                            max_frame_size=_MESSAGE_BYTES,
                            max_redirects=0,
                            # aiofastnet's TLS does not go through the ssl module, so it could not be timed.
                            use_aiofastnet=False,
                            logger_name=_wire_log,
                            **settings,
                        )
                    # Kept, since it would come out of the task group in a group.
                    except Exception as error:  # noqa: BLE001
                        problem = error
                tasks.cancel_scope.cancel()
        except BaseException:
            if transport is not None:
                transport.disconnect(graceful=False)
            raise
        if transport is None:
            raise problem or OpenFailed("the handshake was stopped")
        return transport


def _refusal(name: str, error: picows.WSHandshakeError) -> OpenFailed:
    """Return what the far end answered instead of upgrading."""
    if error.response is None:
        return OpenFailed(f"opening a socket to {name}: {error}")
    status = int(error.response.status)
    return HandshakeRefused(
        f"opening a socket to {name}: it was refused with HTTP status {status}",
        status=status,
        headers={key.lower(): value for key, value in error.response.headers.items()},
        body=error.raw_body or b"",
    )

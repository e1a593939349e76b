"""From a name to an encrypted connection, each step timed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit

import anyio

from warmline.core.clock import Clock, SystemClock
from warmline.core.line_use import OpenCost
from warmline.errors import OpenFailed
from warmline.pool.census import Census
from warmline.pool.resolver import Resolver

__all__ = ["Address", "Dialler", "TimedSslObject", "ssl_context"]

_ADDRESS_S: Final = 2.0
"""How long one of several addresses may take; the last one gets all the time there is."""

_PROXY_HEADER_BYTES: Final = 16_384

_CLOCK: Final = SystemClock()

_ProtocolT = TypeVar("_ProtocolT", bound=asyncio.Protocol)


class TimedSslObject(ssl.SSLObject):
    """Notes when the handshake was done, for connections whose next step is somebody else's code."""

    done_at_s = 0.0

    def do_handshake(self) -> None:
        """Go on with the handshake; raises SSLWantReadError until it is done."""
        super().do_handshake()
        self.done_at_s = _CLOCK.now_s()


def ssl_context(certificate: str | None = None, *, http2: bool = False) -> ssl.SSLContext:
    """Return a context that trusts the machine's authorities, and those in a PEM file if one is given.

    The file is read here, so make contexts at start-up. With `http2` it offers that protocol alone.
    """
    context = ssl.create_default_context()
    if certificate is not None:
        context.load_verify_locations(certificate)
    if http2:
        context.set_alpn_protocols(["h2"])
    return context


@dataclass(frozen=True, slots=True)
class Address:
    """Where a base URL points."""

    host: str
    port: int
    is_tls: bool
    path: str
    """What stands before every request's path; no slash at its end."""

    @classmethod
    def of(cls, url: str) -> Address:
        """Read `http://`, `https://`, `ws://` or `wss://`.

        Raises:
            ValueError: it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http, https, ws or wss URL")
        is_tls = parts.scheme in ("https", "wss")
        return cls(parts.hostname, parts.port or (443 if is_tls else 80), is_tls, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """What the Host header says."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.is_tls else 80) else f"{name}:{self.port}"


class Dialler:
    """Opens connections for all pools of the process; keeps nothing but its settings."""

    def __init__(
        self,
        resolver: Resolver,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        http2_tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        connect_s: float = 10.0,
        proxy_resolves: bool = True,
        census: Census | None = None,
    ) -> None:
        """Prepare.

        Args:
            resolver: Finds addresses.
            clock: The process's.
            tls: For https and wss; the machine's authorities by default.
            http2_tls: For endpoints that speak HTTP/2: `ssl_context(..., http2=True)`.
            proxy: An HTTP proxy to go through by CONNECT, such as `http://10.0.0.1:3128`.
            connect_s: How long each of TCP and TLS may take.
            proxy_resolves: Whether the proxy is told names, which it may be alone in knowing, or addresses.
            census: Where the endpoints that it opens connections for are counted.
        """
        self.census = census if census is not None else Census()
        self.tls = tls or ssl_context()
        self.tls.sslobject_class = TimedSslObject
        self.http2_tls = http2_tls
        self.connect_s = connect_s
        self._resolver = resolver
        self._clock = clock
        self._proxy = Address.of(proxy) if proxy else None
        self._proxy_resolves = proxy_resolves

    async def connect(self, address: Address) -> tuple[socket.socket, OpenCost]:
        """Return a connected socket, not yet encrypted, and what it took.

        Raises:
            OpenFailed: no address answered.
        """
        began_s = self._clock.now_s()
        if self._proxy is not None and self._proxy_resolves:
            found = [address.host]
        else:
            found = await self._resolver.addresses(address.host)
        found_at_s = self._clock.now_s()
        try:
            with anyio.fail_after(self.connect_s):
                if self._proxy is None:
                    sock = await self._connect_any(found, address.port)
                else:
                    sock = await self._connect_through(self._proxy, found[0], address.port)
        except TimeoutError:
            raise OpenFailed(
                f"connecting to {address.authority}: no answer within {self.connect_s:g} s"
            ) from None
        return sock, OpenCost(dns_s=found_at_s - began_s, tcp_s=self._clock.now_s() - found_at_s)

    async def open(
        self, address: Address, make_protocol: Callable[[], _ProtocolT], context: ssl.SSLContext | None = None
    ) -> tuple[_ProtocolT, OpenCost]:
        """Connect, encrypt where the address asks for it, and attach a protocol.

        Args:
            address: Where to.
            make_protocol: Called once; its `connection_made` is called again when the connection is
                encrypted, with the transport to use.
            context: Instead of `tls`, where the protocol has to be negotiated.

        Raises:
            OpenFailed: no address answered, or the certificate is not to be trusted.
        """
        sock, cost = await self.connect(address)
        connected_at_s = self._clock.now_s()
        loop = asyncio.get_running_loop()
        transport: asyncio.Transport | None = None
        try:
            # In two steps, because one that is cancelled at its beginning would leave its transport open.
            transport, protocol = await loop.create_connection(make_protocol, sock=sock)
            if address.is_tls:
                encrypted = await loop.start_tls(
                    transport,
                    protocol,
                    context or self.tls,
                    server_hostname=address.host,
                    ssl_handshake_timeout=self.connect_s,
                )
                if encrypted is None:
                    raise ConnectionResetError("it hung up")
                protocol.connection_made(encrypted)
        except (OSError, ssl.CertificateError) as error:
            _drop(transport, sock)
            raise OpenFailed(
                f"encrypting the connection to {address.authority}: {error or 'no answer'}"
            ) from error
        except BaseException:
            _drop(transport, sock)
            raise
        tls_s = self._clock.now_s() - connected_at_s if address.is_tls else 0.0
        return protocol, OpenCost(dns_s=cost.dns_s, tcp_s=cost.tcp_s, tls_s=tls_s)

    async def _connect_any(self, addresses: list[str], port: int) -> socket.socket:
        """Try one address after another; the dead ones stand last."""
        problem: OSError | None = None
        for index, address in enumerate(addresses):
            is_last = index == len(addresses) - 1
            try:
                with anyio.fail_after(None if is_last else _ADDRESS_S):
                    return await self._connect_one(address, port)
            except OSError as error:  # TimeoutError is one
                self._resolver.failed(address)
                problem = error
        raise OpenFailed(f"connecting to port {port} of {', '.join(addresses)}: {problem}") from problem

    async def _connect_one(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    async def _connect_through(self, proxy: Address, host: str, port: int) -> socket.socket:
        """Have a proxy connect (RFC 9110, 9.3.6); what it takes counts as connecting."""
        sock = await self._connect_any(await self._resolver.addresses(proxy.host), proxy.port)
        loop = asyncio.get_running_loop()
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            await loop.sock_sendall(sock, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            answer = bytearray()
            # Byte by byte at the end, so that nothing of what the far end says first is taken.
            while not answer.endswith(b"\r\n\r\n"):
                piece = await loop.sock_recv(sock, 1)
                if not piece or len(answer) > _PROXY_HEADER_BYTES:
                    raise OpenFailed(f"connecting to {target} through {proxy.authority}: it hung up")
                answer += piece
            status = bytes(answer).split(b"\r\n", 1)[0].decode("latin-1")
            if " 200" not in status:
                raise OpenFailed(f"connecting to {target} through {proxy.authority}: it answered {status!r}")
        except OSError as error:
            sock.close()
            raise OpenFailed(f"connecting to {target} through {proxy.authority}: {error}") from error
        except BaseException:
            sock.close()
            raise
        return sock


def _drop(transport: asyncio.Transport | None, sock: socket.socket) -> None:
    if transport is None:
        sock.close()
    else:
        transport.abort()

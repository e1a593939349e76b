"""A name server on UDP that takes its time; every name is this machine."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self, cast

import dns.exception
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

__all__ = ["NameServer"]

_TTL_S: Final = 60


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, since asyncio's own is no subclass of it.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data)
        if answer is not None:
            asyncio.get_running_loop().call_later(self._server.delay_ms / 1000, self._send, answer, addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(answer, addr)


class NameServer:
    """Answers for the simulators' names. Use as an async context manager."""

    def __init__(self, suffix: str, delay_ms: float) -> None:
        """Prepare.

        Args:
            suffix: Names that end so are this machine's; others do not exist.
            delay_ms: How long an answer takes; may be changed.
        """
        self._suffix = suffix
        self.delay_ms = delay_ms
        self.asked = 0
        """Questions so far."""

        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> str:
        """What a client sets as its name server."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen on a free port of this machine."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Protocol(self), local_addr=("127.0.0.1", 0)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    def answer(self, data: bytes) -> bytes | None:
        """Return the answer to a question; None to what is none."""
        try:
            question = dns.message.from_wire(data)
            response = dns.message.make_response(question)
        except dns.exception.DNSException:
            return None
        self.asked += 1
        for asked in question.question:
            name = asked.name.to_text(omit_final_dot=True).lower()
            if not f".{name}".endswith(f".{self._suffix}"):
                response.set_rcode(dns.rcode.NXDOMAIN)
            elif asked.rdtype == dns.rdatatype.A:
                response.answer.append(
                    dns.rrset.from_text(asked.name, _TTL_S, dns.rdataclass.IN, dns.rdatatype.A, "127.0.0.1")
                )
        return response.to_wire()

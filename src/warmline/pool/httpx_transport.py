"""Warm lines under the official SDKs: a transport for httpx, and for httpx2.

The two differ in name alone, so there is one implementation, which is given the module. Neither
is a dependency of warmline.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Any, Final

import anyio

from warmline.errors import LeaseTimeout, LineLost, NoAnswer, PoolError
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest, HttpResponse

__all__ = ["FindEndpoint", "make_transport"]

FindEndpoint = Callable[[str], tuple[HttpEndpoint, str]]
"""From a request's URL to who is asked, and the path below the base URL, with the query."""

_FROM_LINE: Final = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding"})
"""Headers that the line writes itself."""


def make_transport(module: ModuleType, find: FindEndpoint) -> object:
    """Return an `AsyncBaseTransport` of `module`, which is httpx or httpx2."""
    body_type = type("WarmBody", (_Body, module.AsyncByteStream), {})
    transport_type: Any = type("WarmTransport", (_Transport, module.AsyncBaseTransport), {})
    return transport_type(module, body_type, find)


class _Body:
    """A response's body as it arrives; implements `AsyncByteStream`."""

    def __init__(self, httpx: Any, response: HttpResponse, held: AsyncExitStack, read_s: float) -> None:
        self._httpx = httpx
        self._response = response
        self._held = held
        self._read_s = read_s

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._response.chunks()
        while True:
            try:
                with anyio.fail_after(self._read_s):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise self._httpx.ReadTimeout(f"nothing more came within {self._read_s:g} s") from None
            except PoolError as error:
                raise self._httpx.ReadError(str(error)) from error
            if piece is None:
                return
            yield piece

    async def aclose(self) -> None:
        """Give the line back; one whose answer was not read to its end is replaced."""
        await self._held.aclose()


class _Transport:
    """Implements `AsyncBaseTransport`; keeps nothing between requests, and sends none twice."""

    def __init__(self, httpx: Any, body_type: Any, find: FindEndpoint) -> None:
        self._httpx = httpx
        self._body_type = body_type
        self._find = find

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request; return its response when its status and headers are there."""
        endpoint, path = self._find(str(request.url))
        body = await request.aread()
        asked = HttpRequest(request.method, path, self._headers(request.headers.raw), body)
        timeouts = request.extensions.get("timeout", {})
        read_s = _seconds(timeouts, "read")
        # What the caller would wait for: that somebody is done, or that a line is opened.
        is_full = endpoint.pool.is_full
        async with AsyncExitStack() as trying:
            try:
                response = await trying.enter_async_context(
                    endpoint.request(
                        asked,
                        first_result_s=read_s,
                        wait_s=_seconds(timeouts, "pool" if is_full else "connect"),
                    )
                )
            except PoolError as error:
                raise self._translated(error, is_full=is_full) from error
            return self._httpx.Response(
                response.status,
                # As bytes: httpx would encode text as ASCII.
                headers=[
                    (name.encode("latin-1"), value.encode("latin-1"))
                    for name, value in response.headers.items()
                ],
                stream=self._body_type(self._httpx, response, trying.pop_all(), read_s),
                extensions={"line_use": response.line_use},
            )

    def _headers(self, raw: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
        for name, value in raw:
            if any(character in name + value for character in b"\r\n\0"):
                raise self._httpx.LocalProtocolError(f"the header {name!r} has a line break in it")
        return tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in raw
            if name.lower() not in _FROM_LINE
        )

    def _translated(self, error: PoolError, *, is_full: bool) -> Exception:
        match error:
            case LeaseTimeout():
                name = "PoolTimeout" if is_full else "ConnectTimeout"
            case NoAnswer():
                name = "ReadTimeout"
            case LineLost():
                name = "RemoteProtocolError"
            case _:
                name = "ConnectError"
        translated: Exception = getattr(self._httpx, name)(str(error))
        return translated


def _seconds(timeouts: Mapping[str, float | None], name: str) -> float:
    limit_s = timeouts.get(name)
    return math.inf if limit_s is None else limit_s

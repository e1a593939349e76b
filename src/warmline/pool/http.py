"""Requests and responses as the pool carries them: values, and a body that streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from warmline.core.line_use import LineUse
from warmline.pool.line import Line

__all__ = ["HttpLine", "HttpRequest", "HttpResponse", "LineResponse"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; the endpoint adds the host, its own headers, and the length."""

    method: str
    path: str
    """From the base URL's path on, with the query: `/chat/completions`."""

    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    is_idempotent: bool = False
    """Asking twice does no harm: it may be sent again by itself after a failure."""

    def fields(self, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the header fields to send: the endpoint's, replaced by the request's own, and the length."""
        named = {name.lower() for name, _ in self.headers}
        fields = [(name, value) for name, value in headers.items() if name.lower() not in named]
        fields.extend(self.headers)
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            fields.append(("content-length", str(len(self.body))))
        return fields


class LineResponse(Protocol):
    """A response whose body may still be on its way."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; of several with one name, the values joined by commas."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces as they arrive, of any size.

        Raises:
            LineLost: the connection was lost in the middle.
        """
        ...

    async def read(self, *, at_most_bytes: int = 16_777_216) -> bytes:
        """Return the rest of the body.

        Raises:
            LineLost: the connection was lost in the middle, or the body is larger.
        """
        ...

    def abandon(self) -> None:
        """Read no more of it; nothing happens if it was read to its end."""
        ...


class HttpResponse(LineResponse, Protocol):
    """A response as the endpoint gives it; valid within the context it came from."""

    @property
    def line_use(self) -> LineUse:
        """How its line was got."""
        ...


class HttpLine(Line, Protocol):
    """A line that carries requests."""

    async def request(self, request: HttpRequest, *, first_result_s: float) -> LineResponse:
        """Send a request; return its response when its status and headers are there.

        Raises:
            LineLost: the connection is gone, or no answer began in time.
        """
        ...

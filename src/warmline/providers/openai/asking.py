"""What the clients share: a request over warm lines, its failures told alike, its answer as it streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

import anyio

from warmline.core.line_use import OnLine
from warmline.errors import NoAnswer, PoolError, RemoteProtocolError
from warmline.interfaces.llm import LlmPiece
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest, HttpResponse
from warmline.providers.openai.failures import failure, garbled, pool_failure

__all__ = ["SILENCE_S", "AnswerStream", "asked", "pieces_of"]

SILENCE_S: Final = 20.0
"""How long a model may say nothing: before its first token, and between two."""

_ERROR_BYTES: Final = 65_536


class AnswerStream(Protocol):
    """Reads one streamed answer."""

    request_id: str

    def feed(self, piece: bytes) -> Sequence[LlmPiece]:
        """Return the text and the calls that `piece` completes.

        Raises:
            RemoteProtocolError: it is no such stream.
            ProviderError: the far end reports a failure in the middle.
        """
        ...

    def finish(self) -> None:
        """Say that no more bytes will come.

        Raises:
            ProviderUnavailable: the stream was cut.
        """
        ...


@asynccontextmanager
async def asked(
    endpoint: HttpEndpoint,
    request: HttpRequest,
    *,
    model: str,
    first_result_s: float,
    on_line: OnLine | None = None,
) -> AsyncIterator[HttpResponse]:
    """Send a request and return its response, whose status is 200; leaving early cancels the rest.

    Raises:
        ProviderError: no line, no answer, or another status; or the body was cut, where the caller
            lets the pool's error out of the context.
    """
    async with AsyncExitStack() as held:
        try:
            response = await held.enter_async_context(
                endpoint.request(request, first_result_s=first_result_s, on_line=on_line)
            )
        except PoolError as error:
            raise pool_failure(error, model=model, phase="first_result") from error
        if response.status != 200:
            try:
                body = await response.read(at_most_bytes=_ERROR_BYTES)
            except PoolError:
                body = b""
            raise failure(response.status, response.headers, body, model=model)
        try:
            yield response
        except PoolError as error:
            raise pool_failure(error, model=model, phase="stream") from error


async def pieces_of(
    response: HttpResponse, stream: AnswerStream, *, model: str, silence_s: float
) -> AsyncGenerator[LlmPiece, None]:
    """Yield a streamed answer's text and calls as they come.

    Raises:
        ProviderError: it was cut, is none, reports a failure, or nothing came for `silence_s` seconds.
    """
    stream.request_id = response.headers.get("x-request-id", "")
    chunks = response.chunks()
    try:
        while (chunk := await _next(chunks, silence_s)) is not None:
            for piece in stream.feed(chunk):
                yield piece
    except PoolError as error:
        raise pool_failure(error, model=model, phase="stream") from error
    except RemoteProtocolError as error:
        raise garbled(error, model=model, request_id=stream.request_id) from error
    stream.finish()


async def _next(chunks: AsyncIterator[bytes], silence_s: float) -> bytes | None:
    with anyio.move_on_after(silence_s):
        return await anext(chunks, None)
    raise NoAnswer(f"nothing more came for {silence_s:g} s")

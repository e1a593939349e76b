"""A language model over Anthropic's messages, on warm lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Final

from warmline.core.line_use import OnLine
from warmline.errors import PoolError, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import LlmPiece, LlmRequest
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpResponse
from warmline.pool.retrying import RetryPolicy
from warmline.providers.anthropic.failures import PROVIDER, failure, pool_failure
from warmline.providers.anthropic.protocol import (
    MODELS,
    MessagesSettings,
    MessageStream,
    messages_request,
)

__all__ = ["RETRY", "AnthropicMessages", "anthropic_headers"]

RETRY: Final = RetryPolicy(statuses=RetryPolicy().statuses | {529})
"""For the endpoint: 529 is Anthropic's own status for being overloaded."""

_VERSION: Final = "2023-06-01"

_FIRST_RESULT_S: Final = 20.0
"""For the headers of an answer."""

_ERROR_BYTES: Final = 65_536


def anthropic_headers(key: str) -> dict[str, str]:
    """Return what every request carries; keep it out of logs."""
    return {"anthropic-version": _VERSION, **({"x-api-key": key} if key else {})}


class AnthropicMessages:
    """A `LanguageModel`; keeps nothing between requests."""

    def __init__(self, endpoint: HttpEndpoint, settings: MessagesSettings) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key.
            settings: What every request carries.
        """
        self._endpoint = endpoint
        self._settings = settings

    @asynccontextmanager
    async def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[LlmPiece]]:
        """Return the reply's text and calls as they come; the request is sent on entering.

        Raises:
            ProviderUnavailable: no line, no answer, or an answer that was cut.
            ProviderRejected: the key, the model, the credit or a setting is wrong, or the model
                declined to answer.
        """
        asking = self._endpoint.request(
            messages_request(request, self._settings), first_result_s=_FIRST_RESULT_S, on_line=on_line
        )
        async with AsyncExitStack() as held:
            try:
                response = await held.enter_async_context(asking)
            except PoolError as error:
                raise pool_failure(error, model=self._settings.model, phase="first_result") from error
            await self._check(response)
            yield await held.enter_async_context(aclosing(self._pieces(response)))

    async def check_key(self, on_line: OnLine | None = None) -> None:
        """Ask for the list of models: it costs nothing, and a wrong key shows before anybody speaks.

        Args:
            on_line: Told of the line.

        Raises:
            ProviderError: it could not be had.
        """
        try:
            asking = self._endpoint.request(MODELS, first_result_s=_FIRST_RESULT_S, on_line=on_line)
            async with asking as response:
                await self._check(response)
                await response.read()
        except PoolError as error:
            raise pool_failure(error, model=self._settings.model, phase="connect") from error

    async def _check(self, response: HttpResponse) -> None:
        if response.status == 200:
            return
        try:
            body = await response.read(at_most_bytes=_ERROR_BYTES)
        except PoolError:
            body = b""
        raise failure(response.status, response.headers, body, model=self._settings.model)

    async def _pieces(self, response: HttpResponse) -> AsyncGenerator[LlmPiece, None]:
        stream = MessageStream(self._settings.model, response.headers.get("request-id", ""))
        try:
            async for chunk in response.chunks():
                for piece in stream.feed(chunk):
                    yield piece
        except PoolError as error:
            raise pool_failure(error, model=self._settings.model, phase="stream") from error
        except RemoteProtocolError as error:
            raise ProviderUnavailable(
                f"asking {self._settings.model}: it sent {error}; see anthropic.base_urls",
                provider=PROVIDER,
                phase="stream",
                request_id=stream.request_id,
            ) from error
        stream.finish()

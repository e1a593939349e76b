"""A language model over chat completions, on warm lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Final

from warmline.core.line_use import OnLine
from warmline.errors import PoolError, ProviderError, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import LlmRequest
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpResponse
from warmline.providers.openai.failures import PROVIDER, failure, pool_failure
from warmline.providers.openai.protocol import MODELS, ChatSettings, ChatStream, chat_request

__all__ = ["OpenAiChat", "openai_headers"]

_FIRST_RESULT_S: Final = 20.0
"""For the headers of an answer, which come with its first token."""

_ERROR_BYTES: Final = 65_536


def openai_headers(key: str, organization: str = "", project: str = "") -> dict[str, str]:
    """Return what every request carries; keep it out of logs."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if organization:
        headers["openai-organization"] = organization
    if project:
        headers["openai-project"] = project
    return headers


class OpenAiChat:
    """A `LanguageModel`; keeps nothing between requests."""

    def __init__(self, endpoint: HttpEndpoint, settings: ChatSettings) -> None:
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
    ) -> AsyncIterator[AsyncIterator[str]]:
        """Return the reply's text as it comes; the request is sent on entering.

        Raises:
            ProviderUnavailable: no line, no answer, or an answer that was cut.
            ProviderRejected: the key, the model, the quota or a setting is wrong.
        """
        model = self._settings.model
        asking = self._endpoint.request(
            chat_request(request, self._settings), first_result_s=_FIRST_RESULT_S, on_line=on_line
        )
        async with AsyncExitStack() as held:
            try:
                response = await held.enter_async_context(asking)
            except PoolError as error:
                raise pool_failure(error, model=model, phase="first_result") from error
            await self._check(response)
            yield await held.enter_async_context(aclosing(self._text(response)))

    async def check_key(self) -> None:
        """Ask for the list of models: it costs nothing, and a wrong key shows before anybody speaks.

        Raises:
            ProviderError: it could not be had.
        """
        try:
            async with self._endpoint.request(MODELS, first_result_s=_FIRST_RESULT_S) as response:
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

    async def _text(self, response: HttpResponse) -> AsyncGenerator[str, None]:
        stream = ChatStream(self._settings.model, response.headers.get("x-request-id", ""))
        try:
            async for piece in response.chunks():
                text = stream.feed(piece)
                if text:
                    yield text
        except PoolError as error:
            raise pool_failure(error, model=self._settings.model, phase="stream") from error
        except RemoteProtocolError as error:
            raise self._garbled(error, stream.request_id) from error
        stream.finish()

    def _garbled(self, error: RemoteProtocolError, request_id: str) -> ProviderError:
        return ProviderUnavailable(
            f"asking {self._settings.model}: it sent {error}; see openai.base_urls",
            provider=PROVIDER,
            phase="stream",
            request_id=request_id,
        )

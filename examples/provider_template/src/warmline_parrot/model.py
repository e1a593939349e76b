"""A language model over HTTP: `POST /say` with a text, answered by a text that streams."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import msgspec

from warmline.core.line_use import OnLine
from warmline.errors import ConfigError, PoolError, ProviderError, ProviderRejected, ProviderUnavailable
from warmline.interfaces.llm import LlmRequest
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest, HttpResponse
from warmline.pool.lines import Lines
from warmline.server.settings import Secret

__all__ = ["ParrotModel", "open_parrot"]

_FIRST_RESULT_S = 10.0


class _Settings(msgspec.Struct, forbid_unknown_fields=True):
    """What may stand in `[plugins.parrot]`."""

    base_url: str
    api_key: Secret | None = None


@asynccontextmanager
async def open_parrot(settings: Mapping[str, object], lines: Lines) -> AsyncIterator[ParrotModel]:
    """Open the model: the entry point. Its lines are the program's, which closes them.

    Raises:
        ConfigError: the settings are wrong.
    """
    try:
        table = msgspec.convert(settings, _Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"[plugins.parrot] cannot be used: {error}") from error
    headers = {"authorization": f"Bearer {table.api_key.reveal()}"} if table.api_key else {}
    yield ParrotModel(await lines.endpoint("parrot", table.base_url, headers=headers))


class ParrotModel:
    """A `LanguageModel`; keeps nothing between requests."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint

    @asynccontextmanager
    async def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """Return the reply's text as it comes; leaving early cancels the request.

        Raises:
            ProviderError: from entering or iterating.
        """
        said = HttpRequest(
            "POST",
            "/say",
            (("content-type", "text/plain; charset=utf-8"),),
            request.messages[-1].text.encode(),
            is_idempotent=True,
        )
        asking = self._endpoint.request(said, first_result_s=_FIRST_RESULT_S, on_line=on_line)
        async with AsyncExitStack() as held:
            # Only entering is guarded: an error of who reads the text is none of the line's.
            try:
                response = await held.enter_async_context(asking)
            except PoolError as error:
                raise _unavailable(f"asking the parrot: {error}", "first_result") from error
            if response.status in (401, 403):
                raise ProviderRejected(
                    "asking the parrot: the key was refused; see plugins.parrot.api_key",
                    provider="parrot",
                    phase="first_result",
                )
            if response.status != 200:
                raise _unavailable(f"asking the parrot: HTTP status {response.status}", "first_result")
            yield await held.enter_async_context(aclosing(_text(response)))


async def _text(response: HttpResponse) -> AsyncGenerator[str, None]:
    # A character may be cut in two between pieces.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    try:
        async for piece in response.chunks():
            yield decoder.decode(piece)
    except PoolError as error:
        raise _unavailable(f"asking the parrot: {error}", "stream") from error


def _unavailable(message: str, phase: str) -> ProviderError:
    return ProviderUnavailable(message, provider="parrot", phase=phase)

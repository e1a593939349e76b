"""A language model over the Responses API by HTTP, on warm lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from warmline.core.line_use import OnLine
from warmline.interfaces.llm import LlmPiece, LlmRequest
from warmline.pool.endpoint import HttpEndpoint
from warmline.providers.openai.asking import SILENCE_S, asked, pieces_of
from warmline.providers.openai.responses_events import ResponseStream
from warmline.providers.openai.responses_protocol import ResponsesSettings, response_request

__all__ = ["OpenAiResponses"]

_FIRST_RESULT_S: Final = 10.0
"""For the headers of an answer, which come before the model has begun."""


class OpenAiResponses:
    """A `LanguageModel`; keeps nothing between requests, so every one carries the whole context."""

    def __init__(
        self, endpoint: HttpEndpoint, settings: ResponsesSettings, *, silence_s: float = SILENCE_S
    ) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key.
            settings: What every request carries.
            silence_s: How long an answer may say nothing once its headers are there, in seconds.
        """
        self._endpoint = endpoint
        self._settings = settings
        self._silence_s = silence_s

    @asynccontextmanager
    async def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[LlmPiece]]:
        """Return the reply's text and calls as they come; the request is sent on entering.

        Raises:
            ProviderUnavailable: no line, no answer, or an answer that was cut.
            ProviderRejected: the key, the model, the quota or a setting is wrong.
        """
        model = self._settings.model
        async with (
            asked(
                self._endpoint,
                response_request(request, self._settings),
                model=model,
                first_result_s=_FIRST_RESULT_S,
                on_line=on_line,
            ) as response,
            aclosing(
                pieces_of(response, ResponseStream(model), model=model, silence_s=self._silence_s)
            ) as pieces,
        ):
            yield pieces

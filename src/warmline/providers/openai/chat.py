"""A language model over chat completions, on warm lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from warmline.core.line_use import OnLine
from warmline.interfaces.llm import LlmPiece, LlmRequest
from warmline.pool.endpoint import HttpEndpoint
from warmline.providers.openai.asking import SILENCE_S, asked, pieces_of
from warmline.providers.openai.protocol import MODELS, ChatSettings, ChatStream, chat_request

__all__ = ["OpenAiChat", "openai_headers"]

_FIRST_RESULT_S: Final = 20.0
"""For the headers of an answer, which come with its first token."""


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

    def __init__(
        self, endpoint: HttpEndpoint, settings: ChatSettings, *, silence_s: float = SILENCE_S
    ) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key.
            settings: What every request carries.
            silence_s: How long an answer that has begun may say nothing, in seconds.
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
                chat_request(request, self._settings),
                model=model,
                first_result_s=_FIRST_RESULT_S,
                on_line=on_line,
            ) as response,
            aclosing(
                pieces_of(response, ChatStream(model), model=model, silence_s=self._silence_s)
            ) as pieces,
        ):
            yield pieces

    async def check_key(self, on_line: OnLine | None = None) -> None:
        """Ask for the list of models: it costs nothing, and a wrong key shows before anybody speaks.

        Args:
            on_line: Told of the line.

        Raises:
            ProviderError: it could not be had.
        """
        async with asked(
            self._endpoint,
            MODELS,
            model=self._settings.model,
            first_result_s=_FIRST_RESULT_S,
            on_line=on_line,
        ) as response:
            await response.read()

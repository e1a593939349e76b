"""A language model over the Responses API's persistent socket: one line for each conversation."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock
from warmline.core.line_use import OnLine
from warmline.core.loggable import loggable
from warmline.errors import (
    NoAnswer,
    PoolError,
    ProviderError,
    ProviderRejected,
    RemoteProtocolError,
)
from warmline.interfaces.llm import LanguageModel, LlmPiece, LlmRequest
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.openai.asking import SILENCE_S
from warmline.providers.openai.failures import garbled, pool_failure
from warmline.providers.openai.responses_line import ResponsesLine, Turn
from warmline.providers.openai.responses_protocol import ResponsesSettings

__all__ = ["OpenAiResponsesSocket"]

_log = logging.getLogger(__name__)

_TRIES: Final = 3
"""On sockets, before HTTP: one may be at its end, and one may have forgotten the conversation."""

_PREPARE_S: Final = 10.0
"""How long preparing waits for a line: nobody waits for it."""

_USED_UP: Final = frozenset({"websocket_connection_limit_reached", "websocket_stream_limit_reached"})
"""Codes that another socket helps against."""

_ASK_AGAIN: Final = _USED_UP | {"previous_response_not_found"}
"""Codes after which the whole context is sent, on another socket or the same."""


class OpenAiResponsesSocket:
    """A `LanguageModel` and `ConversationPreparer` that sends only what is new in a conversation.

    Use as an async context manager.

    A conversation keeps its line from its first turn on, until it has been idle for a while or the
    line is near its end. A turn that can't be had over a socket before it says anything is asked over HTTP.

    What changes here: `_lines`, by conversation, between turns and when idle ones are looked for.
    """

    def __init__(
        self,
        endpoint: SocketEndpoint,
        http: LanguageModel,
        settings: ResponsesSettings,
        clock: Clock,
        *,
        idle_s: float = 60.0,
        line_wait_s: float = 0.3,
        first_event_s: float = 5.0,
        silence_s: float = SILENCE_S,
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            endpoint: Its lines. `policy.max_age_s` should be below the far end's limit of an hour by
                what a turn may take; `policy.max_lines` is how many conversations have a line at once.
            http: Who is asked where there is no socket.
            settings: What every request carries.
            clock: The process's.
            idle_s: After how long without a turn a conversation's line is given back, in seconds.
            line_wait_s: How long a turn waits for a line before it is asked over HTTP, in seconds.
            first_event_s: The same for the first event, which comes before the model has begun.
            silence_s: How long an answer may say nothing after that, in seconds.
        """
        self._endpoint = endpoint
        self._http = http
        self._settings = settings
        self._clock = clock
        self._idle_s = idle_s
        self._line_wait_s = line_wait_s
        self._first_event_s = first_event_s
        self._silence_s = silence_s
        self._lines: dict[str, ResponsesLine] = {}
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._give_back_idle)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give every line back."""
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)
        for conversation_id, line in [*self._lines.items()]:
            await self._give_back(conversation_id, line)

    @asynccontextmanager
    async def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[LlmPiece]]:
        """Return the reply's text and calls as they come; entering returns when its beginning is there.

        A request without a conversation's id is asked over HTTP.

        Raises:
            ProviderUnavailable: no line, no answer, or an answer that was cut.
            ProviderRejected: the key, the model, the quota or a setting is wrong.
        """
        begun = await self._begin(request, on_line)
        if begun is None:
            async with self._http.stream(request, on_line) as pieces:
                yield pieces
            return
        turn, first = begun
        try:
            async with aclosing(self._pieces(turn, first)) as pieces:
                yield pieces
        finally:
            await self._leave(turn)

    async def prepare(self, request: LlmRequest) -> None:
        """Open the conversation's line and have the far end read the context; what fails is left to the turn.

        Args:
            request: As the first turn's will be, as far as it is known.
        """
        try:
            begun = await self._begin(request, generate=False)
        except ProviderError:
            return
        if begun is not None:
            await self._leave(begun[0])

    async def _begin(
        self, request: LlmRequest, on_line: OnLine | None = None, *, generate: bool = True
    ) -> tuple[Turn, list[LlmPiece]] | None:
        """Return a turn and what it says first, or its end; None where HTTP is to be asked."""
        for _ in range(_TRIES if request.conversation_id else 0):
            turn = await self._ask(request, on_line, generate=generate)
            if turn is None:
                return None
            first = None
            try:
                first = await self._first_pieces(turn)
            finally:
                if first is None:
                    await self._leave(turn)
            if first is not None:
                return turn, first
            if turn.stream.error_code not in _ASK_AGAIN:
                return None
        return None

    async def _ask(self, request: LlmRequest, on_line: OnLine | None, *, generate: bool) -> Turn | None:
        try:
            wait_s = self._line_wait_s if generate else _PREPARE_S
            line = await self._line(request.conversation_id, wait_s)
            use = line.use
            turn = line.begin(request, self._settings, generate=generate)
        except PoolError:
            return None
        if on_line is not None:
            on_line(use)
        return turn

    async def _line(self, conversation_id: str, wait_s: float) -> ResponsesLine:
        line = self._lines.get(conversation_id)
        if line is not None and line.is_good:
            return line
        line = await ResponsesLine.lease(self._endpoint, self._clock, wait_s=wait_s)
        before = self._lines.get(conversation_id)
        self._lines[conversation_id] = line
        if before is not None and not before.is_busy:
            await before.aclose()
        return line

    async def _first_pieces(self, turn: Turn) -> list[LlmPiece] | None:
        """Return them, or none at the end of an answer without any; None where this turn gives nothing."""
        try:
            pieces = await turn.next_pieces(self._first_event_s)
            while pieces == []:
                pieces = await turn.next_pieces(self._silence_s)
        except NoAnswer as error:
            turn.line.is_retired = True
            if turn.stream.response_id:
                # The far end is at work: asking it elsewhere would only begin the wait anew.
                raise pool_failure(error, model=self._settings.model, phase="first_result") from error
        except (PoolError, RemoteProtocolError) as error:
            turn.line.is_retired = True
            _log.info("socket.failed", extra={"endpoint": self._endpoint.name, **loggable(error)})
        except ProviderError as error:
            code = turn.stream.error_code
            turn.line.is_retired |= code in _USED_UP
            if isinstance(error, ProviderRejected) and code not in _ASK_AGAIN:
                raise
        else:
            return pieces or []
        return None

    async def _pieces(self, turn: Turn, first: list[LlmPiece]) -> AsyncGenerator[LlmPiece, None]:
        model = self._settings.model
        pieces: list[LlmPiece] | None = first
        try:
            while pieces is not None:
                for piece in pieces:
                    yield piece
                pieces = await turn.next_pieces(self._silence_s)
        except PoolError as error:
            turn.line.is_retired = True
            raise pool_failure(error, model=model, phase="stream") from error
        except RemoteProtocolError as error:
            turn.line.is_retired = True
            raise garbled(error, model=model, request_id=turn.stream.request_id) from error

    async def _leave(self, turn: Turn) -> None:
        turn.leave()
        line = turn.line
        if not line.is_busy and (not line.is_good or self._lines.get(turn.conversation_id) is not line):
            await self._give_back(turn.conversation_id, line)

    async def _give_back(self, conversation_id: str, line: ResponsesLine) -> None:
        if self._lines.get(conversation_id) is line:
            del self._lines[conversation_id]
        await line.aclose()

    async def _give_back_idle(self) -> None:
        while True:
            await anyio.sleep(self._idle_s / 4)
            for conversation_id, line in [*self._lines.items()]:
                if line.idle_s >= self._idle_s or not (line.is_good or line.is_busy):
                    await self._give_back(conversation_id, line)

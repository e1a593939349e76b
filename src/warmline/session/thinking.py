"""What a reply says: the model's text, with the calls of tools that it asks for in between."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from warmline.errors import ProviderError, ToolError
from warmline.failover import thinking
from warmline.failover.legs import Leg
from warmline.interfaces.channel import EndReason, Telephone
from warmline.interfaces.llm import ConversationPreparer, LanguageModel, LlmRequest, Message, Role, ToolCall
from warmline.interfaces.retriever import Passage, Query
from warmline.interfaces.tool_context import Capability
from warmline.session.reply import Reply
from warmline.session.settings import Providers
from warmline.session.stage import Stage
from warmline.tools.results import ToolResult

__all__ = ["Thinking"]

_ROUNDS: Final = 6
"""How often one reply may call tools; a model that never stops must answer with what it has."""


class Thinking:
    """A session's questions to its language models."""

    def __init__(self, stage: Stage, providers: Providers) -> None:
        """Prepare.

        Args:
            stage: The session's.
            providers: Who is asked, in this order, and what they may call.
        """
        self._stage = stage
        self._providers = providers
        self._legs: Sequence[Leg[LanguageModel]] = providers.llm_legs
        self.tools = providers.tools.available(_capabilities(stage.channel.telephone))

    async def prepare(self) -> None:
        """Let a model get ready for the conversation, if it keeps something for one."""
        model = self._providers.llm
        if isinstance(model, ConversationPreparer):
            stage = self._stage
            request = LlmRequest(stage.context.messages, stage.instructions, stage.id, self.tools.specs)
            with suppress(ProviderError):
                await model.prepare(request)

    @asynccontextmanager
    async def answer(self, reply: Reply, request: LlmRequest) -> AsyncIterator[AsyncIterator[str]]:
        """Return the text of an answer as it comes; leaving the context stops it.

        Tools that change something wait until a draft is adopted.

        Raises:
            ProviderError: from iterating; nobody could answer.
        """
        async with aclosing(self._rounds(reply, request)) as text:
            yield text

    async def _rounds(self, reply: Reply, request: LlmRequest) -> AsyncGenerator[str, None]:
        request = replace(request, tools=self.tools.specs)
        for number in range(_ROUNDS + 1):
            calls: list[ToolCall] = []
            said = ""
            if number == _ROUNDS:
                request = replace(request, tools=())
            async with thinking.stream(
                self._legs,
                request,
                self._providers.failover,
                self._stage.clock,
                on_line=reply.used_line,
                on_setback=reply.had_setback,
            ) as pieces:
                async for piece in pieces:
                    if isinstance(piece, ToolCall):
                        calls.append(piece)
                    else:
                        said += piece
                        yield piece  # noqa: ASYNC119 - answer() closes this
            if not calls:
                return
            if said and not said[-1].isspace():
                yield " "
            answers = await self._run(reply, calls)
            if reply.end_reason and (said or reply.text).strip():
                return  # It has said its farewell.
            asked = Message(Role.ASSISTANT, said.strip(), tool_calls=tuple(calls))
            request = replace(request, messages=[*request.messages, asked, *answers])

    async def _run(self, reply: Reply, calls: Sequence[ToolCall]) -> list[Message]:
        """Return what the calls came to; what an interruption leaves of them is in the context, too."""
        if not self.tools.are_pure(calls):
            await reply.adopted.wait()
        context = _ReplyContext(self._stage, self._providers, reply)
        ended: list[ToolResult] = []

        def note(result: ToolResult) -> None:
            reply.had_result(result)
            ended.append(result)

        try:
            await self.tools.run(calls, context, self._stage.clock, note)
        finally:
            order = [call.id for call in calls]
            ended.sort(key=lambda result: order.index(result.call.id))
            answers = [result.message for result in ended]
            reply.exchanged([Message(Role.ASSISTANT, "", tool_calls=tuple(calls)), *answers])
        return answers


class _ReplyContext:
    """Implements `warmline.interfaces.tool_context.ToolContext` for the tools that one reply calls."""

    def __init__(self, stage: Stage, providers: Providers, reply: Reply) -> None:
        self._stage = stage
        self._providers = providers
        self._reply = reply

    @property
    def session_id(self) -> str:
        return self._stage.id

    @property
    def capabilities(self) -> AbstractSet[Capability]:
        return _capabilities(self._stage.channel.telephone)

    def end_session(self) -> None:
        self._reply.end_reason = EndReason.GOODBYE

    async def transfer(self, number: str) -> None:
        await self._telephone().transfer(number)

    async def send_dtmf(self, digits: str) -> None:
        await self._telephone().send_dtmf(digits)

    async def retrieve(self, query: str) -> Sequence[Passage]:
        return await self._providers.retriever.retrieve(Query(query))

    def _telephone(self) -> Telephone:
        telephone = self._stage.channel.telephone
        if telephone is None:
            raise ToolError("this conversation is not a telephone call")
        return telephone


def _capabilities(telephone: Telephone | None) -> frozenset[Capability]:
    return frozenset(Capability) if telephone is not None else frozenset()

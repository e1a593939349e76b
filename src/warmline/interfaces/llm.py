"""Who answers: a language model, or something that stands in for one."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from warmline.core.line_use import OnLine
from warmline.interfaces.retriever import Passage

__all__ = [
    "CallProgress",
    "ConversationPreparer",
    "LanguageModel",
    "LlmPiece",
    "LlmRequest",
    "Message",
    "Role",
    "ToolCall",
    "ToolSpec",
]


class Role(enum.Enum):
    """Who said it."""

    SYSTEM = "system"
    """The operator."""

    USER = "user"
    """The person."""

    ASSISTANT = "assistant"
    """The agent; only what was heard of it."""

    TOOL = "tool"
    """What a tool answered."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it."""

    name: str
    """ASCII letters, digits, `_` and `-`; at most 64: what every provider takes."""

    description: str
    parameters: Mapping[str, Any]
    """The JSON schema of the arguments: an object."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool; whole."""

    id: str
    """The provider's; the answer is sent back under it."""

    name: str
    arguments: str
    """JSON as the model wrote it: it may be malformed."""


@dataclass(frozen=True, slots=True)
class CallProgress:
    """The model is writing a call, which comes when it is whole: a sign of life, and nothing else."""


LlmPiece = str | ToolCall | CallProgress
"""A piece of the reply's text, or a call; calls may stand anywhere in a stream."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the context."""

    role: Role
    text: str
    alternatives: tuple[str, ...] = ()
    """Other readings of a spoken `text` by the recogniser."""

    passages: tuple[Passage, ...] = ()
    """What retrieval found for it, best first; only on a user's message."""

    tool_calls: tuple[ToolCall, ...] = ()
    """What the agent asked for after its words; an answer to each stands behind the message."""

    tool_call_id: str = ""
    """Which call a tool's message answers."""


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """The context, oldest message first; the last one, a user's or a tool's, is to be answered."""

    messages: Sequence[Message]
    instructions: str = ""
    """How the agent should behave; the operator's words."""

    conversation_id: str = ""
    """The session's; for providers that keep something between the requests of one conversation."""

    tools: Sequence[ToolSpec] = ()
    """What the model may call; the same list in each request of a conversation, for the provider's cache."""


class LanguageModel(Protocol):
    """A model that serves many sessions."""

    def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[LlmPiece]]:
        """Return the reply's text in pieces as they come, which joined are the reply, and calls of tools.

        Leaving the context early cancels the request.

        Args:
            request: What to answer.
            on_line: Told of each connection that is used.

        Raises:
            ProviderError: from entering or iterating.
        """
        ...


@runtime_checkable
class ConversationPreparer(Protocol):
    """What a `LanguageModel` may be as well: one that gains from knowing of a conversation early.

    Ask by `isinstance`; a model that gains nothing lacks `prepare`.
    """

    async def prepare(self, request: LlmRequest) -> None:
        """Have a conversation's line open and its context read before anybody waits for an answer.

        For when a session begins, beside everything else; `stream` may be called meanwhile, and does
        not wait for this. Nothing is answered, but what is read may be billed as input. What fails is
        left to the first turn, which then does without. Cancelling leaves nothing behind.

        Args:
            request: As the first turn's will be, as far as it is known: its instructions, tools and
                conversation's id, which must not be empty, and the messages so far, which may be none.
        """
        ...

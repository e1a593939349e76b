"""Who answers: a language model, or something that stands in for one."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from warmline.core.line_use import OnLine
from warmline.interfaces.retriever import Passage

__all__ = ["LanguageModel", "LlmRequest", "Message", "Role"]


class Role(enum.Enum):
    """Who said it."""

    SYSTEM = "system"
    """The operator."""

    USER = "user"
    """The person."""

    ASSISTANT = "assistant"
    """The agent; only what was heard of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of the context."""

    role: Role
    text: str
    alternatives: tuple[str, ...] = ()
    """Other readings of a spoken `text` by the recogniser."""

    passages: tuple[Passage, ...] = ()
    """What retrieval found for it, best first; only on a user's message."""


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """The context, oldest message first; the last one is the user's and is to be answered."""

    messages: Sequence[Message]
    instructions: str = ""
    """How the agent should behave; the operator's words."""

    conversation_id: str = ""
    """The session's; for providers that keep something between the requests of one conversation."""


class LanguageModel(Protocol):
    """A model that serves many sessions."""

    def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Return the reply's text in pieces as they come; joined, they are the reply.

        Leaving the context early cancels the request.

        Args:
            request: What to answer.
            on_line: Told of each connection that is used.

        Raises:
            ProviderError: from entering or iterating.
        """
        ...

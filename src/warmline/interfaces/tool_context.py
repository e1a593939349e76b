"""What a tool can do to the session that it is called in."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from warmline.interfaces.retriever import Passage

__all__ = ["Capability", "ToolContext"]


class Capability(enum.Enum):
    """What some channels can do, and others can't."""

    TRANSFER = "transfer"
    """Connect the person with another number."""

    SEND_DTMF = "send_dtmf"
    """Press keys towards the far end."""


class ToolContext(Protocol):
    """The session, to a tool: a parameter annotated with it is filled in, and is not shown to the model.

    All of it is called on the event loop.
    """

    @property
    def session_id(self) -> str:
        """The session's; the same in all its calls."""
        ...

    @property
    def capabilities(self) -> AbstractSet[Capability]:
        """What the session's channel can do."""
        ...

    def end_session(self) -> None:
        """End the session once the reply that is being made was played; what it says is the farewell."""
        ...

    async def transfer(self, number: str) -> None:
        """Connect the person with `number`, in international form such as +442071838750; the agent leaves.

        Raises:
            ToolError: the channel can't, or the far end did not take it.
        """
        ...

    async def send_dtmf(self, digits: str) -> None:
        """Press keys, of 0 to 9, A to D, `*` and `#`, one after another.

        Raises:
            ToolError: the channel can't, or the far end did not take it.
        """
        ...

    async def retrieve(self, query: str) -> Sequence[Passage]:
        """Return the passages of the documents that fit best, best first.

        Raises:
            ProviderError: the index did not answer.
        """
        ...

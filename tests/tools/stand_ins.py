"""A session, as tools see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from warmline.errors import ProviderError
from warmline.interfaces.retriever import Passage
from warmline.tools import Capability


@dataclass
class NotedContext:
    """Notes what tools do to it."""

    session_id: str = "sess_1"
    capabilities: frozenset[Capability] = frozenset(Capability)
    passages: Sequence[Passage] = ()
    error: ProviderError | None = None
    done: list[str] = field(default_factory=list)

    def end_session(self) -> None:
        self.done.append("end")

    async def transfer(self, number: str) -> None:
        self.done.append(f"transfer {number}")

    async def send_dtmf(self, digits: str) -> None:
        self.done.append(f"keys {digits}")

    async def retrieve(self, query: str) -> Sequence[Passage]:
        self.done.append(f"find {query}")
        if self.error is not None:
            raise self.error
        return self.passages

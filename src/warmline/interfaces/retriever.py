"""Finding the passages of the user's documents that a question is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Passage", "Query", "Retriever"]


@dataclass(frozen=True, slots=True)
class Query:
    """A question, and what else the recogniser thought it might have been."""

    text: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that can be read aloud."""

    text: str
    """Whole sentences."""

    title: str
    """The heading it stands under, or the document's name."""

    source: str
    """The document's path within the folder, for people."""

    score: float
    """How well it fits, 0..1; below 0.25 it is probably about something else."""

    is_by_words: bool = False
    """It was found by shared words alone: meaning is not compared, or could not be in time."""


class Retriever(Protocol):
    """An index over documents."""

    async def retrieve(self, query: Query) -> Sequence[Passage]:
        """Return the passages that fit best, best first; never blocks the loop.

        Raises:
            ProviderError: the index did not answer.
        """
        ...

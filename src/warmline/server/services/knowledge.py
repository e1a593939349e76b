"""The documents that answers are drawn from."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import anyio

from warmline.errors import InputError
from warmline.interfaces.retriever import Query
from warmline.knowledge.index import Index, OnProgress, Progress, build_index
from warmline.knowledge.sample_library import EXAMPLE_QUESTIONS, SAMPLE_FOLDER
from warmline.server.settings import Settings

__all__ = ["Knowledge", "documents_folder", "load_knowledge"]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The documents that answers are drawn from."""

    index: Index
    name: str
    """For people: the folder, or that it is the sample."""

    example_questions: tuple[str, ...]


def documents_folder(settings: Settings) -> Path:
    """Return where the documents are."""
    return settings.knowledge.documents or SAMPLE_FOLDER


async def load_knowledge(settings: Settings, on_progress: OnProgress | None = None) -> Knowledge:
    """Read and index the documents, on a thread; cancelling stops it within a batch.

    Args:
        settings: Which documents, and whether their meaning is compared by this machine's model.
        on_progress: Called on that thread.

    Raises:
        InputError: the folder is not there, or nothing in it can be read.
    """
    table = settings.knowledge
    folder = documents_folder(settings)
    is_abandoned = threading.Event()

    def report(progress: Progress) -> None:
        if is_abandoned.is_set():
            raise InputError("indexing was stopped")
        if on_progress is not None:
            on_progress(progress)

    def build() -> Index:
        index = build_index(
            folder,
            on_progress=report,
            cache_dir=table.cache_dir,
            embeddings=table.embedder == "offline",
            top_k=table.passages,
        )
        # The first search makes room for all others; no caller should wait for that.
        index.search(Query("Where and when?"))
        return index

    try:
        index = await anyio.to_thread.run_sync(build, abandon_on_cancel=True)
    finally:
        is_abandoned.set()
    if table.documents is None:
        return Knowledge(index, "Sample: the Harbour Lane library", EXAMPLE_QUESTIONS)
    examples = tuple(f"Tell me about {topic}." for topic in index.topics[:4])
    return Knowledge(index, table.documents.name or str(table.documents), examples)

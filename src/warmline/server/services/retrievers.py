"""Who finds the passages that a question is about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from warmline.errors import ProviderError
from warmline.interfaces.retriever import Retriever
from warmline.knowledge.hybrid import HybridRetriever
from warmline.knowledge.index import OnProgress
from warmline.knowledge.vectors import VectorFile
from warmline.pool.lines import Lines
from warmline.providers.openai.chat import openai_headers
from warmline.providers.openai.embeddings import OpenAiEmbeddings
from warmline.providers.openai.embeddings_protocol import EmbeddingSettings
from warmline.providers.openai.protocol import MODELS
from warmline.server.services.knowledge import Knowledge, documents_folder
from warmline.server.services.opened import Opened, host_of, key_of
from warmline.server.settings import OpenAiTable, Settings

__all__ = ["open_retriever"]

_WARM: Final = 1
"""Lines that stand free for the next question; it is on one for a fifth of a second."""


@asynccontextmanager
async def open_retriever(
    settings: Settings, knowledge: Knowledge, lines: Lines, on_progress: OnProgress | None = None
) -> AsyncIterator[Opened[Retriever]]:
    """Open who finds passages; a service has its documents embedded first, as far as it can be had.

    Raises:
        ConfigError: a key is missing.
    """
    index = knowledge.index
    if settings.knowledge.embedder != "openai":
        name = "by meaning and words, on this machine" if index.has_embeddings else "by words alone"
        yield Opened(index, name)
        return
    retriever = await _openai(settings, knowledge, lines)
    note = ""
    try:
        await retriever.embed_documents(on_progress)
    except ProviderError as error:
        note = f"passages are found by words alone until the documents are embedded: {error}"
    async with anyio.create_task_group() as tasks:
        if note:
            tasks.start_soon(retriever.embed_later)
        table = settings.openai
        name = f"by meaning ({table.embedding_model} at {host_of(table.base_urls)}) and words"
        yield Opened(retriever, name, note=note)
        tasks.cancel_scope.cancel()


async def _openai(settings: Settings, knowledge: Knowledge, lines: Lines) -> HybridRetriever:
    table = settings.openai
    key = key_of(
        table.api_key,
        is_needed=table.base_urls == OpenAiTable().base_urls,
        role='finding passages by OpenAI (knowledge.embedder = "openai")',
        variable="OPENAI_API_KEY",
    )
    endpoint = await lines.endpoint(
        "openai embeddings",
        table.base_urls,
        warm=min(settings.lines.llm_warm, _WARM),
        max_lines=settings.lines.llm_connections,
        idle_s=settings.lines.llm_idle_s,
        headers=openai_headers(key, table.organization, table.project),
        probe=MODELS,
        http2=table.http2,
    )
    wanted = EmbeddingSettings(table.embedding_model, table.embedding_dimensions)
    # A server's port says nothing of its models; its host does, where servers of one's own have them.
    model = f"{wanted.model} {wanted.dimensions} at {host_of(table.base_urls)}"
    file = VectorFile(settings.knowledge.cache_dir, documents_folder(settings), model=model, dimensions=None)
    return HybridRetriever(
        knowledge.index.ranking,
        OpenAiEmbeddings(endpoint, wanted),
        file,
        lines.clock,
        deadline_s=settings.knowledge.embedding_deadline_ms / 1000,
    )

"""Texts to vectors by an embedder elsewhere: in batches, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import anyio
import numpy as np

from warmline.errors import ProviderError, ProviderUnavailable
from warmline.interfaces.embedder import Embedder
from warmline.knowledge.minilm import Floats

__all__ = ["embed_all", "embed_few"]

BATCH_TEXTS: Final = 128
"""Of passages, some 50 kB: an answer of a second or two, and a bar that moves."""

BATCHES_AT_ONCE: Final = 4

MOST_BYTES: Final = 8_000
"""Of one text; the services' models read 8,192 tokens, and no text has more tokens than bytes."""


async def embed_few(embedder: Embedder, texts: Sequence[str]) -> Floats:
    """Return vectors of length 1, a row for each text.

    Raises:
        ProviderError: it did not answer, or refused, or what it sent is no vectors of these texts.
    """
    vectors = np.asarray(await embedder.embed([_sendable(text) for text in texts]), np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True) if vectors.ndim == 2 else np.zeros(1)
    if vectors.shape[:1] != (len(texts),) or not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ProviderUnavailable(
            "embedding texts: vectors came that have no direction",
            provider="embedder",
            phase="first_result",
        )
    unit: Floats = vectors / lengths
    return unit


async def embed_all(
    embedder: Embedder, texts: Sequence[str], on_batch: Callable[[Mapping[str, Floats]], None]
) -> ProviderError | None:
    """Embed many texts; after the first problem no more is asked, and what came is told all the same.

    Args:
        embedder: Asked for several batches at once.
        texts: Each once.
        on_batch: Told of each batch's vectors, of length 1, by their texts, in any order.

    Returns:
        The first problem, or None if everything was embedded.
    """
    problems: list[ProviderError] = []
    batches = _batches(texts)

    async def work() -> None:
        for batch in batches:
            try:
                vectors = await embed_few(embedder, batch)
            except ProviderError as problem:
                problems.append(problem)
            else:
                on_batch(dict(zip(batch, vectors, strict=True)))
            if problems:
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(BATCHES_AT_ONCE):
            tasks.start_soon(work)
    return problems[0] if problems else None


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(texts), BATCH_TEXTS):
        yield texts[begin : begin + BATCH_TEXTS]


def _sendable(text: str) -> str:
    """Return what can be sent of a text: no half of a surrogate pair, not too long, and not nothing."""
    return text.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore") or " "

"""Chunks to embeddings: of the text, its heading and its document's title together.

For the sample documents this finds more than embedding the three as one text, or the text alone:
a short heading is not drowned by what stands under it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from warmline.knowledge.chunks import Chunk
from warmline.knowledge.minilm import Floats, MiniLm
from warmline.knowledge.vectors import text_digest

__all__ = ["combined", "embed_chunks", "texts_of"]

HEADING_WEIGHT: Final = 1.0
"""Of the innermost heading's embedding, beside the text's."""

TITLE_WEIGHT: Final = 0.25
"""Of the document's title's: many chunks share it, and it may be no more than a file's name."""


def texts_of(chunks: Sequence[Chunk]) -> dict[str, bytes]:
    """Return the texts that chunks' embeddings are made of, each once, with their `text_digest`."""
    texts = dict.fromkeys(text for chunk in chunks for text in (chunk.text, chunk.title, chunk.headings[0]))
    return {text: text_digest(text) for text in texts}


def combined(chunks: Sequence[Chunk], found: Mapping[bytes, Floats]) -> Floats:
    """Return the chunks' embeddings, each of length 1, in rows.

    Args:
        chunks: At least one.
        found: Those of all `texts_of` them, by digest, of length 1 and as many figures each.
    """
    digests = texts_of(chunks)

    def embedding(chunk: Chunk) -> Floats:
        vector = found[digests[chunk.text]] + TITLE_WEIGHT * found[digests[chunk.headings[0]]]
        if len(chunk.headings) > 1:
            vector += HEADING_WEIGHT * found[digests[chunk.title]]
        unit: Floats = vector / np.linalg.norm(vector)
        return unit

    return np.stack([embedding(chunk) for chunk in chunks]).astype(np.float32)


def embed_chunks(
    chunks: Sequence[Chunk],
    model: MiniLm,
    kept: Mapping[bytes, Floats],
    on_progress: Callable[[int, int], None],
) -> tuple[Floats, dict[bytes, Floats]]:
    """Return the chunks' embeddings, and those of their texts to keep for the next time.

    Args:
        chunks: At least one.
        model: For the texts that are not in `kept`.
        kept: Embeddings by `text_digest`.
        on_progress: Told how many texts are done and how many there are.

    Returns:
        Embeddings of length 1, shape (chunks, 384); and every one that they were made from, by digest.
    """
    digests = texts_of(chunks)
    found = {digest: kept[digest] for digest in digests.values() if digest in kept}
    missing = [text for text, digest in digests.items() if digest not in found]
    known = len(found)
    on_progress(known, len(digests))
    if missing:
        new = model.encode_all(missing, lambda done: on_progress(known + done, len(digests)))
        found.update((digests[text], vector) for text, vector in zip(missing, new, strict=True))
    return combined(chunks, found), found

"""Embeddings: from texts to a request, and from its answer to vectors. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from warmline.errors import RemoteProtocolError
from warmline.pool.http import HttpRequest

__all__ = ["EmbeddingSettings", "batches", "embedding_request", "vectors"]

_MOST_INPUTS: Final = 2048
"""Texts that one request may have."""

_MOST_BYTES: Final = 300_000
"""A request may have 300,000 tokens, and no text has more tokens than bytes."""


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """What every request carries."""

    model: str
    dimensions: int = 0
    """How long the vectors should be; 0 leaves it to the model, and is not sent."""


class _Embedding(msgspec.Struct):
    index: int
    embedding: bytes | list[float]
    """Float32, little-endian, in base64; some servers send figures all the same, at thrice the size."""


class _Answer(msgspec.Struct):
    data: list[_Embedding]


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the texts, in order, in batches that one request may have; a long text stands alone."""
    start = size_bytes = 0
    for end, text in enumerate(texts):
        text_bytes = len(text.encode())
        if end - start == _MOST_INPUTS or (end > start and size_bytes + text_bytes > _MOST_BYTES):
            yield texts[start:end]
            start, size_bytes = end, 0
        size_bytes += text_bytes
    if start < len(texts):
        yield texts[start:]


def embedding_request(texts: Sequence[str], settings: EmbeddingSettings) -> HttpRequest:
    """Return the request for the vectors of one batch."""
    body: dict[str, Any] = {"model": settings.model, "input": list(texts), "encoding_format": "base64"}
    if settings.dimensions:
        body["dimensions"] = settings.dimensions
    return HttpRequest(
        "POST",
        "/embeddings",
        (("content-type", "application/json"),),
        msgspec.json.encode(body),
        is_idempotent=True,
    )


def vectors(body: bytes, count: int) -> npt.NDArray[np.float32]:
    """Return an answer's vectors, shape (count, dimensions), in the order of the texts.

    Raises:
        RemoteProtocolError: it is no such answer, or not that of `count` texts.
    """
    try:
        found = sorted(_ANSWER.decode(body).data, key=lambda each: each.index)
        rows = [
            np.frombuffer(each.embedding, dtype="<f4")
            if isinstance(each.embedding, bytes)
            else each.embedding
            for each in found
        ]
        if [each.index for each in found] != list(range(count)):
            raise RemoteProtocolError(
                f"{len(found)} embeddings for {count} texts", code="bad_embeddings", param="data"
            )
        return np.array(rows, dtype=np.float32)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
        raise RemoteProtocolError(f"embeddings that are none: {error}", code="bad_embeddings") from error

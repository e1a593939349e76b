"""Texts to vectors: really embedded, by the model of this machine."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

import anyio.to_thread
import numpy as np
from aiohttp import web

from warmline.knowledge.minilm import MiniLm
from warmline.simulators.answers import token_count
from warmline.simulators.openai.bodies import EmbeddingsBody, read_body
from warmline.simulators.openai.refused import Refused, no_model
from warmline.simulators.openai.replying import answered

__all__ = ["EMBEDDERS", "Embeddings"]

EMBEDDERS: Final = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
"""How long the vectors of each model are."""

_TEXT_TOKENS: Final = 8192
_REQUEST_TOKENS: Final = 300_000


class Embeddings:
    """Keeps the model, once it was needed."""

    def __init__(self) -> None:
        self._embedder: Callable[[list[str]], Any] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """Answer `POST /v1/embeddings`.

        Raises:
            Refused: the body is not as it should be.
        """
        body = read_body(await request.read(), EmbeddingsBody)
        model = body["model"]
        if model not in EMBEDDERS:
            raise no_model(model)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        size = body.get("dimensions") or EMBEDDERS[model]
        if size > EMBEDDERS[model]:
            raise Refused(
                "invalid_value",
                f"Invalid value for 'dimensions': {model} has {EMBEDDERS[model]}.",
                "dimensions",
            )
        if not all(texts):
            raise Refused("invalid_value", "'$.input' is invalid: a text is empty.", "input")
        if any(token_count(text) > _TEXT_TOKENS for text in texts):
            raise Refused(
                "context_length_exceeded", f"This model's maximum context length is {_TEXT_TOKENS} tokens."
            )
        if sum(map(token_count, texts)) > _REQUEST_TOKENS:
            raise Refused(
                "max_tokens_per_request", f"Requested more than {_REQUEST_TOKENS} tokens per request."
            )
        vectors = await anyio.to_thread.run_sync(self._vectors, texts, size)
        as_base64 = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode() if as_base64 else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ]
        used = sum(map(token_count, texts))
        usage = {"prompt_tokens": used, "total_tokens": used}
        return answered({"object": "list", "data": data, "model": model, "usage": usage})

    def _vectors(self, texts: list[str], size: int) -> Any:
        """Return real embeddings of length 1: this machine's 384 figures, and zeros for the rest."""
        if self._embedder is None:
            self._embedder = MiniLm.load().encode_all
        known = np.asarray(self._embedder(texts), dtype="<f4")
        vectors = np.zeros((len(texts), size), dtype="<f4")
        kept = min(size, known.shape[1])
        vectors[:, :kept] = known[:, :kept]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

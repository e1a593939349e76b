"""Vectors of texts by OpenAI, on warm lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from warmline.errors import RemoteProtocolError
from warmline.pool.endpoint import HttpEndpoint
from warmline.providers.openai.asking import asked
from warmline.providers.openai.embeddings_protocol import (
    EmbeddingSettings,
    batches,
    embedding_request,
    vectors,
)
from warmline.providers.openai.failures import garbled

__all__ = ["OpenAiEmbeddings"]

_FIRST_RESULT_S: Final = 30.0
_ANSWER_BYTES: Final = 67_108_864
"""2,048 vectors of 3,072 figures are 34 MB in base64."""


class OpenAiEmbeddings:
    """An `Embedder`; keeps nothing between requests."""

    def __init__(self, endpoint: HttpEndpoint, settings: EmbeddingSettings) -> None:
        """Prepare.

        Args:
            endpoint: Its lines, whose headers carry the key.
            settings: What every request carries.
        """
        self._endpoint = endpoint
        self._settings = settings

    async def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one vector for each text, in their order: shape (texts, dimensions).

        More than one request may have are asked for in several, one after another.

        Raises:
            ProviderUnavailable: no line, no answer, or one that was cut.
            ProviderRejected: the key, the model, the quota or a text is wrong, such as an empty one.
        """
        found = [await self._embed(batch) for batch in batches(texts)]
        if not found:
            return np.empty((0, self._settings.dimensions), dtype=np.float32)
        return np.concatenate(found)

    async def _embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        model = self._settings.model
        request = embedding_request(texts, self._settings)
        async with asked(self._endpoint, request, model=model, first_result_s=_FIRST_RESULT_S) as response:
            body = await response.read(at_most_bytes=_ANSWER_BYTES)
        try:
            return vectors(body, len(texts))
        except RemoteProtocolError as error:
            request_id = response.headers.get("x-request-id", "")
            raise garbled(error, model=model, request_id=request_id) from error

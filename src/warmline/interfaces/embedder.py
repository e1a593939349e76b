"""Who turns texts into vectors whose angles tell how alike the texts are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Embedder"]


class Embedder(Protocol):
    """A model of texts' meaning; serves many sessions."""

    async def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one vector for each text, in their order: shape (texts, dimensions).

        Raises:
            ProviderError: it did not answer, or refused.
        """
        ...

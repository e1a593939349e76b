"""Embeddings kept on disk, so that a text is embedded once.

One file for each folder of documents and model. An embedding is found by its text's digest: after
a change to one document only that one is embedded again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import platformdirs

from warmline.knowledge.minilm import DIMENSIONS, MODEL_SHA256, Floats

__all__ = ["VectorFile", "text_digest"]

_DIGEST_BYTES = 32


def text_digest(text: str) -> bytes:
    """Return what a text's embedding is kept under."""
    return hashlib.sha256(text.encode()).digest()


class VectorFile:
    """The embeddings of one folder's texts by one model."""

    def __init__(
        self,
        cache_dir: Path | None,
        documents: Path,
        *,
        model: str = MODEL_SHA256,
        dimensions: int | None = DIMENSIONS,
    ) -> None:
        """Prepare; nothing is looked at yet.

        Args:
            cache_dir: Where to keep it, made when needed; None for the user's cache folder.
            documents: The folder that the texts come from.
            model: What tells the model apart from all others; the one of this machine by default.
            dimensions: How many figures its embeddings have; None for as many as there are.
        """
        self._cache_dir = cache_dir
        self._documents = documents
        self._model = model
        self._dimensions = dimensions

    @cached_property
    def path(self) -> Path:
        """Where it is; by the folder itself, through whatever links it was named."""
        key = hashlib.sha256(f"{self._model}\n{self._documents.resolve()}".encode()).hexdigest()
        folder = self._cache_dir or platformdirs.user_cache_path("warmline")
        return folder / "embeddings" / f"{key[:32]}.npz"

    def read(self) -> dict[bytes, Floats]:
        """Return what is kept; nothing if there is no file, or it is damaged or not ours."""
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                digests, vectors = arrays["digests"], arrays["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
            return {}
        count = len(digests) if digests.ndim == 2 else 0
        is_ours = digests.shape == (count, _DIGEST_BYTES) and digests.dtype == np.uint8
        wanted = self._dimensions or (vectors.shape[-1] if vectors.ndim == 2 else 0)
        is_whole = vectors.shape == (count, wanted) and vectors.dtype == np.float32
        if not (is_ours and is_whole and np.isfinite(vectors).all()):
            return {}
        return {digest.tobytes(): vector for digest, vector in zip(digests, vectors, strict=True)}

    def write(self, vectors: Mapping[bytes, Floats]) -> None:
        """Replace what is kept; a reader sees the old file or the new one, never a part.

        Raises:
            OSError: it cannot be written; the old file is untouched.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        digests = np.frombuffer(b"".join(vectors), np.uint8).reshape(len(vectors), _DIGEST_BYTES)
        handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, digests=digests, vectors=np.stack(list(vectors.values())))
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

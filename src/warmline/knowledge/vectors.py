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
from pathlib import Path

import numpy as np

from warmline.knowledge.minilm import DIMENSIONS, MODEL_SHA256, Floats

__all__ = ["VectorFile", "text_digest"]

_DIGEST_BYTES = 32


def text_digest(text: str) -> bytes:
    """Return what a text's embedding is kept under."""
    return hashlib.sha256(text.encode()).digest()


class VectorFile:
    """The embeddings of one folder's texts."""

    def __init__(self, cache_dir: Path, documents: Path) -> None:
        """Name the file; nothing is read or made yet.

        Args:
            cache_dir: Where to keep it; made when needed.
            documents: The folder that the texts come from.
        """
        key = hashlib.sha256(f"{MODEL_SHA256}\n{documents.resolve()}".encode()).hexdigest()
        self.path = cache_dir / "embeddings" / f"{key[:32]}.npz"

    def read(self) -> dict[bytes, Floats]:
        """Return what is kept; nothing if there is no file, or it is damaged or not ours."""
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                digests, vectors = arrays["digests"], arrays["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
            return {}
        count = len(digests) if digests.ndim == 2 else 0
        is_ours = digests.shape == (count, _DIGEST_BYTES) and digests.dtype == np.uint8
        is_whole = vectors.shape == (count, DIMENSIONS) and vectors.dtype == np.float32
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

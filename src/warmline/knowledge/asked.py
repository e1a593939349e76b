"""Vectors of questions that somebody asked before: callers of one agent ask much the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from warmline.knowledge.minilm import Floats

__all__ = ["AskedBefore"]

_KEPT: Final = 2_048
"""3 MB of MiniLM's vectors."""


class AskedBefore:
    """The questions asked last and their vectors, all of one model; in memory alone. Any thread may call it.

    What changes here: `_vectors`, under the lock.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._vectors: OrderedDict[str, Floats] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Return the vectors of those of `texts` that are known."""
        with self._lock:
            known = {text: self._vectors[text] for text in texts if text in self._vectors}
            for text in known:
                self._vectors.move_to_end(text)
        return known

    def keep(self, vectors: Mapping[str, Floats]) -> None:
        """Keep the vectors of texts that were not known."""
        with self._lock:
            self._vectors.update(vectors)
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)

"""Passages found by meaning as an embedder elsewhere sees it, and by words alone while it is not there."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import numpy as np

from warmline.core.clock import Clock
from warmline.core.loggable import loggable
from warmline.errors import ProviderError
from warmline.interfaces.embedder import Embedder
from warmline.interfaces.retriever import Passage, Query
from warmline.knowledge.asked import AskedBefore
from warmline.knowledge.calibration import ANYTHING, Scale, calibrated
from warmline.knowledge.embedding import combined, texts_of
from warmline.knowledge.index import SEARCH_THREADS, OnProgress, Progress, Stage
from warmline.knowledge.minilm import Floats
from warmline.knowledge.ranking import Ranking, readings_of
from warmline.knowledge.served import embed_all, embed_few
from warmline.knowledge.vectors import VectorFile, text_digest
from warmline.pool.breaker import Breaker

__all__ = ["HybridRetriever", "Space"]

_log = logging.getLogger(__name__)

_AGAIN_S: Final = (5.0, 15.0, 60.0, 300.0)
"""Pauses before the documents are tried again; the last one repeats."""

_MISSES: Final = 2
"""Questions in a row that were not embedded in time, after which some are not sent at all."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where the passages lie, by one model."""

    vectors: Floats
    """Of length 1, in rows."""

    scale: Scale

    @classmethod
    def of(cls, ranking: Ranking, found: Mapping[bytes, Floats]) -> Space:
        """Return the space of some passages.

        Args:
            ranking: The passages.
            found: Vectors of their texts and of `ANYTHING`, by digest; of length 1 and one size.
        """
        vectors = combined(ranking.chunks, found)
        closest = [
            float(ranking.closeness([text], found[text_digest(text)][None], vectors).max())
            for text in ANYTHING
        ]
        return cls(vectors, calibrated(closest))


class HybridRetriever:
    """A `Retriever`. A question waits for its vector no longer than it may; words alone then find.

    After two questions in a row without one, none is sent for a while, so that a service that is down
    is waited for now and then and not by every turn.

    What changes here: `_space`, once, when every passage has its vector; `_breaker` with each question.
    """

    def __init__(
        self, ranking: Ranking, embedder: Embedder, file: VectorFile, clock: Clock, *, deadline_s: float
    ) -> None:
        """Prepare; nothing is asked before `embed_documents`.

        Args:
            ranking: The passages.
            embedder: For passages and questions alike.
            file: Where the passages' vectors are kept; of this embedder's model.
            clock: The process's.
            deadline_s: How long a question's vector may take.
        """
        self._ranking = ranking
        self._embedder = embedder
        self._file = file
        self._clock = clock
        self._deadline_s = deadline_s
        self._space: Space | None = None
        self._breaker = Breaker(_MISSES)
        self._asked = AskedBefore()
        self._threads = anyio.CapacityLimiter(SEARCH_THREADS)

    @property
    def has_embeddings(self) -> bool:
        """Whether every passage has its vector; until then words alone find."""
        return self._space is not None

    async def embed_documents(self, on_progress: OnProgress | None = None) -> None:
        """Have those texts embedded that were not before; what came is kept even if the rest did not.

        Args:
            on_progress: Told on the event loop.

        Raises:
            ProviderError: not all could be embedded.
        """
        texts = texts_of(self._ranking.chunks) | {text: text_digest(text) for text in ANYTHING}
        kept = await anyio.to_thread.run_sync(self._file.read)
        found = {digest: kept[digest] for digest in texts.values() if digest in kept}
        try:
            await self._complete(texts, found, on_progress)
            if len({vector.size for vector in found.values()}) > 1:
                # Another model answers to the same name now.
                found.clear()
                await self._complete(texts, found, on_progress)
        finally:
            if found.keys() != kept.keys():
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._keep, found)
        self._space = await anyio.to_thread.run_sync(Space.of, self._ranking, found)

    async def embed_later(self) -> None:
        """Try again until the documents are embedded, or are refused."""
        tries = 0
        while not self.has_embeddings:
            await anyio.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])
            tries += 1
            try:
                await self.embed_documents()
            except ProviderError as error:
                _log.warning("embedder.not_ready", extra=loggable(error))
                if not error.retryable:
                    return
            else:
                _log.info("embedder.ready")

    async def retrieve(self, query: Query) -> Sequence[Passage]:
        """Return the passages that fit best, best first; each says whether words alone found it."""
        readings = readings_of(query)
        if not readings:
            return ()
        space = self._space
        questions = await self._embedded(readings) if space is not None else None
        if space is None or questions is None or questions.shape[1] != space.vectors.shape[1]:
            search = partial(self._ranking.by_words, readings)
        else:
            search = partial(self._ranking.by_meaning, readings, questions, space.vectors, space.scale)
        return await anyio.to_thread.run_sync(search, limiter=self._threads, abandon_on_cancel=True)

    async def _complete(
        self, texts: Mapping[str, bytes], found: dict[bytes, Floats], on_progress: OnProgress | None
    ) -> None:
        """Add to `found` what is missing.

        Raises:
            ProviderError: not all came.
        """

        def take(batch: Mapping[str, Floats]) -> None:
            found.update((texts[text], vector) for text, vector in batch.items())
            tell()

        def tell() -> None:
            if on_progress is not None:
                on_progress(Progress(Stage.EMBEDDING, len(found), len(texts)))

        tell()
        missing = [text for text, digest in texts.items() if digest not in found]
        problem = await embed_all(self._embedder, missing, take)
        if problem is not None:
            raise problem

    def _keep(self, found: Mapping[bytes, Floats]) -> None:
        if not found:
            return
        try:
            self._file.write(found)
        except OSError as error:
            _log.warning("embeddings.not_kept", extra={"path": str(self._file.path), **loggable(error)})

    async def _embedded(self, readings: Sequence[str]) -> Floats | None:
        """Return the readings' vectors, or None if they do not come in time."""
        known = self._asked.recall(readings)
        missing = [text for text in readings if text not in known]
        if not missing:
            return np.stack([known[text] for text in readings])
        if not self._breaker.try_now(self._clock.now_s()):
            return None
        problem: dict[str, str | int] = {"problem": "no answer"}
        try:
            with anyio.move_on_after(self._deadline_s):
                vectors = await embed_few(self._embedder, missing)
                self._breaker.succeeded()
                known.update(zip(missing, vectors, strict=True))
                if len({vector.size for vector in known.values()}) > 1:
                    return None  # Another model answers to the same name now.
                self._asked.keep({text: known[text] for text in missing})
                return np.stack([known[text] for text in readings])
        except ProviderError as error:
            problem = loggable(error)
        except anyio.get_cancelled_exc_class():
            if self._breaker.is_open:
                # Nobody will know how this try would have ended; the next one is due after a pause.
                self._breaker.failed(self._clock.now_s())
            raise
        self._breaker.failed(self._clock.now_s())
        _log.warning("question.not_embedded", extra=problem)
        return None

"""How well passages fit a question: by meaning with a little of words, or by words alone; pure.

By meaning, closeness is the cosine between question and passage, moved by a few hundredths for shared
words, so that the order is that of z(cosine) + 0.1 z(BM25); the model's scale makes it a score. By
words, the score is the share of the question's words that the passage has, weighted by how rare they
are. All are scaled so that the same limit of 0.25 tells questions about something else apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from warmline.interfaces.retriever import Passage, Query
from warmline.knowledge.calibration import Scale
from warmline.knowledge.chunks import Chunk
from warmline.knowledge.lexical import LexicalIndex, Scores
from warmline.knowledge.minilm import Floats

__all__ = ["LEXICAL_WEIGHT", "Ranking", "readings_of"]

LEXICAL_WEIGHT: Final = 0.1
"""Of BM25 beside the cosine, both as z-scores; more made far paraphrases worse."""

SHARE_SCALE: Final = 1.25
"""From a share of a question's words to a score: at 0.2 few good questions are below and few others above."""


def readings_of(query: Query) -> list[str]:
    """Return what may have been asked, each once; nothing where nothing was."""
    return list(dict.fromkeys(filter(None, (text.strip() for text in (query.text, *query.alternatives)))))


class Ranking:
    """Passages, and how well each fits; immutable, so that sessions and threads may share it.

    A passage counts by how well it fits all readings of a question on average: a recogniser that
    expects the documents' words hears them in anything, so that the best fit alone would answer most
    questions about something else.
    """

    def __init__(
        self, chunks: Sequence[Chunk], *, top_k: int, lexical_weight: float = LEXICAL_WEIGHT
    ) -> None:
        """Index the words of at least one chunk.

        Args:
            chunks: In the documents' order.
            top_k: How many passages are returned at most.
            lexical_weight: What shared words count beside meaning.
        """
        self.chunks = tuple(chunks)
        self._lexical = LexicalIndex([f"{chunk.title}. {chunk.text}" for chunk in chunks])
        self._top_k = top_k
        self._lexical_weight = lexical_weight

    def by_words(self, readings: Sequence[str]) -> tuple[Passage, ...]:
        """Return the passages that fit at least one reading best, best first."""
        shares = [self._lexical.share(reading) for reading in readings]
        scores = np.clip(SHARE_SCALE * np.mean(shares, axis=0), 0.0, 1.0)
        return self._best(scores, is_by_words=True)

    def by_meaning(
        self, readings: Sequence[str], questions: Floats, vectors: Floats, scale: Scale
    ) -> tuple[Passage, ...]:
        """Return the passages that fit best, best first.

        Args:
            readings: At least one.
            questions: The readings' vectors, each of length 1, in rows.
            vectors: The chunks', likewise.
            scale: Of the model that both are by.
        """
        return self._best(scale.scores(self.closeness(readings, questions, vectors)), is_by_words=False)

    def closeness(self, readings: Sequence[str], questions: Floats, vectors: Floats) -> Scores:
        """Return how close each chunk is; arguments as `by_meaning`'s."""
        cosines = np.mean(vectors @ questions.T, axis=1, dtype=np.float64)
        words = np.sum([self._lexical.scores(reading) for reading in readings], axis=0)
        return np.asarray(cosines + self._lexical_weight * cosines.std() * _standardised(words), np.float64)

    def _best(self, scores: Scores, *, is_by_words: bool) -> tuple[Passage, ...]:
        best = [int(number) for number in np.argsort(-scores, kind="stable")[: self._top_k]]
        return tuple(
            _passage(self.chunks[number], float(scores[number]), is_by_words=is_by_words)
            for number in best
            if scores[number] > 0
        )


def _passage(chunk: Chunk, score: float, *, is_by_words: bool) -> Passage:
    return Passage(chunk.text, chunk.title, chunk.source, score, is_by_words)


def _standardised(values: Scores) -> Scores:
    deviation = values.std()
    return (values - values.mean()) / deviation if deviation else np.zeros_like(values)

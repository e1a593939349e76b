"""What closeness means "about this": a model's own figures turned into scores; pure.

Two unrelated texts have a cosine of about 0.1 by one model and of 0.7 by another. So a model that
nobody has looked at is asked questions about everything and nothing: as close as most of those come
to any passage, a passage is about something else. That also follows the documents: among more
passages, more come close by chance. `bench/passages.py` prints what it lets through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from warmline.knowledge.lexical import Scores

__all__ = ["ANYTHING", "MINILM", "Scale", "calibrated"]

RELEVANT_SCORE: Final = 0.25
"""Below it a passage is probably about something else, whatever found it (`Passage.score`)."""

BELOW_SHARE: Final = 0.75
"""Of those questions, how many score below. For some documents some of them are no strange questions;
with more than this, paraphrases of what the sample documents say were refused by the dozen."""

HIGHEST_CLOSENESS: Final = 0.99
"""Leaves room above, where a model finds everything alike."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from closeness to score."""

    relevant_at: float
    """The closeness that scores 0.25."""

    slope: float

    def scores(self, closeness: Scores) -> Scores:
        """Return scores, 0..1."""
        return np.asarray(
            np.clip(RELEVANT_SCORE + self.slope * (closeness - self.relevant_at), 0.0, 1.0), np.float64
        )


MINILM: Final = Scale(relevant_at=RELEVANT_SCORE / 0.9, slope=0.9)
"""Of all-MiniLM-L6-v2, read off the sample documents' questions: at 0.28 few good questions are below
and few others above."""


def calibrated(closest: Sequence[float]) -> Scale:
    """Return the scale of a model, on which a closeness of 1 scores 1.

    Args:
        closest: For each of `ANYTHING`, how close the passage is that is closest to it.
    """
    relevant_at = min(float(np.quantile(closest, BELOW_SHARE)), HIGHEST_CLOSENESS)
    return Scale(relevant_at, (1 - RELEVANT_SCORE) / (1 - relevant_at))


ANYTHING: Final = (
    "how do I bake a chocolate cake",
    "what is the population of brazil",
    "who wrote romeo and juliet",
    "which planet is the largest",
    "how many bones are there in the body",
    "what is the best way to learn the guitar",
    "translate good morning into spanish",
    "who won the world cup last time",
    "how do vaccines work",
    "what is seven times eight",
    "when did the roman empire fall",
    "how far away is the moon",
    "why is the sky blue",
    "what should I cook for dinner tonight",
    "how do I tie a tie",
    "what time is it in tokyo",
    "who is the richest person alive",
    "how do I remove a stain from a shirt",
    "what is the boiling point of water",
    "recommend a good film",
    "how does a diesel engine work",
    "what are the symptoms of the flu",
    "who invented the telephone",
    "how do I train a puppy",
    "what is the currency of japan",
    "tell me a story about a dragon",
    "how do I grow tomatoes",
    "what is photosynthesis",
    "how do I get rid of ants",
    "who was the first person on the moon",
    "what is the longest river in the world",
    "how do I meditate",
    "what does a black hole look like",
    "how much does an elephant weigh",
    "is it going to rain this weekend",
    "how do I sharpen a knife",
)
"""Questions about as many things as there are; none is among those that the search is measured by."""

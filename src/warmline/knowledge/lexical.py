"""Search by words: BM25, and how much of a question's meaning-bearing words a text has; pure."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

import bm25s
import numpy as np
from numpy.typing import NDArray

__all__ = ["LexicalIndex", "Scores", "words_of"]

Scores = NDArray[np.float64]

STOP_WORDS: Final = frozenset(
    """a about all also am an and any anybody anyone anything are as at be been being but by can cannot
    could did do does doing done else for from get gets getting give go going got had has have
    having he her here hers him his hello hi how i if in into is it its just know let like many may
    me might mine much must my need no not of off ok okay on one or our ours out over please put say
    shall she should so some something tell than thank thanks that the their theirs them then there
    these they thing things this those to too um uh up us very want was we well were what when where
    which who whom whose why will with would yes you your yours i'm i'd i've i'll it's that's
    there's what's where's who's don't doesn't didn't can't won't isn't aren't""".split()
)
"""Words that questions are made of and that do not say what they are about."""

_WORD = re.compile(r"\w+(?:['\u2019]\w+)?")


class LexicalIndex:
    """BM25 over texts; immutable."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Index at least one text."""
        documents = [words_of(text) for text in texts]
        self._count = len(documents)
        self._containing = Counter(word for words in documents for word in set(words))
        # Without a single word the library has nothing to index.
        self._index = bm25s.BM25(method="lucene") if self._containing else None
        if self._index is not None:
            self._index.index(documents, show_progress=False)

    def scores(self, query: str) -> Scores:
        """Return each text's BM25 score: 0 if it has none of the query's words."""
        known = [word for word in words_of(query) if word in self._containing]
        if not known or self._index is None:
            return np.zeros(self._count)
        return np.asarray(self._index.get_scores(known), np.float64)

    def share(self, query: str) -> Scores:
        """Return each text's score as a share, 0..1, of what a text with all of the query's words would have.

        A word that no text has counts as the rarest there is, so that a question about something
        else that happens to share a word with a text stays low.
        """
        best = sum(self._rarity(word) for word in words_of(query))
        return np.minimum(1.0, self.scores(query) / best) if best else np.zeros(self._count)

    def _rarity(self, word: str) -> float:
        containing = self._containing[word]
        return math.log(1 + (self._count - containing + 0.5) / (containing + 0.5))


def words_of(text: str) -> list[str]:
    """Return the words that say what a text is about, in lower case, without accents and common endings."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return [_stem(word) for word in _WORD.findall(plain) if word not in STOP_WORDS]


def _stem(word: str) -> str:
    """Return what a word has in common with its plural, its -ing form and its past."""
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        word = f"{word[:-3]}y"
    elif word.endswith("s") and not word.endswith(("us", "ss", "is")) and len(word) > 3:
        word = word[:-1]
    if word.endswith("ing") and len(word) > 5:
        word = word[:-3]
    elif word.endswith("ed") and len(word) > 4:
        word = word[:-2]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word

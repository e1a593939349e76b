"""Whether a draft's words are still the turn's words once it is committed; pure.

A recogniser's final differs from its partial in capitals, punctuation and hesitations. None of
these may cost a draft. Anything that can change the answer must.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

import regex

from warmline.turns.scripts import UNSPACED

__all__ = ["Fits", "normalised", "same_words", "word_count"]

Fits = Callable[[str, str], bool]
"""Given what was drafted for and what was committed, whether the draft may be played."""

_HESITATIONS: Final = {
    "en": frozenset("uh uhh uhm um umm erm hmm".split()),
    "de": frozenset("äh ähm öhm hm".split()),
    "fr": frozenset("euh".split()),
}
"""Words that mean nothing, by language: English "um" is German for "at" and Portuguese for "one".
"Well" and "so" are not among them: "well done" is not "done", and no recogniser adds or drops them."""

_ANSWERS: Final = frozenset({("uh", "uh"), ("uh", "huh"), ("mm", "hmm")})
"""Pairs that mean "no" and "yes"."""

_TAKES_PLEASE: Final = frozenset("to you i we they who would will can could not no don't".split())
"""Words after which "please" is a verb, or the beginning of something else."""

_SAME: Final = str.maketrans({
    **dict.fromkeys("\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}", "-"),
    **dict.fromkeys("\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}", "'"),
    "\N{ARABIC TATWEEL}": None,
})
"""Characters that are written for one another."""

_NUMERALS: Final = regex.compile(r"([\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209c\u2150-\u215f\u2189]+)")
"""Superscripts, subscripts and fractions, which the compatibility form would make digits of."""

_MARKS: Final = regex.compile(
    r"""
      [\p{Cf}--[\u200c\u200d]]                   # invisible; Persian and Indian words need two of them
    | (?!(?<=\d\ ?)-\ ?\d) (?!(?<![\p{L}\p{M}])-\d) -        # but 5 - 3, 5-3 and -5 are said
    | (?!(?<=[\p{L}\p{M}])'\p{L}) (?<!\d) '      # but don't, and 6' tall
    | (?![.\u066b]\d) (?<!\d(?=\S\d)) (?!(?<=\d)["\u2032\u2033])    # but .5, 3.5, 10:30 and 6"
      [\p{P}--[\#%&*@/\\_§‰‱\u066a'\-]]          # but C#, 5%, AT&T and the like
    """,
    regex.VERSION1 | regex.VERBOSE,
)
"""Punctuation that is not said."""

_BLANK_INSIDE: Final = regex.compile(rf"(?<=[{UNSPACED}])\s+(?=[{UNSPACED}])")
_WORDS: Final = regex.compile(rf"(?P<unspaced>[{UNSPACED}]+)|[^\s{UNSPACED}]+")
_WORD_CHARACTERS: Final = 2
"""About the length of a word in scripts that do not part them."""


def same_words(drafted: str, committed: str, language: str = "en") -> bool:
    """Return whether both are the same words: the policy used unless another is given."""
    return normalised(drafted, language) == normalised(committed, language)


def normalised(text: str, language: str = "en") -> str:
    """Return `text` without what makes no difference to its answer; retrieval goes by it, too.

    Set aside are capitals, Unicode compatibility forms, punctuation outside numbers, hesitations,
    and a "please" at either end. What is normalised already stays as it is.

    Args:
        text: What somebody said.
        language: ISO 639-1, with a region or not; decides which words are hesitations.
    """
    words = _MARKS.sub(" ", " ".join(_plain(text).split())).split()
    words = _without_hesitations(words, language.partition("-")[0])
    if language.startswith("en"):
        words = _without_please(words)
    return _BLANK_INSIDE.sub("", " ".join(words))


def word_count(text: str, language: str = "en") -> int:
    """Return how many words say something; where no blanks part them, two characters count as one."""
    return sum(
        -(-len(match[0]) // _WORD_CHARACTERS) if match["unspaced"] else 1
        for match in _WORDS.finditer(normalised(text, language))
    )


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    parts = _NUMERALS.split(text)
    parts[::2] = [unicodedata.normalize("NFKC", part).translate(_SAME) for part in parts[::2]]
    # Lower case can take characters apart again.
    return unicodedata.normalize("NFC", "".join(parts).lower())


def _without_hesitations(words: list[str], language: str) -> list[str]:
    hesitations = _HESITATIONS.get(language, frozenset())
    pairs = list(zip(["", *words], words, strict=False))
    return [
        word
        for at, word in enumerate(words)
        if word not in hesitations or not _ANSWERS.isdisjoint(pairs[at : at + 2])
    ]


def _without_please(words: list[str]) -> list[str]:
    while len(words) > 1 and words[-1] == "please" and words[-2] not in _TAKES_PLEASE:
        words = words[:-1]
    while len(words) > 1 and words[0] == "please":
        words = words[1:]
    return words

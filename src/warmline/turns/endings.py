"""What the last words of a transcript tell about whether more will come; pure."""

from __future__ import annotations

import enum
from typing import Final

import regex

__all__ = ["Ending", "ending_of"]


class Ending(enum.Enum):
    """How a text ends."""

    QUESTION = "a question"
    SENTENCE = "a full sentence"
    OPEN = "no sign"
    """Neither a mark nor a word that tells: many recognisers write no punctuation."""

    COMMA = "a comma"
    """Or a semicolon, a colon, a dash."""

    TRAILING_OFF = "dots"
    CONJUNCTION = "a conjunction"
    HESITATION = "a hesitation"
    PREPOSITION = "a preposition"
    ARTICLE = "an article"
    """Or a possessive, which a noun must follow likewise."""


_MARKS: Final = {
    Ending.TRAILING_OFF: regex.compile(r"(?:\.\.+|…|。。+)$"),
    Ending.QUESTION: regex.compile(r"[?？؟⸮՞፧]!?$"),
    Ending.SENTENCE: regex.compile(r"\p{Sentence_Terminal}$"),
    Ending.COMMA: regex.compile(r"[\p{Terminal_Punctuation}\p{Dash_Punctuation}]$"),
}
"""The first that matches counts: dots end in a full stop, and a question mark ends a sentence."""

_WORDS: Final = {
    "en": {
        **dict.fromkeys("um umm uh uhh uhm er erm hmm".split(), Ending.HESITATION),
        **dict.fromkeys("and or but because nor if unless although whether".split(), Ending.CONJUNCTION),
        **dict.fromkeys("a an the my your our their every".split(), Ending.ARTICLE),
        **dict.fromkeys(
            "of to for with from at by into onto about between among without during than per via".split(),
            Ending.PREPOSITION,
        ),
    }
}
"""By language; in one that has no list, the marks alone tell. Left out is what often ends a sentence
as well: "come in", "turn it on", "I think so", "for a while", "call her"."""

_QUESTION_WORDS: Final = {"en": frozenset("what where who whom which how what's where's who's".split())}
"""A question that begins with one of them may end in a preposition: "where are you from"."""

_CLOSING: Final = " \t\n\"'”’»)]}」』】）"
_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*")


def ending_of(text: str, language: str = "en") -> Ending:
    """Return how `text` ends; what its last word says goes before the mark behind it.

    A recogniser puts a full stop behind "I would like the", too. Behind a preposition a mark is
    believed: "What are you looking at?"
    """
    words = _WORD.findall(text.lower())
    code = language.partition("-")[0]
    said = _WORDS.get(code, {}).get(words[-1], Ending.OPEN) if words else Ending.OPEN
    if said not in (Ending.OPEN, Ending.PREPOSITION):
        return said
    stripped = text.rstrip(_CLOSING)
    for ending, mark in _MARKS.items():
        if mark.search(stripped):
            return ending
    if words and words[0] in _QUESTION_WORDS.get(code, ()):
        return Ending.OPEN
    return said

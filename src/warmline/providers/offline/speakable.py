"""From a text to what a synthesiser can be given: pieces of a sentence, without what cannot be said.

Every character keeps its place, so that a position in a piece is one in the text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from warmline.turns.sentences import split_sentences

__all__ = ["MAX_PIECE_CHARACTERS", "Piece", "Word", "pieces_of", "words_of"]

MAX_PIECE_CHARACTERS: Final = 300
"""A longer sentence is cut, at a comma or a space if it has one. The synthesiser serves others
between two pieces; 300 characters are about 20 s of speech, made in 15 ms."""

_BLANK_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Zl", "Zp", "Zs"})
"""Control characters, surrogates, private use, and pictures: espeak would spell out an emoji's name.
Also every kind of blank but the plain one."""

_UNSPOKEN: Final = frozenset("*_`~|\\{}[]<>^")
"""Marks of Markdown and the like, which espeak would read by name."""

_ABBREVIATION_STOP: Final = re.compile(r"(?<=\w)\.(?=\s+\S)")
_CUTS: Final = (re.compile(r"[;:]\s"), re.compile(r",\s"), re.compile(r"\s"))
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the text that is synthesised in one go."""

    start: int
    """Index of its first character in the text."""

    text: str
    """As long as its part of the text; what cannot be said is blank."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the text, with the punctuation that clings to it."""

    start: int
    end: int


def pieces_of(text: str) -> list[Piece]:
    """Return the pieces of `text` that have something to say, in order."""
    pieces: list[Piece] = []
    start = 0
    for sentence in split_sentences(_blanked(text)):
        pieces.extend(piece for piece in _cut(start, sentence) if _says_something(piece.text))
        start += len(sentence)
    return pieces


def words_of(text: str) -> list[Word]:
    """Return the words of `text`: what is between blanks."""
    return [Word(match.start(), match.end()) for match in _WORD.finditer(text)]


def _says_something(text: str) -> bool:
    return any(character.isalnum() or unicodedata.category(character) == "Sc" for character in text)


def _blanked(text: str) -> str:
    return "".join(" " if _is_blank(character) else character for character in text)


def _is_blank(character: str) -> bool:
    return character != "\n" and (
        character in _UNSPOKEN or unicodedata.category(character) in _BLANK_CATEGORIES
    )


def _cut(start: int, sentence: str) -> list[Piece]:
    # A full stop that ends no sentence, as in "Dr. Smith", would make espeak pause.
    sentence = _ABBREVIATION_STOP.sub(" ", sentence)
    pieces: list[Piece] = []
    while len(sentence) > MAX_PIECE_CHARACTERS:
        at = _last_cut(sentence)
        pieces.append(Piece(start, sentence[:at]))
        start += at
        sentence = sentence[at:]
    pieces.append(Piece(start, sentence))
    return pieces


def _last_cut(sentence: str) -> int:
    """Return where to cut: behind the last good place in the second half of what fits."""
    for cut in _CUTS:
        ends = [
            match.end() for match in cut.finditer(sentence, MAX_PIECE_CHARACTERS // 2, MAX_PIECE_CHARACTERS)
        ]
        if ends:
            return ends[-1]
    return MAX_PIECE_CHARACTERS

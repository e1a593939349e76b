"""What is too long for one message, cut where sentences end. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import regex

from warmline.turns.scripts import UNSPACED
from warmline.turns.sentences import split_sentences

__all__ = ["NOTE_CHARACTERS", "TEXT_CHARACTERS", "split_for_notes", "split_text"]

TEXT_CHARACTERS: Final = 4_096
"""What a message of words may have."""

NOTE_CHARACTERS: Final = 1_200
"""What is spoken in one voice note: about 80 s at 15 characters a second, and at the slowest voices' 7 still
less than what fits into 512 KB at 24 kbit/s."""

_UNSPACED: Final = regex.compile(f"[{UNSPACED}]")
_UNSPACED_CHARACTERS: Final = 3
"""A character of these scripts is about a syllable: it takes as long to say as so many letters."""

_SENTENCE_ENDS: Final = regex.compile(rf"[\s。！？{UNSPACED}]\Z")

_Measure = Callable[[str], int]


def _sentences(text: str) -> list[str]:
    """Return sentences that end where words do: `why?:` stays whole."""
    whole: list[str] = []
    for sentence in split_sentences(text):
        if whole and not _SENTENCE_ENDS.search(whole[-1]):
            whole[-1] += sentence
        else:
            whole.append(sentence)
    return whole


_CUTS: Final[Sequence[Callable[[str], Sequence[str]]]] = (
    _sentences,
    regex.compile(r"(?s).+?(?:[,;:]\s+|[，、；：]\s*|\Z)").findall,  # clauses
    regex.compile(r"\S+\s*|\s+").findall,  # words
    regex.compile(r"\X").findall,  # what is seen as one character
    list,
)
"""From the largest pieces to the smallest; joined, the pieces are the text."""


def split_text(text: str, characters: int = TEXT_CHARACTERS) -> list[str]:
    """Return a text in parts that each fit into a message, in order, without the blanks between them.

    Sentences stay whole, and words in sentences that are too long; nothing is lost but white space.

    Args:
        text: Of any length; nothing comes of one that is blank.
        characters: What a part may have at most. They are counted as JavaScript does, which is never
            fewer than what any far end may count.
    """
    return _split(text, characters, _utf16_units)


def split_for_notes(text: str, characters: int = NOTE_CHARACTERS) -> list[str]:
    """Return a text in parts that are each spoken in a voice note; else as `split_text`.

    Args:
        text: Of any length; nothing comes of one that is blank.
        characters: What a part may have at most. In scripts that put no blanks between words a character
            counts as three.
    """
    return _split(text, characters, _spoken_characters)


def _split(text: str, most: int, measure: _Measure) -> list[str]:
    parts: list[str] = []
    part, size = "", 0
    for piece in _pieces(text, most, measure, _CUTS):
        # Blanks at the end may be more than there is room for: they go, if it is a part's end.
        if size + measure(piece.rstrip()) > most:
            parts.append(part)
            part, size = "", 0
        part += piece if part else piece.lstrip()
        size = measure(part)
    parts.append(part)
    return [stripped for each in parts if (stripped := each.strip())]


def _pieces(
    text: str, most: int, measure: _Measure, cuts: Sequence[Callable[[str], Sequence[str]]]
) -> Iterator[str]:
    """Yield the largest pieces that each fit."""
    if measure(text.strip()) <= most or not cuts:
        yield text
        return
    for piece in cuts[0](text):
        yield from _pieces(piece, most, measure, cuts[1:])


def _utf16_units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _spoken_characters(text: str) -> int:
    return len(text) + (_UNSPACED_CHARACTERS - 1) * len(_UNSPACED.findall(text))

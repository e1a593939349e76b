"""Where sentences end."""

from __future__ import annotations

import re
from typing import Final

import sentencex

from warmline.turns.scripts import language_of

__all__ = ["split_sentences"]

_ODD_BLANK: Final = re.compile(r"[^\S \n]|[\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
"""Blanks other than the plain one: sentencex panics on some of them."""


def split_sentences(text: str, language: str | None = None) -> list[str]:
    """Return the sentences with the white space that follows each; joined, they are the text.

    Args:
        text: In any script.
        language: ISO 639-1; decides which abbreviations are known. None to tell it from the script.
    """
    sentences = []
    start = 0
    for sentence in sentencex.segment(language or language_of(text), _ODD_BLANK.sub(" ", text)):
        sentences.append(text[start : start + len(sentence)])
        start += len(sentence)
    return sentences

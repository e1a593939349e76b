"""What of a reply is still to be spoken, as far as its audio tells. No I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["BEGUN_MS", "GivenClause", "clause_in_progress", "has_words", "next_word", "owes_audio"]

BEGUN_MS: Final = 50
"""Less of a word than this is not heard as one, so the word has not begun: the length of a short sound."""

_USUAL_CHARS_PER_S: Final = 15.0
_MOST_CHARS_PER_S: Final = 30.0
"""Nobody speaks faster."""

_WORD: Final = re.compile(r"\w")
_BETWEEN_WORDS: Final = re.compile(r"[\s.,;:!?…)\]}»”’]*")


def has_words(text: str) -> bool:
    """Return whether there is anything in it to be spoken."""
    return _WORD.search(text) is not None


def next_word(text: str, place: int) -> int:
    """Return where the next word begins: behind the blanks and the punctuation that close the last one."""
    match = _BETWEEN_WORDS.match(text, place)
    return match.end() if match else place


def owes_audio(given: str, spoken_to: int | None, audio_s: float) -> bool:
    """Return whether a voice that waits for more text owes audio for what it was given.

    Args:
        given: Its text so far.
        spoken_to: Where the last word ends of which it told the place; None if it tells no places.
            One word that is missing is not missed: it may have been spelled otherwise.
        audio_s: How much audio came.
    """
    if audio_s == 0:
        return has_words(given)
    if spoken_to is None:
        return audio_s < len(given) / _MOST_CHARS_PER_S
    return sum(has_words(word) for word in given[spoken_to:].split()) > 1


@dataclass(frozen=True, slots=True)
class GivenClause:
    """A clause as a voice took it."""

    place: int
    """Where it begins."""

    size: int
    asked_s: float
    """How much audio the voice had made when it asked for the clause."""

    given_s: float
    """And when it got it."""


def clause_in_progress(clauses: Sequence[GivenClause], audio_s: float) -> int:
    """Return where the clause begins that was being spoken, by a voice that does not tell its words' places.

    A voice that asks for a clause when it has spoken the one before is known exactly; of one that
    asks ahead, the pace of speech is assumed.

    Args:
        clauses: What it was given, at least one.
        audio_s: How much of its audio was used.
    """
    place, given_s, ends_s = clauses[0].place, 0.0, 0.0
    for clause in clauses:
        has_spoken = clause.asked_s > given_s
        begins_s = clause.asked_s if has_spoken else max(clause.given_s, ends_s)
        if begins_s >= audio_s:
            break
        place, given_s = clause.place, clause.given_s
        ends_s = begins_s + clause.size / _USUAL_CHARS_PER_S
    return place

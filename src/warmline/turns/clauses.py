"""Cutting a stream of text into pieces worth saying; time comes in as data."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import regex

from warmline.turns.scripts import UNSPACED, language_of
from warmline.turns.sentences import split_sentences

__all__ = ["ClausePolicy", "ClauseSplitter"]


@dataclass(frozen=True, slots=True)
class ClausePolicy:
    """The figures, all of which are settings. A wide character, such as a Chinese one, counts as three."""

    first_clause_chars: int = 24
    """A clause shorter than this sounds clipped when it opens a reply; a whole sentence never does."""

    first_limit_ms: int = 500
    """After how long, from the reply's first text on, its words are said even without a mark: a model
    that writes 50 tokens a second has written more than a clause by then."""

    settle_ms: int = 80
    """How long an end mark must stand to be the end: four tokens of a slow model's. Only at the end of
    what has come; more text decides sooner."""

    unsure_settle_ms: int = 300
    """The same for a full stop that may be a decimal point's, an abbreviation's or an address's."""

    longest_chars: int = 240
    """About 15 s of speech. What is longer is cut at a clause, or between two words."""


_CLAUSE_END: Final = regex.compile(
    r"""
      [,;:،؛–—]\s | \s-\s             # where words are parted by blanks; not inside 1,000 or 10:30
    | —(?=\p{L})
    | (?<!\d)[，、；：]\s* | [，、；：](?=[^\d\s])
    """,
    regex.VERBOSE,
)
_SENTENCE_END: Final = regex.compile(r"(\p{Sentence_Terminal}|…)[\p{Pe}\p{Pf}\"']*\s*$")
_NUMBER_OR_DOTS: Final = regex.compile(r"[\d.…]$")
_ADDRESS: Final = regex.compile(r"(?:\w[./:@]|www)\S*$")
_SAYS_SOMETHING: Final = regex.compile(r"[\p{L}\p{N}\p{S}]")
_LINE: Final = regex.compile(r"[^\n]*\n|[^\n]+$")
_NUMBER_ALONE: Final = regex.compile(r"\s*\d{1,3}\.\s*")
_WORD_BEGUN: Final = regex.compile(r"\w+")
_WHOLE_WORDS: Final = regex.compile(rf".*[\s{UNSPACED}]", regex.DOTALL)

_NEXT_WORDS: Final = ("A", "a")
"""Stand for what has not come yet. sentencex cuts behind a full stop before both only where the next
word does not matter: it takes the capital for an initial if it can, and knows "5 p.m. on"."""

_WIDE: Final = 3
"""How many narrow characters a wide one counts as; about what it takes to say it."""

_DETECTED_CHARS: Final = 24
"""So much text tells its language."""

_TICK_S: Final = 1e-6
"""Clocks' rounding: what is due by less than this is due."""


class ClauseSplitter:
    """The pieces of one reply, in order; joined, they are the reply's text.

    The first piece is the earliest that is worth saying: a sentence, or if that is not complete
    yet, a clause, or after a time whatever words there are. Later pieces are sentences, since by
    then there is audio to play. Only what says nothing, such as blanks, is left out at the end.

    What changes here: `_buffer` and what is known of it, in `push`, `pending` and `flush`.
    """

    def __init__(self, language: str | None = None, policy: ClausePolicy | None = None) -> None:
        """Begin a reply.

        Args:
            language: ISO 639-1; None to tell it from the script.
            policy: The figures.
        """
        self._language = language
        self._policy = policy or ClausePolicy()
        self._buffer = ""
        self._is_first = True
        self._began_at_s: float | None = None
        self._grew_at_s = 0.0

    def push(self, delta: str, now_s: float) -> list[str]:
        """Take more text; return the pieces it completes, each with the white space that follows."""
        if not delta:
            return self.pending(now_s)
        self._buffer += delta
        self._grew_at_s = now_s
        if self._began_at_s is None and _SAYS_SOMETHING.search(delta):
            self._began_at_s = now_s
        pieces = self._cut_at(self._sentence_ends())
        if self._is_first:
            pieces += self._cut_at(self._opening_clause_end())
        while (fitting := _fitting(self._buffer, self._policy.longest_chars)) < len(self._buffer):
            too_long = self._cut_at([_last_good_place(self._buffer, fitting)])
            if not too_long:
                break
            pieces += too_long
        return pieces + self.pending(now_s)

    @property
    def due_at_s(self) -> float | None:
        """When `pending` will have something to return if no text comes before; None if it will not."""
        instants = []
        if (settle_ms := self._settle_ms()) is not None:
            instants.append(self._grew_at_s + settle_ms / 1000)
        if self._began_at_s is not None and self._opening_words_end():
            instants.append(self._began_at_s + self._policy.first_limit_ms / 1000)
        return min(instants, default=None)

    def pending(self, now_s: float) -> list[str]:
        """Return the piece that has stood long enough to be said without waiting for more, if any.

        That is a sentence whose end mark nothing has followed, or the reply's first words. A word
        that may not be whole is not among them.
        """
        settle_ms = self._settle_ms()
        if settle_ms is not None and now_s > self._grew_at_s + settle_ms / 1000 - _TICK_S:
            return self._cut_at([len(self._buffer)])
        if self._began_at_s is None:
            return []
        if now_s > self._began_at_s + self._policy.first_limit_ms / 1000 - _TICK_S:
            return self._cut_at([self._opening_words_end()])
        return []

    def flush(self) -> list[str]:
        """Return what is left: the text is over."""
        return self._cut_at([len(self._buffer)])

    def _cut_at(self, ends: Iterable[int]) -> list[str]:
        """Take what stands before each of the ends, which rise, out of the buffer.

        What says nothing stays in front of what follows.
        """
        pieces = []
        start = 0
        for end in ends:
            if _SAYS_SOMETHING.search(self._buffer, start, end):
                pieces.append(self._buffer[start:end])
                start = end
        self._buffer = self._buffer[start:]
        self._is_first = self._is_first and not pieces
        return pieces

    def _sentence_ends(self) -> Iterator[int]:
        """Return where the sentences end that are certainly over."""
        start = end = 0
        for line in _LINE.findall(self._buffer):
            for sentence in self._complete_sentences(line):
                end += len(sentence)
                # The number of a list's item is said with the item.
                if not _NUMBER_ALONE.fullmatch(self._buffer, start, end):
                    yield end
                    start = end

    def _complete_sentences(self, line: str) -> list[str]:
        """Return the sentences of a line behind which another begins; all of them if the line is over."""
        language = self._language_now()
        if line.endswith("\n"):
            return split_sentences(line, language)
        # White space at the end is where the next would begin: models that write in whole words put it there.
        begun = line + _NEXT_WORDS[0] if line[-1:].isspace() else line
        *complete, rest = split_sentences(begun, language)
        # A word may not be whole yet, and what it is tells "No. Five" from "No. We do not".
        if complete and _WORD_BEGUN.fullmatch(rest) and not self._is_over("".join(complete)):
            return complete[:-1]
        return complete

    def _opening_clause_end(self) -> list[int]:
        """Return where the first clause ends that is worth opening with, if there is one."""
        for match in _CLAUSE_END.finditer(self._buffer):
            if _weight(self._buffer[: match.start()]) >= self._policy.first_clause_chars:
                return [match.end()]
        return []

    def _opening_words_end(self) -> int:
        """Return where the opening's last word ends that is certainly whole; 0 if there is none."""
        if not self._is_first:
            return 0
        words = _WHOLE_WORDS.match(self._buffer)
        return words.end() if words and _SAYS_SOMETHING.search(words[0]) else 0

    def _settle_ms(self) -> int | None:
        """Return how long the end mark that the buffer ends with must stand; None if there is none."""
        end = _SENTENCE_END.search(self._buffer)
        if end is None or not _SAYS_SOMETHING.search(self._buffer):
            return None
        before, is_stop = self._buffer[: end.start()], end[1] in ".…"
        may_go_on = _ADDRESS.search(before) or (
            is_stop and (_NUMBER_OR_DOTS.search(before) or not self._is_over(f"{self._buffer.rstrip()} "))
        )
        return self._policy.unsure_settle_ms if may_go_on else self._policy.settle_ms

    def _is_over(self, text: str) -> bool:
        """Return whether the text ends a sentence whatever the next word is."""
        end = _SENTENCE_END.search(text)
        words = _NEXT_WORDS if end is not None and end[1] in ".…" else _NEXT_WORDS[:1]
        return all(split_sentences(text + word, self._language_now())[-1] == word for word in words)

    def _language_now(self) -> str:
        if self._language is not None:
            return self._language
        language = language_of(self._buffer)
        if len(self._buffer) >= _DETECTED_CHARS:
            self._language = language
        return language


def _weight(text: str) -> int:
    """Return how many narrow characters take as long to say."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide * (_WIDE - 1)


def _fitting(text: str, weight: int) -> int:
    """Return how many characters of `text` weigh no more than `weight`."""
    if len(text) * _WIDE <= weight or text.isascii():
        return min(len(text), weight)
    for count, total in enumerate(itertools.accumulate(map(_weight, text))):
        if total > weight:
            return count
    return len(text)


def _last_good_place(text: str, limit: int) -> int:
    """Return where to cut a text that is too long: behind a clause, if not too early, or a word."""
    ends = [match.end() for match in _CLAUSE_END.finditer(text, limit // 2) if match.end() <= limit]
    if ends:
        return ends[-1]
    words = _WHOLE_WORDS.match(text, 0, limit)
    return words.end() if words else limit

"""Cutting a stream of text into pieces worth saying."""

from __future__ import annotations

import re
from typing import Final

from warmline.turns.sentences import split_sentences

__all__ = ["ClauseSplitter"]

_CLAUSE_END: Final = re.compile(r"[,;:–—](?=\s)")
_MIN_CLAUSE_CHARS: Final = 24
"""A shorter opening sounds clipped when it is spoken alone."""

_MAX_PIECE_CHARS: Final = 240
"""About 15 s of speech. Text without any punctuation is cut at a word before this."""


class ClauseSplitter:
    """The pieces of one reply, in order; joined, they are the reply's text.

    The first piece is the earliest that is worth saying: a sentence, or if that is not complete
    yet, a clause. Later pieces are sentences, since by then there is audio to play.
    """

    def __init__(self, language: str = "en") -> None:
        self._language = language
        self._buffer = ""
        self._is_first = True

    def push(self, delta: str) -> list[str]:
        """Take more text; return the pieces it completes, each with the white space that follows."""
        self._buffer += delta
        # A sentence is over once another has begun behind it. White space at the end is taken for
        # that beginning: models that write in whole sentences put it there.
        begun = f"{self._buffer}A" if self._buffer[-1:].isspace() else self._buffer
        *complete, _ = split_sentences(begun, self._language) or [""]
        pieces = [self._cut(len(sentence)) for sentence in complete]
        if self._is_first and not pieces:
            end = self._first_clause_end()
            if end:
                pieces.append(self._cut(end))
        while len(self._buffer) > _MAX_PIECE_CHARS:
            space = self._buffer.rfind(" ", 0, _MAX_PIECE_CHARS)
            pieces.append(self._cut(space + 1 if space > 0 else _MAX_PIECE_CHARS))
        return self._spoken(pieces)

    def flush(self) -> list[str]:
        """Return what is left: the text is over."""
        return self._spoken([self._cut(len(self._buffer))])

    def _first_clause_end(self) -> int:
        """Return where the opening clause ends, or 0 if it is not worth saying yet."""
        for match in _CLAUSE_END.finditer(self._buffer, _MIN_CLAUSE_CHARS):
            return match.end() + 1
        return 0

    def _cut(self, end: int) -> str:
        piece, self._buffer = self._buffer[:end], self._buffer[end:]
        return piece

    def _spoken(self, pieces: list[str]) -> list[str]:
        """Leave out blank pieces, and note that something was said."""
        pieces = [piece for piece in pieces if piece.strip()]
        self._is_first = self._is_first and not pieces
        return pieces

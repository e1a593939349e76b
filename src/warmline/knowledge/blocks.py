"""What every kind of document is turned into: blocks of text, each under its headings; pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

__all__ = [
    "Block",
    "Contents",
    "Document",
    "Kind",
    "Outline",
    "ends_sentence",
    "join_lines",
    "row_text",
    "squeeze",
]

LINE_OF_ITS_OWN_CHARACTERS = 60
"""A line shorter than this, before one that starts anew, was not wrapped but ended on purpose."""

_CLOSING = "\"')]}\u00bb\u2019\u201d"
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffc]|[\x00-\x08\x0e-\x1f\x7f]")


class Kind(enum.Enum):
    """How a block stood in its document."""

    PARAGRAPH = "paragraph"
    """Prose."""

    ITEM = "item"
    """One point of a list."""

    ROW = "row"
    """One row of a table, written out as words."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text without line breaks."""

    text: str
    kind: Kind = Kind.PARAGRAPH
    headings: tuple[str, ...] = ()
    """The headings above it, outermost first."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a reader found in one file."""

    blocks: tuple[Block, ...]
    title: str = ""
    """The document's own title; empty if it has none."""


@dataclass(frozen=True, slots=True)
class Document:
    """One file that was read."""

    source: str
    """Its path within the folder, with forward slashes."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(slots=True)
class Outline:
    """Collects blocks and puts each under the headings above it.

    What changes here: the list of blocks and the stack of open headings, and only in `heading`
    and `add`.
    """

    title: str = ""
    _blocks: list[Block] = field(default_factory=list)
    _open: list[tuple[int, str]] = field(default_factory=list)

    def heading(self, level: int, text: str) -> None:
        """Open a heading, closing those of its level and below; the first is the title if none is set."""
        text = squeeze(text).rstrip("#\u00b6").strip()
        if not text:
            return
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, text))
        self.title = self.title or text

    def add(self, text: str, kind: Kind = Kind.PARAGRAPH) -> None:
        """Add a block under the open headings; text without a letter or digit is left out."""
        text = squeeze(text)
        if any(character.isalnum() for character in text):
            self._blocks.append(Block(text, kind, tuple(heading for _, heading in self._open)))

    def contents(self) -> Contents:
        """Return what was collected."""
        return Contents(tuple(self._blocks), self.title)


def squeeze(text: str) -> str:
    """Return the text on one line, with single spaces and without invisible characters."""
    return " ".join(_INVISIBLE.sub("", text).split())


def ends_sentence(text: str) -> bool:
    """Return whether the text ends as a sentence, or the introduction to a list, does."""
    return text.rstrip(_CLOSING).endswith((".", "!", "?", ":", ";", "\u2026", "\u3002"))


def join_lines(lines: Iterable[str]) -> str:
    """Return lines as prose.

    Wrapped lines are put together again; lines that each stand for themselves, as in an address
    or a list of opening hours, become sentences.
    """
    joined = ""
    previous = ""
    for line in filter(None, map(squeeze, lines)):
        own_line = (
            0 < len(previous) < LINE_OF_ITS_OWN_CHARACTERS
            and not ends_sentence(previous)
            and not previous.endswith(",")
            and not line[0].islower()
        )
        joined = f"{joined}. {line}" if own_line else f"{joined} {line}".strip()
        previous = line
    return joined


def row_text(header: Sequence[str], cells: Sequence[str]) -> str:
    """Return a table's row as words: `Monday: opens nine, closes five`.

    Args:
        header: The columns' names, or nothing.
        cells: The row's cells; the first names the row.
    """
    first, *rest = [squeeze(cell) for cell in cells] or [""]
    # With two columns the header only says what both plainly are.
    names = [squeeze(name) for name in header[1:]] if len(header) == len(cells) > 2 else [""] * len(rest)
    named = [f"{name} {cell}".strip() for name, cell in zip(names, rest, strict=True) if cell]
    return f"{first}: {', '.join(named)}" if first and named else first or ", ".join(named)

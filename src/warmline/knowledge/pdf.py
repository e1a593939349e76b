"""PDF files to blocks.

A PDF says where letters stand, not what they are: headings are found by their size, paragraphs
by the gap above them, and a page's running head by its coming back.
"""

from __future__ import annotations

import io
import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pypdf
from pypdf.errors import DependencyError, PyPdfError

from warmline.errors import InputError
from warmline.knowledge.blocks import Contents, Outline, squeeze
from warmline.knowledge.plaintext import HEADING_CHARACTERS, read_plain_text

__all__ = ["read_pdf"]

HEADING_RATIO = 1.15
"""A short line whose letters are this much larger than the body's is a heading."""

PARAGRAPH_RATIO = 1.3
"""A gap this much wider than the usual one begins a paragraph."""

RUNNING_HEAD_PAGES = 3
"""From how many pages on a line can be told to be a running head."""

_PAGE_NUMBER = re.compile(r"(?:page )?\d{1,4}(?: ?(?:of|/) ?\d{1,4})?", re.IGNORECASE)

# Its remarks on files that are slightly wrong are for programs, not for standard error.
logging.getLogger("pypdf").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float
    y: float


def read_pdf(data: bytes) -> Contents:
    """Return the blocks of a PDF.

    Raises:
        InputError: it is locked by a password, broken, or has pictures of text only.
    """
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError("is locked by a password; save a copy without one")
        pages = [_lines(page) for page in reader.pages]
        title = squeeze(str((reader.metadata and reader.metadata.title) or ""))
    except DependencyError:
        raise InputError("is encrypted; save a copy without encryption") from None
    except PyPdfError as error:
        raise InputError(f"is not a whole PDF ({squeeze(str(error))}); save or download it again") from None
    if not any(pages):
        raise InputError("has no text in it; if it is a scan, put it through text recognition first")
    return _contents(_without_running_heads(pages), title)


def _lines(page: pypdf.PageObject) -> list[_Line]:
    lines: list[_Line] = []
    parts: list[str] = []
    size = y = 0.0

    def end_line() -> None:
        nonlocal size
        if text := squeeze("".join(parts)):
            lines.append(_Line(text, round(size, 1), y))
        parts.clear()
        size = 0.0

    def visit(
        text: str, user: Sequence[float], matrix: Sequence[float], _font: object, font_size: float
    ) -> None:
        nonlocal size, y
        for number, part in enumerate(text.split("\n")):
            if number:
                end_line()
            if part.strip():
                parts.append(part)
                size = max(size, font_size * math.hypot(matrix[2], matrix[3]) * math.hypot(user[2], user[3]))
                y = user[1] * matrix[4] + user[3] * matrix[5] + user[5]

    page.extract_text(visitor_text=visit)
    end_line()
    return lines


def _without_running_heads(pages: Sequence[Sequence[_Line]]) -> list[list[_Line]]:
    def shape(line: _Line) -> str:
        return re.sub(r"\d+", "0", line.text)

    seen = Counter(shape(line) for page in pages for line in {*page[:1], *page[-1:]})
    repeated = {
        text for text, count in seen.items() if len(pages) >= RUNNING_HEAD_PAGES and 2 * count > len(pages)
    }

    def is_running(page: Sequence[_Line], number: int) -> bool:
        at_edge = number in {0, len(page) - 1}
        return at_edge and (
            shape(page[number]) in repeated or bool(_PAGE_NUMBER.fullmatch(page[number].text))
        )

    return [[line for number, line in enumerate(page) if not is_running(page, number)] for page in pages]


def _contents(pages: Sequence[Sequence[_Line]], title: str) -> Contents:
    body_size = _usual((line.size, len(line.text)) for page in pages for line in page)
    gaps = [(round(a.y - b.y), 1) for page in pages for a, b in pairwise(page) if a.y > b.y]
    body_gap = _usual(gaps) or math.inf
    sizes = sorted(
        {line.size for page in pages for line in page if _is_heading(line, body_size)}, reverse=True
    )
    outline = Outline()
    paragraph: list[str] = []

    def end_paragraph() -> None:
        # Within a paragraph, lists and lines of their own show as they do in a text file.
        for block in read_plain_text("\n".join(paragraph)).blocks:
            outline.add(block.text, block.kind)
        paragraph.clear()

    for page in pages:
        previous: _Line | None = None
        for line in page:
            if _is_heading(line, body_size):
                end_paragraph()
                outline.heading(1 + sizes.index(line.size), line.text)
            else:
                if previous is not None and abs(previous.y - line.y) > PARAGRAPH_RATIO * body_gap:
                    end_paragraph()
                _append(paragraph, line.text)
            previous = line
    end_paragraph()
    contents = outline.contents()
    return Contents(contents.blocks, contents.title or title)


def _is_heading(line: _Line, body_size: float) -> bool:
    return line.size >= HEADING_RATIO * body_size > 0 and len(line.text) <= 2 * HEADING_CHARACTERS


def _append(paragraph: list[str], text: str) -> None:
    """Add a line; a word that was divided at the end of the line before is put together."""
    if paragraph and re.search(r"[^\W\d_]-$", paragraph[-1]) and text[0].islower():
        paragraph[-1] = paragraph[-1][:-1] + text
    else:
        paragraph.append(text)


def _usual(weighted: Iterable[tuple[float, int]]) -> float:
    """Return the value with the most weight, the smallest of several, or 0 if there is none."""
    total: Counter[float] = Counter()
    for value, weight in weighted:
        total[value] += weight
    return max(total, key=lambda value: (total[value], -value), default=0.0)

"""Bytes to text, and plain text to blocks; pure."""

from __future__ import annotations

import codecs
import re

from warmline.errors import InputError
from warmline.knowledge.blocks import Contents, Kind, Outline, ends_sentence, join_lines, squeeze

__all__ = ["decode_text", "read_plain_text"]

HEADING_CHARACTERS = 60
"""A paragraph of one line, no longer than this and without a full stop, is taken for a heading."""

_BINARY_PROBE_BYTES = 8192
_CONTROL = bytes(set(range(32)) - {*b"\t\n\v\f\r", 0x1A, 0x1B})
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BULLET = re.compile(r"\s*(?:[-*+\u2022\u2023\u25aa\u25cf\u2013]|\d{1,2}[.)])\s+")
_UNDERLINE = re.compile(r"\s*([=\-_~*#])\1{2,}\s*")


def decode_text(data: bytes) -> str:
    """Return a text file's text: by its byte order mark, else UTF-8, else Windows-1252.

    Raises:
        InputError: the bytes are not text in any of these.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode(data.removeprefix(mark), encoding)
    if len(probe := data[:_BINARY_PROBE_BYTES]) != len(probe.translate(None, _CONTROL)):
        raise InputError("is not text; if it is a document of another kind, give it that kind's ending")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode(data, "cp1252")


def read_plain_text(text: str) -> Contents:
    """Return a text's blocks: paragraphs between blank lines, lists, and lines that look like headings."""
    outline = Outline()
    paragraphs = [lines for part in re.split(r"\n\s*\n", text) if (lines := _visible_lines(part))]
    for number, lines in enumerate(paragraphs):
        following = paragraphs[number + 1] if number + 1 < len(paragraphs) else None
        if _looks_like_heading(lines) and following is not None:
            if number == 0:
                outline.heading(1, lines[0])
                continue
            if not _looks_like_heading(following):
                outline.heading(2, lines[0])
                continue
        _add_paragraph(outline, lines)
    return outline.contents()


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise InputError("is in an encoding that is not known; save it as UTF-8") from None


def _visible_lines(part: str) -> list[str]:
    return [line for line in part.splitlines() if squeeze(line) and not _UNDERLINE.fullmatch(line)]


def _looks_like_heading(lines: list[str]) -> bool:
    line = squeeze(lines[0])
    return (
        len(lines) == 1
        and len(line) <= HEADING_CHARACTERS
        and (line.endswith("?") or not ends_sentence(line))
        and not _BULLET.match(lines[0])
    )


def _add_paragraph(outline: Outline, lines: list[str]) -> None:
    prose: list[str] = []
    items: list[list[str]] = []
    for line in lines:
        if bullet := _BULLET.match(line):
            items.append([line[bullet.end() :]])
        elif items:
            items[-1].append(line)
        else:
            prose.append(line)
    if prose:
        outline.add(join_lines(prose))
    for item in items:
        outline.add(join_lines(item), Kind.ITEM)

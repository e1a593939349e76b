"""Word documents to blocks."""

from __future__ import annotations

import io
import zipfile

import docx
from docx.table import Table
from docx.text.paragraph import Paragraph

from warmline.errors import InputError
from warmline.knowledge.blocks import Contents, Kind, Outline, row_text, squeeze

__all__ = ["read_docx"]

UNPACKED_LIMIT = 20
"""How many times larger than the file's limit its unpacked contents may be."""

_OLE_SIGNATURE = bytes.fromhex("d0cf11e0a1b11ae1")


def read_docx(data: bytes, *, max_file_bytes: int) -> Contents:
    """Return the blocks of a document's body; page headers and footers are not part of it.

    Args:
        data: The file.
        max_file_bytes: The limit that the file itself was held to.

    Raises:
        InputError: the file is locked by a password, or unpacks to far more than its size.
    """
    if data.startswith(_OLE_SIGNATURE):
        raise InputError(
            "is locked by a password or in the old .doc format; save it as .docx without a password"
        )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > UNPACKED_LIMIT * max_file_bytes:
            raise InputError("unpacks to far more than its size; split it into smaller documents")
    document = docx.Document(io.BytesIO(data))
    outline = Outline(title=squeeze(document.core_properties.title or ""))
    for element in document.iter_inner_content():
        if isinstance(element, Paragraph):
            _add_paragraph(outline, element)
        else:
            _add_table(outline, element)
    return outline.contents()


def _add_paragraph(outline: Outline, paragraph: Paragraph) -> None:
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    if style == "Title":
        outline.title = squeeze(paragraph.text) or outline.title
    elif style.startswith("Heading "):
        level = style.removeprefix("Heading ")
        outline.heading(int(level) if level.isdecimal() else 1, paragraph.text)
    else:
        properties = paragraph._p.pPr
        is_numbered = properties is not None and properties.numPr is not None
        outline.add(paragraph.text, Kind.ITEM if is_numbered or style.startswith("List") else Kind.PARAGRAPH)


def _add_table(outline: Outline, table: Table) -> None:
    header: list[str] = []
    for number, row in enumerate(table.rows):
        cells: list[str] = []
        for cell in row.cells:
            # A merged cell is listed once for each column that it spans.
            if not cells or cells[-1] != squeeze(cell.text):
                cells.append(squeeze(cell.text))
        if number == 0 and len(cells) > 2:
            header = cells
        else:
            outline.add(row_text(header, cells), Kind.ROW)

"""Documents of each kind, made on the spot."""

from __future__ import annotations

import io
from collections.abc import Sequence

import docx
import pypdf

Line = tuple[float, float, str]
"""Size, height above the page's foot, and text."""


def pdf_bytes(*pages: Sequence[Line], password: str = "", title: str = "") -> bytes:
    """Return a PDF with these lines of text, in one of the fonts that every reader has."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for page in pages:
        drawn = "".join(
            f"BT /F1 {size} Tf 1 0 0 1 72 {y} Tm ({text}) Tj ET\n" for size, y, text in page
        ).encode()
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    data = _assembled(objects)
    if not password and not title:
        return data
    writer = pypdf.PdfWriter(io.BytesIO(data))
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def docx_bytes() -> bytes:
    """Return a Word document with a title, headings, a list, a table and a page header."""
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.add_paragraph("The library", style="Title")
    document.add_heading("Borrowing", level=1)
    document.add_paragraph("You can borrow books.")
    document.add_paragraph("a card", style="List Bullet")
    document.add_heading("Hours", level=2)
    table = document.add_table(rows=2, cols=3)
    for row, texts in zip(
        table.rows, [("Day", "opens", "closes"), ("Monday", "at nine", "at five")], strict=True
    ):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _assembled(objects: Sequence[bytes]) -> bytes:
    data = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        data
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            size,
            table,
            size,
            len(data),
        )
    )

"""Folders of files, good and bad."""

import io
import os
import zipfile
from pathlib import Path

import pypdf
import pytest

from tests.knowledge.files import docx_bytes, pdf_bytes
from warmline.errors import InputError
from warmline.knowledge.blocks import Document, Kind
from warmline.knowledge.documents import DEFAULT_MAX_FILE_BYTES, read_folder

pytestmark = pytest.mark.wire

PDF_PAGE = [
    (24, 720, "Moving house"),
    (12, 690, "The new office opens on the third of March, and every-"),
    (12, 676, "body gets a desk."),
    (12, 650, "Parking is behind the building."),
    (18, 610, "Before you move"),
    (12, 590, "Pack by Friday."),
]


def read_one(tmp_path: Path, name: str, data: bytes) -> Document:
    (tmp_path / name).write_bytes(data)
    (document,) = read_folder(tmp_path).documents
    return document


def reasons(folder: Path, max_file_bytes: int = DEFAULT_MAX_FILE_BYTES) -> dict[str, str]:
    """Return why files were skipped, beside one that is fine."""
    (folder / "fine.txt").write_text("We open at nine.")
    reading = read_folder(folder, max_file_bytes=max_file_bytes)
    assert [document.source for document in reading.documents] == ["fine.txt"]
    return {skip.source: skip.reason for skip in reading.skipped}


def test_pdf_when_read_then_sizes_make_headings_and_gaps_paragraphs(tmp_path):
    """A PDF's outline is seen, not stored."""
    document = read_one(tmp_path, "office.pdf", pdf_bytes(PDF_PAGE))

    assert document.title == "Moving house"
    assert [(block.headings, block.text) for block in document.blocks] == [
        (("Moving house",), "The new office opens on the third of March, and everybody gets a desk."),
        (("Moving house",), "Parking is behind the building."),
        (("Moving house", "Before you move"), "Pack by Friday."),
    ]


def test_pdf_when_lines_come_back_on_every_page_then_they_are_left_out(tmp_path):
    """A running head and a page number are not part of the text."""
    pages = [
        [(12, 760, "The Gazette"), (12, 700, f"Story {name} is told here."), (12, 40, f"Page {n} of 3")]
        for n, name in enumerate(["one", "two", "three"], 1)
    ]

    document = read_one(tmp_path, "gazette.pdf", pdf_bytes(*pages, title="All stories"))

    assert document.title == "All stories"
    assert " ".join(block.text for block in document.blocks) == (
        "Story one is told here. Story two is told here. Story three is told here."
    )


def test_docx_when_read_then_styles_make_its_outline(tmp_path):
    """A Word document says what is a heading, a list or a table; its page header is left out."""
    document = read_one(tmp_path, "library.docx", docx_bytes())

    assert document.title == "The library"
    assert [(block.kind, block.headings, block.text) for block in document.blocks] == [
        (Kind.PARAGRAPH, ("Borrowing",), "You can borrow books."),
        (Kind.ITEM, ("Borrowing",), "a card"),
        (Kind.ROW, ("Borrowing", "Hours"), "Monday: opens at nine, closes at five"),
    ]


@pytest.mark.parametrize(
    "name", ["opening-hours.txt", "opening_hours.md", "opening hours.html", "Opening-hours.TXT"]
)
def test_document_when_it_has_no_title_then_it_is_called_by_its_file(tmp_path, name):
    """A passage always has a name to be quoted by."""
    assert read_one(tmp_path, name, b"We open at nine.").title == "Opening hours"


def test_folder_when_read_then_in_order_with_progress_and_without_what_is_hidden(tmp_path):
    """Every folder below is read; hidden files are nobody's business."""
    for name in ["b.txt", "a/z.md", "a/b/c.txt", ".hidden.txt", ".git/config.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"This is {name} itself.")
    seen = []

    reading = read_folder(tmp_path, on_file=lambda done, total, name: seen.append((done, total, name)))

    assert [document.source for document in reading.documents] == ["b.txt", "a/z.md", "a/b/c.txt"]
    assert reading.skipped == ()
    assert seen == [(0, 3, "b.txt"), (1, 3, "a/z.md"), (2, 3, "a/b/c.txt"), (3, 3, "")]


def test_folder_when_it_is_one_document_then_that_is_read(tmp_path):
    """Somebody who names a file means the file."""
    (tmp_path / "one.txt").write_text("We open at nine.")
    assert [document.source for document in read_folder(tmp_path / "one.txt").documents] == ["one.txt"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("cut.pdf", pdf_bytes(PDF_PAGE)[:200], "is not a whole PDF"),
        ("locked.pdf", pdf_bytes(PDF_PAGE, password="secret"), "locked by a password"),
        ("scan.pdf", pdf_bytes([]), "text recognition"),
        ("noise.pdf", b"\x00\x01\x02" * 100, "is not a whole PDF"),
        ("empty.md", b"", "is empty"),
        ("blank.txt", b" \n\n ", "has no text"),
        ("blank.html", b"<script>var x = 1</script>", "has no text"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
        ("picture.html", b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
        ("cut.docx", docx_bytes()[:2000], "is damaged"),
        ("text.docx", b"We open at nine.", "is damaged"),
        ("old.docx", bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 99, "old .doc format"),
        ("table.xlsx", b"PK", "not of a kind that is read"),
        ("noending", b"We open at nine.", "not of a kind that is read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_file_when_it_cannot_be_read_then_it_is_skipped_with_the_reason(tmp_path, name, data, reason):
    """One bad file stops nothing, and what is wrong with it is told."""
    (tmp_path / name).write_bytes(data)
    assert reason in reasons(tmp_path)[name]


def test_file_when_too_large_then_it_is_not_even_opened(tmp_path):
    """A video called .txt does not fill the memory."""
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(40_000_000)

    assert "has 40.0 MB, more than the limit of 20.0 MB" in reasons(tmp_path)["huge.txt"]
    assert "limit of 0.0 MB" in reasons(tmp_path, max_file_bytes=40)["huge.txt"]


def test_docx_when_it_unpacks_to_far_more_then_it_is_skipped(tmp_path):
    """A small archive cannot become a large one in memory."""
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"\x00" * 2_000_000)

    assert "unpacks to far more" in reasons(tmp_path, max_file_bytes=50_000)["bomb.docx"]


def test_pdf_when_only_changes_are_locked_then_it_is_read(tmp_path):
    """Most PDFs with a password may be read by anybody."""
    writer = pypdf.PdfWriter(io.BytesIO(pdf_bytes(PDF_PAGE)))
    writer.encrypt("", owner_password="owner", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)

    assert read_one(tmp_path, "office.pdf", buffer.getvalue()).title == "Moving house"


def test_links_when_they_lead_out_or_in_circles_then_they_are_not_followed(tmp_path):
    """A folder of documents gives away nothing that is outside it, and ends."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("The password is swordfish.")
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "file.txt").symlink_to(outside / "secret.txt")
    (folder / "folder").symlink_to(outside, target_is_directory=True)
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "broken.txt").symlink_to(folder / "nothing")

    found = reasons(folder)

    assert set(found) == {"file.txt", "folder", "circle", "broken.txt"}
    assert all("links are not followed" in reason for reason in found.values())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_file_when_it_is_a_pipe_then_nobody_waits_for_it(tmp_path):
    """What is not a file is not read."""
    os.mkfifo(tmp_path / "pipe.txt")
    assert reasons(tmp_path) == {"pipe.txt": "is not a file"}


def test_folder_when_it_is_not_there_then_the_error_says_what_to_do(tmp_path):
    """A wrong name is told apart from an empty folder."""
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; check its name"):
        read_folder(tmp_path / "nowhere")


def test_folder_when_nothing_in_it_can_be_read_then_the_error_says_why(tmp_path):
    """An index of nothing is no use to anybody."""
    with pytest.raises(InputError, match=r"is empty; put files there that end in \.docx, "):
        read_folder(tmp_path)
    for number in range(5):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(
        InputError, match=r"could be read \(0\.txt is empty; 1\.txt is empty; .*; and 2 more\)"
    ):
        read_folder(tmp_path)

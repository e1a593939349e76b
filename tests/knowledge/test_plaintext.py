"""Text files, in whatever encoding."""

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import InputError
from warmline.knowledge.blocks import Kind
from warmline.knowledge.plaintext import decode_text, read_plain_text

pytestmark = pytest.mark.unit

TEXT = "The caf\u00e9 costs \u20ac5 \u2013 \u201ccheap\u201d."


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        TEXT.encode("cp1252"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16-le", "utf-16-be", "utf-32-le", "cp1252"],
)
def test_text_when_in_a_known_encoding_then_it_is_read(data):
    """What an editor on any system saves can be read."""
    assert decode_text(data) == TEXT


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is not text"),
        (b"plain \x81 text", "encoding"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8", "encoding"),
    ],
    ids=["binary", "no encoding", "half a pair"],
)
def test_text_when_it_is_none_then_the_reason_is_said(data, why):
    """A picture called .txt is refused, not read aloud."""
    with pytest.raises(InputError, match=why):
        decode_text(data)


@given(st.binary())
def test_text_when_any_bytes_then_text_or_a_reason(data):
    """No file crashes the reader."""
    with contextlib.suppress(InputError):
        for block in read_plain_text(decode_text(data)).blocks:
            assert block.text == " ".join(block.text.split())


def test_plain_text_when_it_has_lines_like_headings_then_they_are():
    """A short line without a full stop before a paragraph is a heading."""
    contents = read_plain_text(
        "Cafe and garden\n===============\n\nFood\n\nThe cafe sells soup\nand cake.\n\n"
        "Can I bring my dog?\n\nOnly into the garden.\n\nThe end"
    )

    assert contents.title == "Cafe and garden"
    assert [(block.headings[1:], block.text) for block in contents.blocks] == [
        (("Food",), "The cafe sells soup and cake."),
        (("Can I bring my dog?",), "Only into the garden."),
        (("Can I bring my dog?",), "The end"),
    ]


def test_plain_text_when_it_has_a_list_then_its_points_are_items():
    """A list keeps its introduction and its points apart."""
    blocks = read_plain_text("Bring:\n- a photo\n  of yourself\n* a letter\n2) five dollars\n").blocks

    assert [(block.kind, block.text) for block in blocks] == [
        (Kind.PARAGRAPH, "Bring:"),
        (Kind.ITEM, "a photo of yourself"),
        (Kind.ITEM, "a letter"),
        (Kind.ITEM, "five dollars"),
    ]


@pytest.mark.parametrize("text", ["", "  \n\n \t", "-----\n=====", "\u200b"])
def test_plain_text_when_there_is_nothing_to_read_then_there_are_no_blocks(text):
    """Rules and blanks are not text."""
    assert read_plain_text(text).blocks == ()

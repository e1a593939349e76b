"""Text that stood in lines, lists and tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.knowledge.blocks import Kind, Outline, ends_sentence, join_lines, row_text, squeeze

pytestmark = pytest.mark.unit


def test_squeeze_when_text_has_invisible_characters_then_they_are_gone():
    """A soft hyphen or a zero-width space is not read aloud."""
    assert squeeze(" co\u00adope\u200bration\n\t and \ufeffmore ") == "cooperation and more"


def test_lines_when_wrapped_then_they_are_one_sentence():
    """A line break in the middle of a sentence is not a pause."""
    assert join_lines(["The library is open", "until eight in the evening."]) == (
        "The library is open until eight in the evening."
    )


def test_lines_when_each_stands_for_itself_then_they_are_sentences():
    """Opening hours in a column are not read in one breath."""
    assert (
        join_lines(["Monday nine to five", "Tuesday ten to six"]) == "Monday nine to five. Tuesday ten to six"
    )


def test_lines_when_long_then_a_capital_does_not_end_the_sentence():
    """A long line was wrapped, even before a name."""
    long = "For a quiet place to read with your child on a rainy afternoon ask"
    assert join_lines([long, "Anna at the desk."]) == f"{long} Anna at the desk."


@given(st.lists(st.text()))
def test_lines_when_joined_then_no_word_is_lost(lines):
    """Whatever the lines are, their words are all there, in order."""
    words = " ".join(map(squeeze, lines)).split()
    assert [word.rstrip(".") for word in join_lines(lines).split()] == [word.rstrip(".") for word in words]


@pytest.mark.parametrize(
    ("header", "cells", "spoken"),
    [
        ([], ["Monday", "nine to five"], "Monday: nine to five"),
        (["Day", "Hours"], ["Monday", "nine to five"], "Monday: nine to five"),
        (
            ["Day", "opens", "closes"],
            ["Monday", "at nine", "at five"],
            "Monday: opens at nine, closes at five",
        ),
        (["Day", "opens", "closes"], ["Sunday", "", ""], "Sunday"),
        (["Day", "opens"], ["Monday", "nine", "by appointment"], "Monday: nine, by appointment"),
        ([], ["", "five"], "five"),
        ([], [], ""),
    ],
)
def test_table_row_when_written_out_then_it_can_be_read_aloud(header, cells, spoken):
    """A row says what its columns mean, if that is not plain."""
    assert row_text(header, cells) == spoken


def test_outline_when_a_heading_follows_then_deeper_ones_are_closed():
    """A block stands under the headings above it and no others."""
    outline = Outline()
    outline.add("Before any.")
    outline.heading(1, "Borrowing #")
    outline.heading(2, "Films")
    outline.add("One week.")
    outline.add("- \u2022 -", Kind.ITEM)
    outline.heading(2, "Books")
    outline.add("Three weeks.")

    contents = outline.contents()

    assert contents.title == "Borrowing"
    assert [(block.text, block.headings) for block in contents.blocks] == [
        ("Before any.", ()),
        ("One week.", ("Borrowing", "Films")),
        ("Three weeks.", ("Borrowing", "Books")),
    ]


@pytest.mark.parametrize("text", ["Yes.", "He said \u201cno.\u201d", "Bring:", "Really?)", "And so on\u2026"])
def test_sentence_when_it_ends_in_punctuation_then_it_is_known_to(text):
    """Also behind quotation marks and brackets."""
    assert ends_sentence(text)
    assert not ends_sentence(f"{text} more")

"""The documents' language model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.providers.offline.phrases import (
    OPENERS,
    phrase_lines,
    read_dictionary,
    write_dictionary,
    write_language_model,
)
from warmline.providers.offline.spoken_numbers import spell_number, spell_numbers

pytestmark = pytest.mark.unit

KNOWN = frozenset(
    "we open at nine a.m. on the end don't cost forty two dollars and fifty percent of point five".split()
)


def lines_of(*sentences: str) -> list[str]:
    return list(phrase_lines(sentences, KNOWN))[: -3 * len(OPENERS)]


def test_sentence_when_all_words_are_known_is_one_line():
    """Case and punctuation are gone, abbreviations and contractions stay."""
    assert lines_of("We open at nine a.m. On the END!", "Don\N{RIGHT SINGLE QUOTATION MARK}t open.") == [
        "<s> we open at nine a.m. on the end </s>",
        "<s> don't open </s>",
    ]


def test_sentence_when_a_word_is_unknown_is_cut_there():
    """Words that never stood side by side are not taught as neighbours."""
    assert lines_of("We open Zyxxel at nine") == ["<s> we open", "at nine </s>"]
    assert lines_of("Zyxxel", "", "!!!", "Zyxxel qwrt we open") == ["we open </s>"]


def test_numbers_when_written_in_digits_are_taught_as_they_are_spoken():
    """A caller says "forty two dollars and fifty" where the document has $42.50."""
    assert lines_of("42 and $42.50, 50% of 2.5") == [
        "<s> forty two and forty two dollars fifty fifty percent of two point five </s>"
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (20, "twenty"),
        (99, "ninety nine"),
        (100, "one hundred"),
        (2_010, "two thousand ten"),
        (341_500, "three hundred forty one thousand five hundred"),
        (7_000_001, "seven million one"),
    ],
)
def test_number_when_spelled_is_what_people_say(number, words):
    """As Americans say it, without "and"."""
    assert spell_number(number) == words


def test_digits_when_a_code_are_read_one_by_one():
    """A leading zero, or more digits than a quantity has."""
    assert spell_numbers("call 0049").split() == "call zero zero four nine".split()
    assert "one two three four five six seven eight nine zero" in spell_numbers("1234567890")


@given(st.lists(st.text(max_size=40), max_size=10))
def test_model_when_made_of_any_text_has_only_known_words(sentences):
    """Whatever the documents hold, the decoder is given nothing it cannot pronounce."""
    allowed = KNOWN | {"<s>", "</s>"} | {word for opener in OPENERS for word in opener.split()}
    assert all(word in allowed for line in phrase_lines(sentences, KNOWN) for word in line.split())


def test_model_when_written_lists_every_word_once(tmp_path):
    """The file is ARPA, and the dictionary beside it has every pronunciation of its words and no others."""
    source = tmp_path / "all.dict"
    source.write_text("nine N AY N\nopen OW P AH N\nread R EH D\nread(2) R IY D\nzebra Z IY B R AH\n")
    entries = read_dictionary(source)
    lines = ["<s> read nine </s>", "<s> open nine </s>"]
    write_language_model(tmp_path / "x.arpa", lines)
    write_dictionary(tmp_path / "x.dict", lines, entries)
    assert (tmp_path / "x.dict").read_text() == "nine N AY N\nopen OW P AH N\nread R EH D\nread(2) R IY D\n"
    assert "ngram 1=5" in (tmp_path / "x.arpa").read_text()

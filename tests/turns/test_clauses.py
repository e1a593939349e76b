"""Cutting a reply's text into what is spoken first and what next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.clauses import ClauseSplitter
from warmline.turns.sentences import split_sentences

pytestmark = pytest.mark.unit


def pieces(*deltas: str) -> list[str]:
    splitter = ClauseSplitter()
    cut = [piece for delta in deltas for piece in splitter.push(delta)]
    return [*cut, *splitter.flush()]


def test_a_sentence_is_cut_when_the_next_one_begins():
    """Not at a stop that may be an abbreviation's."""
    assert pieces("Dr. Smith charges 3.5 dollars. ", "Come at 5 p.m. on Monday! Will ", "you?") == [
        "Dr. Smith charges 3.5 dollars. ",
        "Come at 5 p.m. on Monday! ",
        "Will you?",
    ]


def test_the_opening_clause_is_cut_while_its_sentence_is_still_being_made():
    """The first words don't wait for the end of a long sentence; later ones do."""
    splitter = ClauseSplitter()
    assert splitter.push("We are open from nine in the morning, and") == [
        "We are open from nine in the morning, "
    ]
    assert splitter.push(" on Fridays we close at four, which is early") == []
    assert splitter.flush() == ["and on Fridays we close at four, which is early"]


def test_a_short_opening_waits_for_more():
    """ "Yes," alone sounds clipped."""
    assert ClauseSplitter().push("Yes, we do that") == []


def test_a_sentence_that_came_whole_is_not_cut_at_its_comma():
    """There is nothing to be gained, and its melody would be lost."""
    assert pieces("We are open from nine until six, every day. ", "Do come.")[0] == (
        "We are open from nine until six, every day. "
    )


def test_text_without_punctuation_is_cut_at_a_word():
    """A model that forgets its stops is heard all the same."""
    cut = pieces("word " * 200)
    assert len(cut) > 3
    assert all(len(piece) <= 240 for piece in cut)
    assert all(piece.strip().endswith("word") for piece in cut)


@given(st.lists(st.text(alphabet="abc .,!?;\n1", max_size=30), max_size=20))
def test_pieces_joined_are_the_text_whatever_the_deltas(deltas):
    """No word is lost or said twice, wherever the stream was split; only blank pieces are left out."""
    whole = "".join(pieces(*deltas))
    assert whole.split() == "".join(deltas).split() or whole.replace(" ", "").replace("\n", "") == "".join(
        deltas
    ).replace(" ", "").replace("\n", "")
    assert all(piece.strip() for piece in pieces(*deltas))


@given(st.text(max_size=200))
def test_any_text_is_split_into_sentences_that_join_to_it(text):
    """Odd blanks and all: a model's text may hold anything."""
    assert "".join(split_sentences(text)) == text

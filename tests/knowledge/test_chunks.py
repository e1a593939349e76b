"""Cutting documents into passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.knowledge.blocks import Block, Document, Kind
from warmline.knowledge.chunks import MAX_CHARACTERS, MAX_SENTENCES, chunk_document
from warmline.turns.sentences import split_sentences

pytestmark = pytest.mark.unit

WORDS = st.sampled_from("the library opens at nine and closes late on every sunday in may".split())
SENTENCES = st.lists(WORDS, min_size=1, max_size=90).map(lambda words: " ".join(words).capitalize() + ".")
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=9)
HEADINGS = st.sampled_from([(), ("Borrowing",), ("Borrowing", "Films"), ("Cafe",)])


def document(*blocks: Block) -> Document:
    return Document("folder/library.md", "Library", blocks)


def texts(*blocks: Block) -> list[str]:
    return [chunk.text for chunk in chunk_document(document(*blocks))]


@given(st.lists(st.tuples(HEADINGS, PARAGRAPHS), min_size=1, max_size=6))
def test_chunks_when_joined_then_they_are_the_document(paragraphs):
    """No sentence is lost, cut, repeated or moved, and none leaves its heading."""
    blocks = [Block(" ".join(sentences), headings=headings) for headings, sentences in paragraphs]

    chunks = list(chunk_document(document(*blocks)))

    found = [(chunk.headings, sentence) for chunk in chunks for sentence in chunk.sentences]
    assert found == [
        (("Library", *block.headings), sentence)
        for block in blocks
        for sentence in map(str.strip, split_sentences(block.text))
    ]
    assert " ".join(chunk.text for chunk in chunks) == " ".join(block.text for block in blocks)


@given(st.lists(st.tuples(HEADINGS, PARAGRAPHS), min_size=1, max_size=6))
def test_chunks_when_over_a_limit_then_they_are_one_sentence(paragraphs):
    """Nothing that is read aloud is longer than one can listen to, unless a sentence is."""
    blocks = [Block(" ".join(sentences), headings=headings) for headings, sentences in paragraphs]

    for chunk in chunk_document(document(*blocks)):
        assert len(chunk.sentences) <= MAX_SENTENCES
        assert len(chunk.text) <= MAX_CHARACTERS or len(chunk.sentences) == 1


@given(st.lists(st.tuples(st.sampled_from(Kind), st.text(min_size=1)), max_size=8))
def test_chunks_when_any_text_then_all_of_it_is_kept(parts):
    """Lists, tables and stray characters keep all that can be read."""
    blocks = [Block(" ".join(text.split()), kind) for kind, text in parts if text.split()]

    kept = "".join("".join(texts(*blocks)).split())

    for block in blocks:
        assert "".join(block.text.split()).rstrip(",") in kept


def test_chunks_when_a_paragraph_is_too_long_then_the_parts_are_even():
    """Four sentences are two and two, not three and one."""
    sentences = ["One is here.", "Two is here.", "Three is here.", "Four is here."]
    assert texts(Block(" ".join(sentences))) == ["One is here. Two is here.", "Three is here. Four is here."]


def test_chunks_when_a_paragraph_is_short_then_it_stays_with_the_next():
    """A passage of three words answers nothing."""
    assert texts(Block("Closed on Sunday."), Block("We open again on Monday at nine.")) == [
        "Closed on Sunday. We open again on Monday at nine."
    ]


def test_chunks_when_a_list_is_short_then_it_is_one_sentence():
    """Points of a list are read as one would say them, behind what introduces them."""
    items = [Block(text, Kind.ITEM) for text in ("a photo", "a letter", "five dollars")]
    assert texts(Block("To join, bring:"), *items) == ["To join, bring: a photo, a letter and five dollars."]


def test_chunks_when_a_list_is_long_then_its_introduction_goes_with_the_first_point():
    """An introduction does not end a passage."""
    items = [Block(f"Point number {n} is {'very ' * 30}long", Kind.ITEM) for n in range(4)]
    first, *_ = texts(Block("One. Two. Bring:"), *items)
    assert first == "One. Two."
    assert texts(Block("One. Two. Bring:"), *items)[1].startswith("Bring: Point number 0")


def test_chunks_when_a_table_is_cut_then_rows_are_whole():
    """A row of a table is a sentence."""
    rows = [Block(f"Day {n}: nine to five", Kind.ROW) for n in range(5)]
    assert texts(*rows) == [
        "Day 0: nine to five. Day 1: nine to five. Day 2: nine to five.",
        "Day 3: nine to five. Day 4: nine to five.",
    ]


def test_chunk_when_its_heading_is_the_title_then_it_is_named_once():
    """The title is carried, and not said twice."""
    (chunk,) = chunk_document(document(Block("We open at nine.", headings=("Library", "Hours"))))
    assert (chunk.headings, chunk.title, chunk.source) == (("Library", "Hours"), "Hours", "folder/library.md")


def test_sentences_when_they_hold_abbreviations_then_they_are_not_cut_there():
    """A full stop is not always an end."""
    assert split_sentences("Ask Mr. Smith at 9 a.m. on Monday. He knows.") == [
        "Ask Mr. Smith at 9 a.m. on Monday. ",
        "He knows.",
    ]

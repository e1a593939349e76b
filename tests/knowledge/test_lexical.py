"""Search by words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.knowledge.lexical import LexicalIndex, words_of

pytestmark = pytest.mark.unit

TEXTS = ["Parking is free behind the house.", "Printing costs ten cents a page.", "The cafe sells soup."]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("parking", "where can I park"),
        ("libraries", "the library"),
        ("closed", "when do you close"),
        ("renewing", "I renewed it"),
        ("scanning", "scan"),
        ("the child's card", "cards for a child"),
        ("caf\u00e9s", "CAFE"),
    ],
)
def test_words_when_they_are_forms_of_one_then_they_meet(one, other):
    """People do not ask in the form that the document is written in."""
    assert set(words_of(one)) & set(words_of(other))


def test_words_when_they_say_nothing_then_they_are_left_out():
    """A question about anything shares such words with everything."""
    assert words_of("What is it that you do, and how can I have it please?") == []


def test_scores_when_a_text_has_the_words_then_it_is_the_best():
    """The rest gets nothing."""
    scores = LexicalIndex(TEXTS).scores("how much does it cost to print a page")

    assert scores.argmax() == 1
    assert scores[0] == scores[2] == 0


def test_share_when_most_words_are_unknown_then_it_is_low():
    """One shared word does not make a question about something else fit."""
    index = LexicalIndex(TEXTS)

    assert index.share("is parking free")[0] > 0.3
    assert 0 < index.share("who won the free skating gold medal yesterday")[0] < 0.2


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.text(max_size=60))
def test_share_when_any_texts_and_question_then_between_none_and_all(texts, question):
    """Also for texts without a word, and questions in any script."""
    shares = LexicalIndex(texts).share(question)

    assert shares.shape == (len(texts),)
    assert np.all((shares >= 0) & (shares <= 1))

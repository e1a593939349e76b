"""What was heard of a text, by words and milliseconds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.audio.heard import heard_text
from warmline.interfaces.tts import SpokenWord

pytestmark = pytest.mark.unit

TEXT = "Yes, we open at nine."
#        0    300 500  900 1000
WORDS = [
    SpokenWord(0, 3, 0),
    SpokenWord(5, 7, 300),
    SpokenWord(8, 12, 500),
    SpokenWord(13, 15, 900),
    SpokenWord(16, 20, 1000),
]


@pytest.mark.parametrize(
    ("heard_ms", "heard"),
    [
        (-5, ""),
        (0, ""),
        (149, ""),  # "Yes" lasts 300 ms: half is 150.
        (150, "Yes,"),  # The comma clings to its word.
        (399, "Yes,"),
        (400, "Yes, we"),  # Half of 200 ms.
        (649, "Yes, we"),
        (650, "Yes, we open"),  # 150 ms of a word that takes 400.
        (949, "Yes, we open"),
        (950, "Yes, we open at"),
        (1149, "Yes, we open at"),
        (1150, TEXT),
        (99_999, TEXT),
    ],
)
def test_text_when_cut_ends_with_the_last_word_heard(heard_ms, heard):
    """Half a word, or 150 ms of it, counts as the word."""
    assert heard_text(TEXT, WORDS, heard_ms) == heard


def test_text_when_no_word_is_timed_is_not_known_to_be_heard():
    """Nothing is claimed that cannot be shown."""
    assert heard_text(TEXT, [], 5_000) == ""


def test_punctuation_when_before_the_next_word_stays_with_that_word():
    """A quotation mark that opens the next word is not heard before it."""
    text = 'He said "no" (twice).'
    words = [SpokenWord(0, 2, 0), SpokenWord(3, 7, 200), SpokenWord(9, 11, 400), SpokenWord(14, 19, 600)]
    assert heard_text(text, words, 310) == "He said"
    assert heard_text(text, words, 510) == 'He said "no"'


def test_words_when_not_separated_by_blanks_are_cut_between():
    """A language without blanks is cut at the word as well."""
    text = "今日は晴れ"
    words = [SpokenWord(0, 3, 0), SpokenWord(3, 5, 400)]
    assert heard_text(text, words, 200) == "今日は"


def test_word_when_two_start_at_once_is_heard_with_the_next():
    """A word without a duration of its own needs no time."""
    words = [SpokenWord(0, 3, 0), SpokenWord(5, 7, 0), SpokenWord(8, 12, 400)]
    assert heard_text(TEXT, words, 1) == "Yes,"


@given(
    st.text(max_size=80),
    st.lists(st.integers(0, 600), max_size=40),
    st.integers(-100, 9_000),
    st.integers(0, 900),
)
def test_text_when_more_is_heard_only_grows(text, gaps_ms, heard_ms, more_ms):
    """The result is a beginning of the text, and grows with what was played."""
    spans = [match.span() for match in re.finditer(r"\w+", text)]
    words, at_ms = [], 0
    for (start, end), gap_ms in zip(spans, gaps_ms, strict=False):
        words.append(SpokenWord(start, end, at_ms))
        at_ms += gap_ms
    heard = heard_text(text, words, heard_ms)
    assert text.startswith(heard)
    assert heard_text(text, words, heard_ms + more_ms).startswith(heard)

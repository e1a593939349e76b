"""What the last words of a transcript tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.endings import Ending, ending_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("", Ending.OPEN),
        ("?!", Ending.QUESTION),
        ("What time do you open?", Ending.QUESTION),
        ("“Are you open?”", Ending.QUESTION),
        ("你们开门吗？", Ending.QUESTION),
        ("هل أنتم مفتوحون؟", Ending.QUESTION),
        ("What are you looking at?", Ending.QUESTION),
        ("I would like a book.", Ending.SENTENCE),
        ("No!", Ending.SENTENCE),
        ("我要一本书。", Ending.SENTENCE),
        ("मुझे एक किताब चाहिए।", Ending.SENTENCE),
        ("I would love to.", Ending.SENTENCE),
        ("Come in", Ending.OPEN),
        ("turn it on", Ending.OPEN),
        ("I think so", Ending.OPEN),
        ("call her", Ending.OPEN),
        ("what time do you open", Ending.OPEN),
        ("where are you from", Ending.OPEN),
        ("what's it for", Ending.OPEN),
        ("I am from", Ending.PREPOSITION),
        ("I want to", Ending.PREPOSITION),
        ("I want to, ", Ending.COMMA),
        ("Well,", Ending.COMMA),
        ("one thing:", Ending.COMMA),
        ("I wanted \N{EM DASH}", Ending.COMMA),
        ("首先，", Ending.COMMA),
        ("So I was thinking...", Ending.TRAILING_OFF),
        ("So I was thinking…", Ending.TRAILING_OFF),
        ("milk and", Ending.CONJUNCTION),
        ("Milk and.", Ending.CONJUNCTION),
        ("Milk, or?", Ending.CONJUNCTION),
        ("But", Ending.CONJUNCTION),
        ("I, um", Ending.HESITATION),
        ("I, um,", Ending.HESITATION),
        ("I would like the.", Ending.ARTICLE),
        ("could you tell me your", Ending.ARTICLE),
        ("is this the land", Ending.OPEN),
    ],
)
def test_an_ending_is_told_by_the_last_word_and_the_mark_behind_it(text, ending):
    """A word that cannot end a sentence is believed more than a mark, a mark more than a preposition."""
    assert ending_of(text) is ending


@pytest.mark.parametrize("language", ["de", "fr", "zh"])
def test_in_other_languages_marks_alone_tell(language):
    """English words mean something else there, or nothing."""
    assert ending_of("ich komme an", language) is Ending.OPEN
    assert ending_of("Kommst du mit?", language) is Ending.QUESTION
    assert ending_of("milk and", language) is Ending.OPEN
    assert ending_of("milk and", "en-GB") is Ending.CONJUNCTION


@given(st.text())
def test_any_text_has_an_ending(text):
    """No text is too strange."""
    assert ending_of(text) in Ending

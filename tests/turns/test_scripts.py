"""The language that a text's script tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.turns.scripts import language_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", "en"),
        ("We are open.", "en"),
        ("¿Vienes?", "en"),
        ("🎉", "en"),
        ("图书馆开门了。", "zh"),
        ("図書館は開いています。", "ja"),
        ("カフェ", "ja"),
        ("도서관", "ko"),
        ("المكتبة مفتوحة", "ar"),
        ("यह खुला है।", "hi"),
        ("Привет, OK", "ru"),
        ("γεια", "el"),
        ("สวัสดี", "th"),
        ("Say नमस्ते when you come in", "en"),
        ("यह iPhone खुला है।", "hi"),
    ],
)
def test_the_script_with_the_most_letters_tells_the_language(text, language):
    """A foreign name changes nothing."""
    assert language_of(text) == language


@given(st.text())
def test_any_text_has_a_language(text):
    """Two small letters."""
    assert len(language_of(text)) == 2

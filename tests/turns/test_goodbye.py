"""Recognising a goodbye."""

import pytest

from warmline.turns.goodbye import is_goodbye

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "Goodbye!",
        "good bye",
        "okay thanks, bye bye",
        "Bye.",
        "thank you very much, have a nice day, goodbye",
        "see you later",
    ],
)
def test_a_goodbye_is_one(text):
    """With all its courtesies."""
    assert is_goodbye(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "how do I say goodbye to my account",
        "is it a good buy",
        "thank you",
        "when is the goodbye party",
        "can I hang up my coat",
        "nice day",
    ],
)
def test_speaking_about_goodbyes_is_none(text):
    """A question is answered, not hung up on."""
    assert not is_goodbye(text)

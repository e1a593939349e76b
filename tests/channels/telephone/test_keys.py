"""Keys that are meant together."""

import pytest

from warmline.channels.telephone.keys import KeyCollector, keys_text

pytestmark = pytest.mark.unit


def test_keys_are_complete_with_a_hash_sign():
    """As every announcement asks for."""
    keys = KeyCollector()
    assert [keys.press(key, at_s) for at_s, key in enumerate("47#")] == ["", "", "47"]
    assert keys.due_at_s is None


def test_keys_are_complete_when_none_was_pressed_for_a_while():
    """Each key begins the wait anew."""
    keys = KeyCollector()
    keys.press("1", 10.0)
    keys.press("2", 11.0)
    assert keys.due_at_s == 12.5
    assert keys.take_due(12.4) == ""
    assert keys.take_due(12.5) == "12"
    assert keys.take_due(20.0) == ""


def test_a_hash_sign_alone_is_a_key():
    """Some menus ask for it."""
    assert KeyCollector().press("#", 0.0) == "#"


def test_keys_that_never_end_are_told_in_parts():
    """A stuck key costs no memory."""
    keys = KeyCollector()
    assert [keys.press("5", 0.0) for _ in range(33)] == [*[""] * 31, "5" * 32, ""]


def test_the_session_is_told_of_single_keys():
    """A model reads a number as a quantity, and digits as digits."""
    assert keys_text("12*") == "Keys pressed: 1 2 *"

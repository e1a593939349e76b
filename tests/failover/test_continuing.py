"""Going on with an answer that was cut off."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.failover.continuing import Seam, WholeWords, continuation
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.turns.clauses import ClauseSplitter

pytestmark = pytest.mark.unit

texts = st.text(st.sampled_from("ab .,'\n"), max_size=40)
words = st.lists(st.sampled_from(["we", "open", "at", "nine", "on", "Mondays"]), max_size=12)


def pieces_of(text, cuts):
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def joined(said, continued):
    """Return both together; `continued` comes in pieces of any size."""
    seam, whole = Seam(said), WholeWords()
    new = "".join(seam.push(whole.push(piece)) for piece in continued)
    return said + new + seam.push(whole.flush()) + seam.flush()


@pytest.mark.parametrize(
    ("said", "continued", "whole"),
    [
        ("We open at ", "nine o'clock.", "We open at nine o'clock."),
        ("We open at ", " nine.", "We open at nine."),
        ("We open at ", "at nine.", "We open at nine."),
        ("We open at ", "We open at nine.", "We open at nine."),
        ("We open at nine. ", "At nine. On Sundays we don't.", "We open at nine. On Sundays we don't."),
        ("We open at nine, ", "nine... and close at five.", "We open at nine, and close at five."),
        ("We open at ", "… nine.", "We open at nine."),
        ("We open at nine. ", "We open at nine.", "We open at nine. "),
        ("We don't open ", "don't open on Sundays.", "We don't open on Sundays."),
        ("He said: ", '"Hello."', 'He said: "Hello."'),
        ("我们九点", "九点开门。", "我们九点开门。"),
        # What comes is like the middle of what was said, and is no repetition.
        ("We open at nine on Mondays and ", "open at ten on Sundays.", None),
    ],
)
def test_continuation_goes_on_where_the_answer_stopped(said, continued, whole):
    for size in (1, 2, 3, 100):
        pieces = [continued[at : at + size] for at in range(0, len(continued), size)]
        assert joined(said, pieces) == (whole or said + continued)


@given(words, words, st.integers(0, 12), st.lists(st.integers(0, 200), max_size=8))
def test_nothing_new_is_lost_and_no_end_is_said_twice(said, new, repeated, cuts):
    """Whatever the continuation repeats of the end, at whatever places it is cut."""
    repeated = min(repeated, len(said))
    continued = " ".join([*said[len(said) - repeated :], *new])
    text = joined("".join(f"{word} " for word in said), pieces_of(continued, cuts))
    found = text.split()
    # The longest run that ends what was said and begins what comes is left out: the repetition,
    # or more, where what is new happens to begin as it does.
    whole = [*said[len(said) - repeated :], *new]
    longest = max(n for n in range(min(len(said), len(whole)) + 1) if said[len(said) - n :] == whole[:n])
    assert longest >= repeated
    assert found == [*said, *whole[longest:]]


@given(texts, texts, st.lists(st.integers(0, 200), max_size=8))
def test_where_a_continuation_is_cut_changes_nothing(said, continued, cuts):
    assert joined(said, pieces_of(continued, cuts)) == joined(said, [continued])


@given(texts, st.lists(st.integers(0, 200), max_size=8))
def test_words_are_held_until_they_are_whole_and_nothing_is_lost(text, cuts):
    whole = WholeWords()
    passed = ""
    for piece in pieces_of(text, cuts):
        passed += whole.push(piece)
        assert not passed or passed[-1].isspace()
    assert passed + whole.flush() == text


spoken_words = st.from_regex(r"[a-zA-Z]{1,9}[.,?!:]?", fullmatch=True)


@given(st.lists(spoken_words, max_size=40).map(" ".join), st.lists(st.integers(0, 300), max_size=30))
def test_holding_back_delays_no_clause(text, cuts):
    """A clause is over at white space, which is when its last word is whole."""
    whole, held, plain = WholeWords(), ClauseSplitter(), ClauseSplitter()
    held_clauses = plain_clauses = ""
    for piece in filter(None, pieces_of(text, cuts)):
        if passed := whole.push(piece):
            held_clauses += "".join(held.push(passed, 0.0))
        plain_clauses += "".join(plain.push(piece, 0.0))
        assert held_clauses.startswith(plain_clauses)


def test_long_runs_and_scripts_without_blanks_are_not_held():
    assert WholeWords().push("https://example.com/a/very/long/address/of/a/page") != ""
    assert WholeWords().push("我们九点开门") == "我们九点开门"
    assert WholeWords().push("เราเปิด") == "เราเปิด"


def test_dropped_words_are_left_to_whoever_goes_on():
    whole = WholeWords()
    assert whole.push("We open at ni") == "We open at "
    whole.drop()
    assert whole.push("nine. ") == "nine. "


def test_request_for_the_rest_shows_what_was_said_and_ends_with_the_users_side():
    """Every provider takes it, and none takes it for a part of the conversation it keeps."""
    request = LlmRequest([Message(Role.USER, "When do you open?")], "Be brief.", "sess_1")
    rest = continuation(request, "We open at ")
    assert [m.role for m in rest.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert rest.messages[1].text == "We open at"
    assert re.search(r"Go on from exactly where it stops", rest.messages[2].text)
    assert (rest.instructions, rest.conversation_id) == ("Be brief.", "")

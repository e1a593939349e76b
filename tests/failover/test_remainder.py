"""What of a reply is still to be spoken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.failover.remainder import GivenClause, clause_in_progress, next_word, owes_audio

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "place", "rest"),
    [
        ("We open at nine. On Sundays", 15, "On Sundays"),
        ("We open at nine. On Sundays", 10, "nine. On Sundays"),
        ("It costs $5.", 8, "$5."),
        ("He said: “Hello.”", 8, "“Hello.”"),
        ("(At nine.) Yes.", 8, "Yes."),
        ("Nine.", 4, ""),
    ],
)
def test_next_word_begins_behind_what_closes_the_last_one(text, place, rest):
    assert text[next_word(text, place) :] == rest


def test_voice_owes_audio_for_what_it_has_not_spoken():
    text = "We open at nine. "
    assert owes_audio(text, None, 0.0)
    assert owes_audio(text, 7, 0.6)
    assert not owes_audio(text, 15, 1.2)


def test_one_word_whose_place_is_not_told_is_not_missed():
    """It was said as `five dollars`; the voice waits for the next clause."""
    assert not owes_audio("It costs $5. ", 8, 1.5)
    assert owes_audio("It costs $5. Do you want it?", 8, 1.5)


def test_voice_without_places_owes_what_nobody_could_have_said_so_fast():
    assert owes_audio("We open at nine, and close at five.", None, 0.5)
    assert not owes_audio("We open at nine, and close at five.", None, 1.5)
    assert not owes_audio("...", None, 0.0)


def test_clause_in_progress_of_a_voice_that_takes_them_one_by_one_is_the_last_that_it_took():
    clauses = [GivenClause(0, 30, 0.0, 0.0), GivenClause(30, 300, 1.2, 1.2), GivenClause(330, 10, 2.4, 2.4)]
    assert [clause_in_progress(clauses, at_s) for at_s in (1.0, 1.2, 1.3, 2.4, 2.5)] == [0, 0, 30, 30, 330]


def test_clause_in_progress_of_a_voice_that_takes_them_ahead_is_guessed_by_the_pace_of_speech():
    clauses = [GivenClause(0, 30, 0.0, 0.0), GivenClause(30, 45, 0.0, 0.0), GivenClause(75, 15, 0.0, 0.0)]
    assert [clause_in_progress(clauses, at_s) for at_s in (0.0, 1.9, 2.1, 4.9, 5.1)] == [0, 0, 30, 30, 75]


@given(
    st.lists(st.tuples(st.integers(1, 100), st.floats(0, 5), st.floats(0, 5)), min_size=1),
    st.floats(0, 60),
    st.floats(0, 60),
)
def test_clause_in_progress_never_goes_back(sizes, one_s, other_s):
    clauses, place, audio_s = [], 0, 0.0
    for size, spoken_s, waited_s in sizes:
        clauses.append(GivenClause(place, size, audio_s, audio_s + waited_s))
        place, audio_s = place + size, audio_s + waited_s + spoken_s
    earlier, later = sorted((one_s, other_s))
    assert clause_in_progress(clauses, earlier) <= clause_in_progress(clauses, later)

"""Who is answered, and when."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.channels.telephone.admission import Admission, AdmissionPolicy, Refusal, admit
from warmline.channels.telephone.hours import is_open, parse_opening

pytestmark = pytest.mark.unit

MONDAY = datetime(2026, 11, 23, 12, 0)  # noqa: DTZ001 - a time of day where the hours are meant
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def decided(caller="+4915550001", number="+4930100", now=MONDAY, *, has_room=True, **policy):
    return admit(caller, number, now, AdmissionPolicy(**policy), has_room=has_room)


def test_without_rules_everybody_is_answered():
    assert decided() == Admission()
    assert decided(caller="anonymous") == Admission()


@pytest.mark.parametrize(
    ("rules", "refusal"),
    [
        ({"numbers": frozenset({"+4930200"})}, Refusal.NUMBER_UNKNOWN),
        ({"blocked": frozenset({"+4915550001"})}, Refusal.CALLER_BLOCKED),
        ({"callers": frozenset({"+4915550002"})}, Refusal.CALLER_BLOCKED),
        ({"openings": [parse_opening("tue-fri 09:00-17:00")]}, Refusal.CLOSED),
        ({"has_room": False}, Refusal.FULL),
    ],
)
def test_each_rule_refuses_and_says_what_is_set_for_it(rules, refusal):
    assert decided(**rules) == Admission(refusal)
    spoken = decided(**rules, texts={refusal: "Please call again."})
    assert spoken == Admission(refusal, "Please call again.")
    assert spoken.is_busy is (refusal is Refusal.FULL)


@pytest.mark.parametrize(
    ("opening", "open_at", "closed_at"),
    [
        ("mon-fri 09:00-17:30", ["23T09:00", "27T17:29"], ["23T08:59", "23T17:30", "28T12:00"]),
        ("sat 22:00-02:00", ["28T22:00", "29T01:59"], ["29T02:00", "28T01:00", "29T22:00"]),
        ("sat-mon 00:00-24:00", ["28T00:00", "29T23:59", "30T12:00"], ["27T23:59", "24T00:00"]),
        ("sun 12:00-12:00", ["29T12:00", "30T11:59"], ["29T11:59", "30T12:00"]),
    ],
)
def test_opening_hours_hold_their_beginning_and_not_their_end(opening, open_at, closed_at):
    openings = [parse_opening(opening)]
    assert all(is_open(openings, datetime.fromisoformat(f"2026-11-{at}")) for at in open_at)
    assert not any(is_open(openings, datetime.fromisoformat(f"2026-11-{at}")) for at in closed_at)


@given(
    st.sampled_from(DAYS),
    st.sampled_from(DAYS),
    st.times(),
    st.times(),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001
)
def test_two_openings_that_complete_each_other_are_always_open(first, last, begins, ends, now):
    """What one leaves out, the other holds."""
    day = f"{first}-{last}" if first != last else "mon-sun"
    whole = "mon-sun"
    one = parse_opening(f"{whole} {begins:%H:%M}-{ends:%H:%M}")
    other = parse_opening(f"{whole} {ends:%H:%M}-{begins:%H:%M}")
    assert is_open([one, other], now)
    assert isinstance(parse_opening(f"{day} {begins:%H:%M}-{ends:%H:%M}").lasts_minutes, int)


@pytest.mark.parametrize(
    "text", ["", "mon", "mon 9:00-17:00", "mon 09:00", "mon,tue 09:00-17:00", "mon 09:00-25:00"]
)
def test_what_is_no_opening_time_is_told(text):
    with pytest.raises(ValueError, match="opening time"):
        parse_opening(text)

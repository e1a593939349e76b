"""What is done when nothing comes, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.failover.gap import Gap, Step, next_step

pytestmark = pytest.mark.unit


def step(gap=None, *, hedge_s=None, is_anybody_left=True, patience_s=0.7):
    return next_step(
        gap or Gap(["a"]),
        10.0,
        patience_s=patience_s,
        give_up_s=5.0,
        hedge_s=hedge_s,
        is_anybody_left=is_anybody_left,
    )


def test_somebody_else_is_asked_when_patience_is_over():
    assert step() == (10.7, Step.ASK)


def test_further_ones_are_asked_at_shorter_intervals():
    assert step(Gap(["a", "a"], next_at_s=10.95)) == (10.95, Step.ASK)


def test_where_nobody_is_left_it_is_given_up_in_the_end():
    assert step(is_anybody_left=False) == (15.0, Step.GIVE_UP)


def test_patience_is_never_longer_than_until_the_end():
    assert step(patience_s=9.0) == (15.0, Step.GIVE_UP)


def test_hedge_comes_before_the_deadline_and_once():
    assert step(hedge_s=0.4) == (10.4, Step.HEDGE)
    assert step(Gap(["a", "a"], is_hedged=True), hedge_s=0.4) == (10.7, Step.ASK)
    assert step(hedge_s=0.9) == (10.7, Step.ASK)


@given(
    st.floats(0.1, 10),
    st.floats(0.1, 10),
    st.none() | st.floats(0, 10),
    st.none() | st.floats(0, 20),
    st.booleans(),
)
def test_something_is_always_done_by_the_end(patience_s, give_up_s, hedge_s, next_at_s, is_anybody_left):
    at_s, what = next_step(
        Gap(["a"], next_at_s=next_at_s),
        0.0,
        patience_s=patience_s,
        give_up_s=give_up_s,
        hedge_s=hedge_s,
        is_anybody_left=is_anybody_left,
    )
    assert at_s <= give_up_s
    assert is_anybody_left or what is Step.GIVE_UP

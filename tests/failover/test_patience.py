"""How long something is waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.failover.hedging import HedgeBudget
from warmline.failover.patience import FEW, KEPT, Bounds, MeasuredTimes, Wait, deadline_s, percentile_s
from warmline.failover.settings import DEFAULT_BOUNDS, FailoverSettings

pytestmark = pytest.mark.unit

BOUNDS = Bounds(0.35, 0.7)
seconds = st.floats(0.0, 100.0, allow_nan=False)


@given(st.lists(seconds, min_size=1), st.floats(0.1, 100.0))
def test_percentile_is_a_sample_that_enough_of_them_do_not_exceed(samples, percent):
    found = percentile_s(samples, percent)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= len(samples) * percent / 100 - 1e-6
    assert sum(sample < found for sample in samples) < len(samples) * percent / 100 + 1e-6


@given(st.lists(seconds, max_size=KEPT), seconds)
def test_deadline_is_never_below_the_floor_nor_above_the_ceiling_of_a_leg_that_keeps_it(samples, more):
    found = deadline_s(samples, BOUNDS)
    assert found >= BOUNDS.floor_s
    if len(samples) < FEW:
        assert found == BOUNDS.ceiling_s
    elif percentile_s(samples, 50) <= BOUNDS.ceiling_s:
        assert found <= BOUNDS.ceiling_s


@given(st.lists(seconds, min_size=FEW, max_size=KEPT), st.floats(1.0, 3.0))
def test_slower_leg_is_waited_for_at_least_as_long(samples, factor):
    slower = [sample * factor for sample in samples]
    assert deadline_s(slower, BOUNDS) >= deadline_s(samples, BOUNDS)


def test_deadline_follows_what_was_measured():
    """A leg that takes 0.3 s, now and then 0.4, is given up on after 0.6."""
    assert deadline_s([0.3] * 90 + [0.4] * 10, BOUNDS) == pytest.approx(0.6)
    assert deadline_s([0.1] * 100, BOUNDS) == BOUNDS.floor_s
    assert deadline_s([0.6] * 100, BOUNDS) == BOUNDS.ceiling_s


def test_leg_that_always_takes_longer_than_the_ceiling_is_not_asked_twice_each_time():
    """A large model on a small machine."""
    assert deadline_s([3.0] * 100, BOUNDS) == pytest.approx(4.5)


def test_few_stalls_among_many_answers_do_not_move_the_deadline():
    assert deadline_s([0.3] * 195 + [60.0] * 5, BOUNDS) == pytest.approx(0.45)


def test_oldest_times_are_forgotten_and_legs_are_kept_apart():
    times = MeasuredTimes()
    for number in range(KEPT + 5):
        times.add("a", Wait.LLM_FIRST_TEXT, float(number))
    times.add("b", Wait.LLM_FIRST_TEXT, 1.0)
    assert list(times.of("a", Wait.LLM_FIRST_TEXT)) == [float(n) for n in range(5, KEPT + 5)]
    assert list(times.of("b", Wait.LLM_FIRST_TEXT)) == [1.0]
    assert list(times.of("a", Wait.LLM_STALL)) == []


def test_bounds_the_wrong_way_round_are_refused():
    with pytest.raises(ValueError, match=r"from 2 to 1 s"):
        Bounds(2.0, 1.0)


def test_another_provider_is_asked_within_a_second_by_default():
    """One line that gives nothing, then another: that much dead air is added at most."""
    settings = FailoverSettings()
    assert set(settings.bounds) == set(Wait)
    for wait in (Wait.LLM_FIRST_TEXT, Wait.TTS_FIRST_AUDIO):
        assert DEFAULT_BOUNDS[wait].ceiling_s + settings.again_s < 1.0


@given(st.lists(st.booleans(), max_size=400), st.sampled_from([0.0, 0.05, 0.1, 1.0]))
def test_no_more_requests_are_hedged_than_the_share_allows(slow, share):
    budget = HedgeBudget()
    hedged = []
    for is_slow in slow:
        budget.asked()
        hedged.append(is_slow and budget.may_hedge(share))
        assert sum(hedged[-100:]) <= share * min(len(hedged), 100)


def test_every_slow_request_is_hedged_within_the_share():
    budget = HedgeBudget()
    for number in range(1, 301):
        budget.asked()
        assert budget.may_hedge(0.05) == (number % 20 == 0)

"""What samples tell: quantiles, and intervals that keep what they promise."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.reporting.samples import (
    quantile,
    quantile_interval,
    quantile_ranks,
    rate_interval,
    shows_quantile,
)

pytestmark = pytest.mark.unit


def below(rank, count, share):
    """Return how probable it is that fewer than `rank` of `count` values lie below the quantile."""
    return sum(math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(rank))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("count", [1, 2, 6, 7, 20, 59, 60, 100])
def test_ranks_are_the_nearest_that_keep_each_tail_within_its_probability(count, share):
    low, high = quantile_ranks(count, share, 0.95)
    ranks = range(1, count + 1)

    assert low == max((rank for rank in ranks if below(rank, count, share) <= 0.025), default=None)
    assert high == min((rank for rank in ranks if below(rank, count, share) >= 0.975), default=None)


def test_six_values_enclose_the_median_at_95_percent_and_five_do_not():
    # Both ends are beyond the median with 2 · 0.5^n: 3.1 % of six values, 6.3 % of five.
    assert quantile_interval([1, 2, 3, 4, 5, 6], 0.5) is not None
    assert quantile_interval([1, 2, 3, 4, 5], 0.5) is None


def test_ranks_of_a_million_values_are_those_of_the_normal_law():
    low, high = quantile_ranks(1_000_000, 0.5, 0.95)

    assert low == pytest.approx(500_000 - 1.96 * 500, abs=3)
    assert high == pytest.approx(500_000 + 1.96 * 500, abs=3)


@pytest.mark.parametrize(("count", "share"), [(12, 0.5), (40, 0.5), (120, 0.9)])
def test_intervals_enclose_the_truth_at_least_as_often_as_they_say(count, share):
    """Of a distribution that is nothing like the normal one."""
    chance = random.Random(7)
    truth = -math.log(1 - share)
    trials = 1_500
    hits = 0
    for _ in range(trials):
        interval = quantile_interval(sorted(chance.expovariate(1) for _ in range(count)), share)
        hits += interval is not None and interval.low <= truth <= interval.high

    assert hits / trials >= 0.94


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_lies_within_the_values(values, share):
    ordered = sorted(values)

    assert ordered[0] <= quantile(ordered, share) <= ordered[-1] * (1 + 1e-12)


def test_the_median_of_two_is_between_them():
    assert quantile([1_551, 1_972], 0.5) == 1_761.5


def test_nothing_has_no_quantile():
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@pytest.mark.parametrize(("share", "least"), [(0.5, 1), (0.9, 10), (0.95, 20), (0.99, 100)])
def test_a_percentile_is_shown_once_a_turn_lies_beyond_it(share, least):
    assert shows_quantile(least, share)
    assert not shows_quantile(least - 1, share)


@given(st.integers(1, 500), st.data())
def test_a_rate_lies_within_its_interval(count, data):
    hits = data.draw(st.integers(0, count))
    interval = rate_interval(hits, count)

    assert interval is not None
    assert 0 <= interval.low <= hits / count + 1e-9
    assert hits / count - 1e-9 <= interval.high <= 1


def test_two_of_two_may_be_a_rate_of_a_third():
    interval = rate_interval(2, 2)

    assert interval is not None
    assert interval.low == pytest.approx(0.342, abs=0.001)
    assert rate_interval(0, 0) is None

"""Percentiles from histograms are as near to those of the values as they promise."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warmline.reporting.histogram import BINS, RELATIVE_ERROR, bin_of, quantiles
from warmline.reporting.samples import quantile

pytestmark = pytest.mark.unit

SHARES = (0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0)
MICROSECOND_MS = 0.001

values = st.lists(st.floats(0, 1e9) | st.floats(0, 5_000) | st.sampled_from([0.0, 0.001, 1e9]), min_size=1)


def counted(values):
    return np.bincount([bin_of(value) for value in values], minlength=BINS).astype(float)


@given(values)
@example([0.001])
@example([0.0010000001])
@example([1e9] * 3)
@example([100.0, 101.0])
def test_quantiles_are_within_half_a_percent_of_those_of_the_values(values):
    """Or within a microsecond, which is all that a timeline tells apart."""
    [found] = quantiles(counted(values)[None, :], np.array([max(values)]), SHARES)
    for share, value in zip(SHARES, found, strict=True):
        exact = quantile(sorted(values), share)
        assert abs(value - exact) <= RELATIVE_ERROR * exact * (1 + 1e-9) + MICROSECOND_MS, share


@given(st.lists(values, min_size=1, max_size=6))
def test_several_histograms_at_once_give_what_each_gives_alone(samples):
    together = quantiles(
        np.array([counted(each) for each in samples]), np.array(list(map(max, samples))), SHARES
    )
    for sample, row in zip(samples, together, strict=True):
        [alone] = quantiles(counted(sample)[None, :], np.array([max(sample)]), SHARES)
        assert row.tolist() == alone.tolist()


@given(values, values)
def test_added_histograms_are_that_of_all_values(first, second):
    assert (counted(first) + counted(second)).tolist() == counted(first + second).tolist()


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_greater_values_are_in_later_bins(one, other):
    least, greatest = sorted([one, other])
    assert 0 <= bin_of(least) <= bin_of(greatest) < BINS


@pytest.mark.parametrize(
    ("ms", "number"), [(-5.0, 0), (0.0, 0), (0.001, 0), (1e9, BINS - 1), (1e12, BINS - 1)]
)
def test_what_is_out_of_range_is_in_the_nearest_bin(ms, number):
    assert bin_of(ms) == number

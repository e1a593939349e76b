"""Two samples: what became of a measure, and how sure that is."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.turns import report, turn
from warmline.reporting.comparison import Change, compared
from warmline.reporting.findings import Severity
from warmline.reporting.samples import Interval

pytestmark = pytest.mark.unit


def drawn(seed, count, median_ms):
    chance = random.Random(seed)
    return sorted(median_ms + chance.gauss(0, 60) for _ in range(count))


def test_a_large_gain_of_many_turns_is_sure():
    found = compared("response", drawn(1, 200, 1_000), drawn(2, 150, 800))

    assert found.change is Change.FASTER
    assert found.relative == pytest.approx(-0.2, abs=0.02)
    assert found.relative is not None
    assert found.relative_interval is not None
    assert found.relative_interval.low < found.relative < found.relative_interval.high < 0


def test_the_other_way_round_it_is_slower():
    assert compared("response", drawn(2, 150, 800), drawn(1, 200, 1_000)).change is Change.SLOWER


def test_the_same_distribution_twice_is_within_chance():
    """Of 200 pairs no more than one in twenty is called a change; the method is careful, so fewer."""
    wrong = sum(
        compared("response", drawn(seed, 40, 900), drawn(seed + 5_000, 40, 900)).change is not Change.NONE
        for seed in range(200)
    )

    assert wrong <= 10


@pytest.mark.parametrize(("before", "now"), [(6, 100), (100, 6), (2, 2), (1, 1)])
def test_fewer_than_seven_turns_on_a_side_are_too_few_however_large_the_gain(before, now):
    found = compared("response", [1_000.0 + n for n in range(before)], [10.0 + n for n in range(now)])

    assert found.change is Change.TOO_FEW
    assert found.difference_ms is None


def test_seven_on_each_side_are_enough_if_none_overlap():
    found = compared("response", [1_000.0 + n for n in range(7)], [10.0 + n for n in range(7)])

    assert found.change is Change.FASTER


def test_what_took_no_time_before_has_no_relative_change():
    found = compared("response", [0.0] * 10, [5.0] * 10)

    assert found.change is Change.SLOWER
    assert (found.relative, found.relative_interval, found.relative_range) == (None, None, None)
    assert found.difference_ms == Interval(5.0, 5.0)


@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=40), st.lists(st.floats(0, 1e5), min_size=1, max_size=40)
)
def test_a_change_is_never_claimed_against_the_medians(before, now):
    found = compared("response", sorted(before), sorted(now))

    if found.change is Change.FASTER:
        assert found.now_ms < found.before_ms
    if found.change is Change.SLOWER:
        assert found.now_ms > found.before_ms


def test_a_stage_that_became_slower_is_told_of_and_one_that_did_not_is_not():
    before = [turn(n, model_ms=400.0 + n % 7) for n in range(40)]
    now = [turn(n, model_ms=700.0 + n % 7) for n in range(40)]

    kinds = {finding.kind: finding for finding in report(now, before).findings}

    assert kinds["change.stage.model"].severity is Severity.WARNING
    assert kinds["change.response_simple"].severity is Severity.WARNING
    assert kinds["change.span.voice_first_audio"].severity is Severity.NOTE
    assert "change.stage.endpointing" not in kinds

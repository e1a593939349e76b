"""The breaker, retries, and the choice of a region."""

import random
from datetime import UTC, datetime

import pytest

from warmline.pool.breaker import Breaker
from warmline.pool.regions import Region, nearest
from warmline.pool.retrying import RetryPolicy, retry_after_s

pytestmark = pytest.mark.unit


def test_breaker_opens_after_three_failures_and_lets_one_probe_through():
    """A user's turn is never what tries a far end that is down."""
    breaker = Breaker()
    for _ in range(2):
        breaker.failed(0.0)
    assert breaker.try_now(0.0)
    breaker.failed(0.0)
    assert breaker.is_open
    assert not breaker.try_now(0.4)
    assert breaker.try_now(0.6)
    assert not breaker.try_now(0.6), "one probe at a time"
    breaker.failed(0.6)
    assert breaker.pause_s(0.6) == pytest.approx(1.0), "the pause doubles"
    assert breaker.try_now(2.0)
    breaker.succeeded()
    assert not breaker.is_open


def test_breaker_pauses_at_most_half_a_minute():
    """However long the far end has been down."""
    breaker = Breaker()
    for _ in range(60):
        breaker.failed(0.0)
    assert breaker.pause_s(0.0) == 30.0


def test_retries_back_off_from_300_ms_with_jitter_and_end_after_three():
    """The figures that the earlier systems asked for."""
    policy, draw = RetryPolicy(), random.Random(1)
    for attempt, middle_s in ((1, 0.3), (2, 0.6), (3, 1.2)):
        delay_s = policy.delay_s(attempt, None, draw)
        assert delay_s is not None
        assert middle_s * 0.75 <= delay_s <= middle_s * 1.25
    assert policy.delay_s(4, None, draw) is None


def test_a_pause_the_far_end_asks_for_is_kept_or_not_waited_for():
    """Ten seconds are too long for anybody on a call."""
    policy, draw = RetryPolicy(), random.Random(1)
    assert policy.delay_s(1, 2.5, draw) == 2.5
    assert policy.delay_s(1, 121.0, draw) is None
    assert policy.delay_s(1, float("nan"), draw) is None


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:05 GMT"}, 5.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers, expected_s):
    """Seconds, milliseconds, a date, or nothing that can be read."""
    assert retry_after_s(headers, datetime(2026, 11, 21, 12, tzinfo=UTC)) == expected_s


def test_a_region_is_moved_to_only_if_it_is_clearly_nearer():
    """Moving costs a warm line, so noise must not do it."""
    here, near, far = Region("here", 0.100), Region("near", 0.090), Region("far", 0.200)
    assert nearest([here, near, far], "here") == "here"
    assert nearest([here, Region("near", 0.050)], "here") == "near"
    assert nearest([Region("here", 0.006), Region("near", 0.004)], "here") == "here", "not felt"


def test_a_broken_region_is_left_at_once():
    """And if all are broken, the present one stays."""
    broken = Region("here", 0.010, is_broken=True)
    assert nearest([broken, Region("far", 0.300)], "here") == "far"
    assert nearest([broken, Region("unmeasured", None)], "here") == "unmeasured"
    assert nearest([broken, Region("far", 0.3, is_broken=True)], "here") == "here"

"""What the shelf decides."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import InvalidTransition
from warmline.pool.shelf import ShelfPolicy, ShelvedLine, plan
from warmline.pool.states import TRANSITIONS, LineEvent, LineState, next_state

pytestmark = pytest.mark.unit

NOW_S = 1_000.0
POLICY = ShelfPolicy(warm_target=2, max_lines=4, idle_limit_s=30, max_age_s=600, renew_margin_s=5)

policies = st.builds(
    ShelfPolicy,
    warm_target=st.integers(0, 4),
    max_lines=st.integers(1, 8),
    idle_limit_s=st.floats(1, 100),
    max_age_s=st.floats(1, 1000),
    renew_margin_s=st.floats(0, 20),
    keep_alive_s=st.none() | st.floats(0.5, 50),
)
lines = st.lists(
    st.builds(
        ShelvedLine,
        id=st.uuids().map(str),
        state=st.sampled_from([LineState.OPENING, LineState.IDLE, LineState.LEASED, LineState.DRAINING]),
        opened_at_s=st.floats(NOW_S - 1200, NOW_S),
        used_at_s=st.floats(NOW_S - 120, NOW_S),
        capacity=st.integers(1, 3),
    ),
    max_size=10,
).map(lambda found: [replace(line, leases=int(line.state is LineState.LEASED)) for line in found])


def idle(name: str, *, age_s: float = 0.0, unused_s: float = 0.0) -> ShelvedLine:
    return ShelvedLine(name, LineState.IDLE, NOW_S - age_s, NOW_S - unused_s)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(LineState, LineEvent)))
def test_every_pair_of_state_and_event_is_in_the_table_or_refused(state, event):
    """No event is silently ignored."""
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(InvalidTransition):
            next_state(state, event)


@given(lines=lines, waiting=st.integers(0, 10), policy=policies)
def test_opening_what_the_plan_says_never_takes_the_pool_past_its_limit(lines, waiting, policy):
    """However many wait."""
    wanted = plan(lines, waiting=waiting, policy=policy, now_s=NOW_S)
    assert wanted.open == 0 or len(lines) + wanted.open <= policy.max_lines


@given(lines=lines, waiting=st.integers(0, 10), policy=policies)
def test_a_line_past_a_limit_is_never_granted(lines, waiting, policy):
    """Nothing expires in a caller's hands."""
    by_id = {line.id: line for line in lines}
    for granted in plan(lines, waiting=waiting, policy=policy, now_s=NOW_S).grant:
        line = by_id[granted]
        assert NOW_S - line.opened_at_s < policy.max_age_s
        assert line.state is LineState.LEASED or NOW_S - line.used_at_s < policy.idle_limit_s


@given(lines=lines, waiting=st.integers(0, 10), policy=policies)
def test_no_line_is_granted_beyond_its_capacity_nor_to_nobody(lines, waiting, policy):
    """Nor is a line closed or kept alive that is granted in the same plan."""
    wanted = plan(lines, waiting=waiting, policy=policy, now_s=NOW_S)
    assert len(wanted.grant) <= waiting
    for line in lines:
        assert wanted.grant.count(line.id) + line.leases <= max(line.capacity, line.leases)
    assert not set(wanted.grant) & (set(wanted.close) | set(wanted.keep_alive))


@given(lines=lines, waiting=st.integers(0, 10), policy=policies)
def test_the_warm_target_is_reached_by_one_opening_where_there_is_room(lines, waiting, policy):
    """Never below it for longer than one opening takes."""
    wanted = plan(lines, waiting=waiting, policy=policy, now_s=NOW_S)
    fresh = [
        line
        for line in lines
        if line.state is LineState.IDLE
        and line.id not in wanted.grant
        and min(line.used_at_s + policy.idle_limit_s - NOW_S, line.opened_at_s + policy.max_age_s - NOW_S)
        > policy.renew_margin_s
    ]
    opening = sum(line.state is LineState.OPENING for line in lines)
    unserved = waiting - len(wanted.grant)
    short = policy.warm_target + unserved - len(fresh) - opening - wanted.open
    assert short <= 0 or wanted.open == max(policy.max_lines - len(lines), 0)


def test_a_line_near_its_idle_limit_is_replaced_before_it_is_closed():
    """The next caller finds a warm line at every instant."""
    ageing = [idle("a", unused_s=27), idle("b", unused_s=27)]
    assert plan(ageing, waiting=0, policy=POLICY, now_s=NOW_S).open == 2
    renewed = plan([*ageing, idle("c"), idle("d")], waiting=0, policy=POLICY, now_s=NOW_S)
    assert (set(renewed.close), renewed.open) == ({"a", "b"}, 0)


def test_a_line_near_its_end_makes_room_where_the_pool_is_full():
    """Otherwise all would expire at once."""
    policy = replace(POLICY, max_lines=2)
    ageing = [idle("a", unused_s=27), idle("b", unused_s=27)]
    wanted = plan(ageing, waiting=0, policy=policy, now_s=NOW_S)
    assert (len(wanted.close), wanted.open) == (1, 0)


def test_the_line_used_last_is_granted_first():
    """The others may grow old and be closed."""
    found = [idle("old", unused_s=10), idle("new", unused_s=1)]
    assert plan(found, waiting=1, policy=POLICY, now_s=NOW_S).grant == ("new",)


def test_a_line_without_use_is_kept_alive_in_time():
    """And the plan says when to look again."""
    policy = replace(POLICY, warm_target=1, keep_alive_s=20)
    assert plan([idle("a", unused_s=21)], waiting=0, policy=policy, now_s=NOW_S).keep_alive == ("a",)
    later = plan([idle("a", unused_s=15)], waiting=0, policy=policy, now_s=NOW_S)
    assert later.next_in_s == pytest.approx(5, abs=0.01)

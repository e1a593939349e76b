import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import InvalidTransition
from warmline.reporting.goals import Verdict
from warmline.server.observability.goal_states import (
    TRANSITIONS,
    AlertEvent,
    AlertPolicy,
    AlertState,
    Standing,
    next_state,
    stepped,
)

pytestmark = pytest.mark.unit

POLICY = AlertPolicy(confirm_s=30, settle_s=120)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(AlertState, AlertEvent)))
def test_every_pair_is_in_the_table_or_refused(state, event):
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        assert event in (AlertEvent.CONFIRMED, AlertEvent.SETTLED), "a judgement may come at any time"
        with pytest.raises(InvalidTransition):
            next_state(state, event)


def states(*judgements):
    """Return the state after each judgement, one every ten seconds."""
    standing, told = Standing(), []
    for number, verdict in enumerate(judgements):
        standing = stepped(standing, verdict, POLICY, number * 10.0)
        told.append(standing.state.value)
    return told


def test_a_goal_that_is_broken_for_long_enough_fires_and_settles_when_it_was_kept_for_long_enough():
    broken, met = [Verdict.BROKEN] * 4, [Verdict.MET] * 13
    assert states(*broken, *met) == [
        *["pending"] * 3,
        "firing",
        *["settling"] * 12,
        "quiet",
    ]


def test_a_goal_that_goes_to_and_fro_fires_once():
    after = states(*[Verdict.BROKEN] * 4, *[Verdict.MET, Verdict.MET, Verdict.BROKEN] * 20)
    assert after[:4] == ["pending", "pending", "pending", "firing"]
    assert set(after[3:]) == {"firing", "settling"}


def test_what_is_broken_for_an_instant_is_not_told():
    assert set(states(*[Verdict.BROKEN, Verdict.MET] * 10)) == {"pending", "quiet"}
    assert set(states(*[Verdict.BROKEN, Verdict.TOO_FEW] * 10)) == {"pending", "quiet"}


def test_too_few_turns_neither_fire_nor_settle():
    assert states(*[Verdict.TOO_FEW] * 9) == ["quiet"] * 9
    assert states(*[Verdict.BROKEN] * 4, *[Verdict.TOO_FEW] * 20)[3:] == ["firing"] * 21


def test_a_window_without_a_turn_ends_it():
    assert states(*[Verdict.BROKEN] * 4, Verdict.NO_DATA)[-1] == "quiet"


def test_without_waiting_it_fires_and_settles_at_once():
    policy = AlertPolicy(confirm_s=0, settle_s=0)
    fired = stepped(Standing(), Verdict.BROKEN, policy, 5.0)
    assert fired == Standing(AlertState.FIRING, 5.0, 5.0)
    assert stepped(fired, Verdict.MET, policy, 6.0) == Standing(AlertState.QUIET, 6.0, None)


@given(st.lists(st.tuples(st.sampled_from(Verdict), st.floats(0.1, 400))))
def test_it_never_changes_its_mind_faster_than_the_policy_says(judgements):
    """From the beginning of one firing to its end at least `settle_s`, unless the window was empty."""
    standing, now_s = Standing(), 0.0
    for verdict, step_s in judgements:
        now_s += step_s
        before, standing = standing, stepped(standing, verdict, POLICY, now_s)
        assert standing.since_s <= now_s
        assert (standing.told_since_s is not None) == standing.state.is_firing
        if before.state.is_firing and standing.state.is_firing:
            assert standing.told_since_s == before.told_since_s
        if before.state.is_firing and not standing.state.is_firing and verdict is not Verdict.NO_DATA:
            assert verdict is Verdict.MET
            assert now_s - before.since_s >= POLICY.settle_s
        if standing.state.is_firing and not before.state.is_firing:
            assert verdict is Verdict.BROKEN
            assert now_s - before.since_s >= POLICY.confirm_s

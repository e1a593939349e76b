"""Which legs are asked, and when one is found out about."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.core.setback import ProviderRole
from warmline.errors import InvalidTransition
from warmline.failover.health import (
    TRANSITIONS,
    Choice,
    Health,
    LegEvent,
    LegState,
    next_leg,
    next_state,
)

pytestmark = pytest.mark.unit

LLM = ProviderRole.LLM
LEGS = ("openai", "anthropic", "offline")


def down(health, leg="openai", now_s=0.0):
    health.note(LLM, leg, LegEvent.MISSED, now_s)
    health.note(LLM, leg, LegEvent.MISSED, now_s)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(LegState, LegEvent)))
def test_every_pair_is_in_the_table_or_refused(state, event):
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        assert event is LegEvent.PROBE_BEGAN
        with pytest.raises(InvalidTransition):
            next_state(state, event)


def test_one_miss_is_forgiven_and_a_second_in_a_row_is_not():
    health = Health()
    health.note(LLM, "openai", LegEvent.MISSED, 0.0)
    assert health.choice(LLM, LEGS, 0.0).order == LEGS
    health.note(LLM, "openai", LegEvent.SUCCEEDED, 1.0)
    health.note(LLM, "openai", LegEvent.MISSED, 2.0)
    assert health.is_up(LLM, "openai")
    health.note(LLM, "openai", LegEvent.MISSED, 3.0)
    assert health.choice(LLM, LEGS, 3.0).order == ("anthropic", "offline", "openai")


def test_refusal_is_enough():
    health = Health()
    health.note(LLM, "openai", LegEvent.REFUSED, 0.0)
    assert health.choice(LLM, LEGS, 0.0).order[0] == "anthropic"


def test_roles_are_kept_apart():
    health = Health()
    down(health)
    assert health.is_up(ProviderRole.TTS, "openai")


def test_leg_is_the_first_choice_again_when_its_probe_succeeded():
    health = Health()
    health.watch([(LLM, "openai")])
    down(health)
    assert health.due_in_s((LLM, "openai"), 0.0) == 0.5
    assert health.choice(LLM, LEGS, 10.0) == Choice(("anthropic", "offline", "openai"))
    health.note(LLM, "openai", LegEvent.PROBE_BEGAN, 0.5)
    assert health.choice(LLM, LEGS, 0.5).order[0] == "anthropic"
    health.note(LLM, "openai", LegEvent.PROBE_SUCCEEDED, 0.6)
    assert health.choice(LLM, LEGS, 0.6).order[0] == "openai"


def test_leg_whose_probes_succeed_but_whose_work_fails_is_left_alone_for_longer_each_time():
    """A mute model behind a healthy front."""
    health = Health()
    health.watch([(LLM, "openai")])
    pauses = []
    now_s = 0.0
    for _ in range(10):
        down(health, now_s=now_s)
        pause_s = health.due_in_s((LLM, "openai"), now_s)
        assert pause_s is not None
        pauses.append(pause_s)
        now_s += pause_s
        health.note(LLM, "openai", LegEvent.PROBE_BEGAN, now_s)
        health.note(LLM, "openai", LegEvent.PROBE_SUCCEEDED, now_s)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    health.note(LLM, "openai", LegEvent.SUCCEEDED, now_s)
    down(health, now_s=now_s)
    assert health.due_in_s((LLM, "openai"), now_s) == 0.5


def test_leg_without_a_probe_is_tried_beside_a_turn_that_another_serves():
    health = Health()
    down(health)
    assert health.choice(LLM, LEGS, 0.4) == Choice(("anthropic", "offline", "openai"))
    assert health.choice(LLM, LEGS, 0.5) == Choice(("anthropic", "offline", "openai"), trial="openai")
    health.note(LLM, "openai", LegEvent.PROBE_BEGAN, 0.5)
    assert health.choice(LLM, LEGS, 0.5).trial == ""
    health.note(LLM, "openai", LegEvent.PROBE_ABANDONED, 0.6)
    assert health.choice(LLM, LEGS, 0.6).trial == "openai"
    health.note(LLM, "openai", LegEvent.PROBE_BEGAN, 0.6)
    health.note(LLM, "openai", LegEvent.PROBE_FAILED, 0.7)
    assert health.choice(LLM, LEGS, 1.6).trial == ""
    assert health.choice(LLM, LEGS, 1.7).trial == "openai"


def test_leg_that_comes_after_one_that_is_up_is_not_tried():
    """Nobody would use it."""
    health = Health()
    down(health, "anthropic")
    assert health.choice(LLM, LEGS, 9.0) == Choice(("openai", "offline", "anthropic"))


def test_everything_down_is_asked_in_the_operators_order():
    health = Health()
    for leg in LEGS:
        down(health, leg)
    assert health.choice(LLM, LEGS, 9.0) == Choice(LEGS)


def test_change_of_a_state_is_told_once():
    health = Health()
    changes = []
    health.on_change = lambda: changes.append(health.state(LLM, "openai"))
    down(health)
    health.note(LLM, "openai", LegEvent.MISSED, 0.0)
    assert changes == [LegState.SUSPECT, LegState.DOWN]


@given(st.lists(st.tuples(st.sampled_from(LEGS), st.sampled_from(LegEvent), st.floats(0, 10))))
def test_whatever_happens_every_leg_is_named_once_and_those_that_are_up_come_first(history):
    health = Health()
    now_s = 0.0
    for leg, event, after_s in history:
        now_s += after_s
        if event is LegEvent.PROBE_BEGAN and health.state(LLM, leg) is not LegState.DOWN:
            continue
        health.note(LLM, leg, event, now_s)
        choice = health.choice(LLM, LEGS, now_s)
        assert sorted(choice.order) == sorted(LEGS)
        is_up = [health.is_up(LLM, name) for name in choice.order]
        assert is_up == sorted(is_up, reverse=True)
        assert not choice.trial or (is_up[0] and not health.is_up(LLM, choice.trial))


def test_next_leg_asks_each_as_often_as_it_may_and_none_that_refused():
    def asked(*names, refused=()):
        return next_leg(LEGS[:2], asked=names, refused=frozenset(refused), tries=2)

    assert asked("openai") == "openai"
    assert asked("openai", "openai") == "anthropic"
    assert asked("openai", refused=["openai"]) == "anthropic"
    assert asked("openai", "openai", "anthropic", "anthropic") is None

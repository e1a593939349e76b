"""When something is tried again, and when a message may still be answered freely."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.retrying import Confirm, GiveUp, NextStep, Pause, Wait, next_step
from warmline.channels.whatsapp.window import MARGIN_S, WINDOW_S, is_open

pytestmark = pytest.mark.unit

K = GraphFailureKind
KINDS = st.sampled_from(K)
CHANCES = st.floats(0, 1)


def steps(kind, *, sending=True, chance=0.0):
    """Return what is done after each failure, until nothing is."""
    found: list[NextStep] = []
    while not found or not isinstance(found[-1], GiveUp | Pause):
        found.append(next_step(kind, len(found) + 1, sending=sending, chance=chance))
    return found


def test_a_person_who_was_sent_too_much_is_waited_for_as_meta_advises():
    """4^n seconds, up to about a minute; chance has no part in it."""
    waits = [1.0, 4.0, 16.0, 64.0, 64.0, 64.0, 64.0, 64.0]
    assert steps(K.PAIR_RATE) == steps(K.PAIR_RATE, chance=1.0) == [*map(Wait, waits), GiveUp()]


def test_too_many_requests_are_thinned_out_by_chance():
    """Else all who wait would come back at once."""
    assert steps(K.THROUGHPUT)[:7] == [Wait(1), Wait(2), Wait(4), Wait(8), Wait(16), Wait(32), Wait(60)]
    assert steps(K.THROUGHPUT, chance=1.0)[:3] == [Wait(0.5), Wait(1), Wait(2)]


def test_a_problem_of_metas_own_is_waited_out_for_some_minutes():
    """Begun with a third of a second."""
    *waits, last = steps(K.TRANSIENT)
    assert [wait.seconds for wait in waits[:4]] == [0.3, 0.6, 1.2, 2.4]
    assert 180 < sum(wait.seconds for wait in waits) < 300
    assert last == GiveUp()


def test_a_token_that_is_refused_stops_everything():
    """No number of tries makes it valid."""
    assert steps(K.TOKEN) == [Pause()]
    assert next_step(K.TOKEN, 1000, sending=False) == Pause()


def test_a_message_that_may_have_been_accepted_waits_for_a_status():
    """Anything else may be asked for again at once."""
    assert steps(K.UNKNOWN_OUTCOME) == [Confirm(20.0), Confirm(60.0), Confirm(180.0), GiveUp()]
    assert steps(K.UNKNOWN_OUTCOME, sending=False) == steps(K.TRANSIENT, sending=False)


def test_a_file_that_is_gone_is_asked_for_once_more():
    """With a new address."""
    assert steps(K.MEDIA_GONE) == [Wait(0), GiveUp()]


@pytest.mark.parametrize("kind", [K.WINDOW_CLOSED, K.UNDELIVERABLE, K.REFUSED])
def test_what_would_be_refused_again_is_given_up(kind):
    """At once."""
    assert steps(kind) == [GiveUp()]


@given(KINDS, st.integers(1, 10_000), st.booleans(), CHANCES)
def test_no_wait_is_endless_and_no_message_is_sent_twice_without_need(kind, tries, sending, chance):
    """Whatever fails, however often."""
    step = next_step(kind, tries, sending=sending, chance=chance)
    if isinstance(step, Wait):
        assert 0 <= step.seconds <= 64
        assert not (sending and kind is K.UNKNOWN_OUTCOME)
    if isinstance(step, Confirm):
        assert sending
        assert kind is K.UNKNOWN_OUTCOME
        assert 20 <= step.within_s <= 180
    if kind is not K.TOKEN and tries >= 12:
        assert step == GiveUp()


@given(KINDS, st.integers(1, 11), st.booleans(), CHANCES)
def test_waits_do_not_shrink(kind, tries, sending, chance):
    """A far end that has trouble is asked less and less often."""
    first, second = (next_step(kind, each, sending=sending, chance=chance) for each in (tries, tries + 1))
    if isinstance(first, Wait) and isinstance(second, Wait):
        assert first.seconds <= second.seconds


@given(st.floats(0, 2e9), st.floats(-1e6, 1e6))
def test_the_window_is_open_for_a_day_less_a_margin(last_s, later_s):
    """By the person's last message."""
    assert is_open(last_s, last_s + later_s, margin_s=0) is (last_s + later_s - last_s < WINDOW_S)
    if is_open(last_s, last_s + later_s):
        assert is_open(last_s, last_s + later_s, margin_s=0)


def test_the_window_closes_a_little_early():
    """What is sent at the last moment arrives after it."""
    assert is_open(1000, 1000 + WINDOW_S - MARGIN_S - 1)
    assert not is_open(1000, 1000 + WINDOW_S - MARGIN_S)
    assert is_open(1000, 900)

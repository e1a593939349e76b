"""The life of a call, in any order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.channels.telephone.lifecycle import Act, CallEvent, CallState, next_step, to_mermaid
from warmline.errors import InvalidTransition

pytestmark = pytest.mark.unit


def after(start, *events):
    """Return the state after the events, and everything that was done."""
    state = start
    done: list[Act] = []
    for event in events:
        state, acts = next_step(state, event)
        done += acts
    return state, done


INCOMING = (CallEvent.ADMITTED, CallEvent.ANSWERED, CallEvent.STREAM_OPENED)


def test_a_call_that_is_taken_and_ended_by_the_caller():
    state, done = after(CallState.RINGING, *INCOMING, CallEvent.HUNG_UP)
    assert state is CallState.ENDED
    assert done == [Act.BEGIN_SESSION, Act.ANSWER, Act.END_SESSION]


def test_a_call_that_the_agent_ends():
    state, done = after(CallState.RINGING, *INCOMING, CallEvent.SESSION_ENDED, CallEvent.HUNG_UP)
    assert state is CallState.ENDED
    assert done == [Act.BEGIN_SESSION, Act.ANSWER, Act.HANG_UP, Act.END_SESSION]


@pytest.mark.parametrize("start", [CallState.ANSWERING, CallState.DIALLING])
def test_the_stream_and_the_answer_come_in_any_order(start):
    forwards = after(start, CallEvent.ANSWERED, CallEvent.STREAM_OPENED)
    backwards = after(start, CallEvent.STREAM_OPENED, CallEvent.ANSWERED)
    assert forwards == backwards == (CallState.TALKING, [])


def test_a_stream_that_breaks_is_asked_for_again_and_then_files_are_played():
    events = (CallEvent.STREAM_CLOSED, CallEvent.STREAM_FAILED, CallEvent.STREAM_GIVEN_UP)
    state, done = after(CallState.TALKING, *events)
    assert state is CallState.WITHOUT_STREAM
    assert done == [Act.AWAIT_END, Act.STREAM_AGAIN, Act.STREAM_AGAIN, Act.FALL_BACK]


@pytest.mark.parametrize(
    ("events", "done"),
    [
        ((CallEvent.REFUSED, CallEvent.HUNG_UP), [Act.REJECT, Act.END_SESSION]),
        (
            (CallEvent.REFUSED_ALOUD, CallEvent.ANSWERED, CallEvent.REFUSAL_SPOKEN, CallEvent.HUNG_UP),
            [Act.ANSWER, Act.SAY_REFUSAL, Act.HANG_UP, Act.END_SESSION],
        ),
        ((CallEvent.HUNG_UP, CallEvent.HUNG_UP, CallEvent.ANSWERED), [Act.END_SESSION]),
    ],
)
def test_a_call_that_is_not_taken(events, done):
    assert after(CallState.RINGING, *events) == (CallState.ENDED, done)


def test_a_caller_who_is_handed_over_is_not_hung_up_on_when_the_session_ends():
    events = (*INCOMING, CallEvent.TRANSFERRED, CallEvent.SESSION_ENDED, CallEvent.STREAM_CLOSED)
    state, done = after(CallState.RINGING, *events)
    assert state is CallState.HANDED_OVER
    assert Act.HANG_UP not in done


@given(st.sampled_from(CallState), st.lists(st.sampled_from(CallEvent)))
def test_a_call_that_ended_stays_so_and_its_session_is_ended_once(start, events):
    """Whatever is told late."""
    state = start
    acts: list[Act] = []
    for event in [*events, CallEvent.HUNG_UP, *events]:
        try:
            state, more = next_step(state, event)
        except InvalidTransition:
            continue
        acts += more
    assert state is CallState.ENDED
    assert acts.count(Act.HANG_UP) <= 2
    if start is not CallState.ENDED:
        assert Act.END_SESSION in acts


def test_what_cannot_happen_is_an_error():
    with pytest.raises(InvalidTransition):
        next_step(CallState.TALKING, CallEvent.ADMITTED)


def test_the_diagram_shows_every_state():
    drawn = to_mermaid()
    assert all(state.value.replace(" ", "_") in drawn for state in CallState)

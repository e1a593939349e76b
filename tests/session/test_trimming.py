"""What leaves a prompt that has become too large, and what never does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.interfaces.llm import Message, Role, ToolCall
from warmline.interfaces.prompting import paired
from warmline.interfaces.retriever import Passage
from warmline.session.trimming import UNTRIMMED, ContextPolicy, message_tokens, trim

pytestmark = pytest.mark.unit

POLICY = ContextPolicy(limit_tokens=1_000)


def passage(characters):
    return Passage(title="Hours", source="hours.md", text="p" * characters, score=0.9)


def user(tokens, passages=0):
    found = (passage(passages * 4),) if passages else ()
    return Message(Role.USER, "u" * (tokens * 4), passages=found)


def agent(tokens):
    return Message(Role.ASSISTANT, "a" * (tokens * 4))


def system(tokens):
    return Message(Role.SYSTEM, "s" * (tokens * 4))


def call(*ids):
    return Message(Role.ASSISTANT, "", tool_calls=tuple(ToolCall(each, "look_up", "{}") for each in ids))


def answer(call_id, tokens=1):
    return Message(Role.TOOL, "r" * (tokens * 4), tool_call_id=call_id)


def after(messages, step):
    """Return what a step leaves."""
    return [
        replace(message, passages=()) if place in step.without_passages else message
        for place, message in enumerate(messages)
        if place not in step.left
    ]


def size(messages):
    return sum(message_tokens(message) for message in messages)


def test_four_characters_are_a_token_and_passages_and_calls_count():
    """As the prompt has them."""
    assert message_tokens(user(25)) == 25
    assert 100 < message_tokens(user(25, passages=80)) < 140
    assert message_tokens(user(25, passages=80), with_passages=False) == 25
    assert message_tokens(Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c", "abcd", "12345678"),))) == 3


def test_a_prompt_within_its_limit_stays_as_it_is():
    """So that the provider's cache holds its beginning."""
    assert trim([user(500), agent(500)], POLICY) is UNTRIMMED


def test_passages_of_older_turns_leave_first_and_may_be_enough():
    """No word that was said is lost."""
    talk = [user(10, passages=200), agent(10)] * 6
    step = trim(talk, POLICY)
    assert step.left == ()
    assert step.without_passages == (0, 2, 4, 6)
    assert size(after(talk, step)) < POLICY.trimmed_tokens


def test_oldest_turns_leave_whole_down_to_the_share_that_a_step_leaves():
    """A greeting is older than the first turn."""
    talk = [agent(20), *[user(50), agent(50)] * 10]
    step = trim(talk, POLICY)
    assert step.left == tuple(range(9))
    assert size(after(talk, step)) == POLICY.trimmed_tokens


def test_the_operators_messages_stay():
    """They are instructions."""
    talk = [system(100), *[user(50), system(1), agent(50)] * 10]
    rest = after(talk, trim(talk, POLICY))
    assert [message for message in rest if message.role is Role.SYSTEM] == [system(100), *[system(1)] * 10]


def test_the_newest_turns_stay_though_they_are_too_much():
    """They lose their passages, but for the one to be answered."""
    talk = [user(10), agent(10), *[user(200, passages=100), agent(10)] * 4, user(200, passages=100)]
    step = trim(talk, POLICY)
    assert step.left == (0, 1, 2, 3)
    assert step.without_passages == (4, 6, 8)
    last = after(talk, step)[-1]
    assert last.passages


def test_a_call_and_its_answer_leave_together_though_the_user_spoke_between():
    """Every provider refuses one without the other."""
    talk = [user(300), call("a"), user(300), answer("a"), agent(1), *[user(110), agent(1)] * 4]
    step = trim(talk, POLICY)
    assert step.left == (0, 1, 2, 3, 4)


def test_a_call_whose_answer_came_in_the_newest_turns_stays_with_it():
    """Even where that is more than the limit."""
    talk = [user(300), user(300), call("a"), *[user(200)] * 3, answer("a"), user(200)]
    assert trim(talk, POLICY).left == (0,)


def test_ids_of_calls_that_come_again_hold_only_their_own_turns_together():
    """Some providers count their calls from one in every answer."""
    turn = [user(100), call("1"), answer("1"), agent(20)]
    step = trim(turn * 9, POLICY)
    assert step.left == tuple(range(len(turn) * 5))


ROLES = st.sampled_from(["user", "agent", "system", "call", "answer"])


@st.composite
def conversations(draw):
    """Any messages, in any order, of which some are far too large."""
    messages = []
    for role in draw(st.lists(ROLES, max_size=40)):
        tokens = draw(st.sampled_from([1, 10, 90, 400]))
        ids = st.sampled_from(["a", "b", "c"])
        match role:
            case "user":
                messages.append(user(tokens, passages=draw(st.sampled_from([0, 0, 50, 300]))))
            case "agent":
                messages.append(agent(tokens))
            case "system":
                messages.append(system(tokens // 10))
            case "call":
                messages.append(call(*draw(st.lists(ids, min_size=1, max_size=2, unique=True))))
            case "answer":
                messages.append(answer(draw(ids), tokens))
    return messages


@given(conversations())
def test_order_is_kept_and_nothing_is_made_up(talk):
    """What is left is a part of what there was."""
    step = trim(talk, POLICY)
    assert set(step.left).isdisjoint(step.without_passages)
    assert list(step.left) == sorted(set(step.left))
    assert all(talk[place].passages for place in step.without_passages)
    assert all(talk[place].role is not Role.SYSTEM for place in step.left)


@given(conversations())
def test_the_newest_turns_never_leave_and_the_last_keeps_its_passages(talk):
    """Whatever their size."""
    step = trim(talk, POLICY)
    users = [place for place, message in enumerate(talk) if message.role is Role.USER]
    stays_from = users[-POLICY.newest_turns :][0] if users else 0
    assert all(place < stays_from for place in step.left)
    assert not users or users[-1] not in step.without_passages


@given(conversations())
def test_calls_keep_their_answers(talk):
    """Whatever answers a call in the prompt before a step answers the same call in the prompt after it."""
    numbered = [
        replace(message, text=f"{place} {message.text}") if message.role is Role.TOOL else message
        for place, message in enumerate(talk)
    ]
    step = trim(numbered, POLICY)
    rest = [message for place, message in enumerate(numbered) if place not in step.left]
    before = {message.text for message in paired(numbered) if message.role is Role.TOOL}
    then = {message.text for message in paired(rest) if message.role is Role.TOOL}
    kept = {message.text for message in rest if message.role is Role.TOOL}
    assert kept & before == kept & then


@given(conversations())
def test_no_prompt_is_above_its_limit_if_that_can_be_helped(talk):
    """What remains then is the operator's, the newest turns, what hangs on their calls, and no passages."""
    rest = after(talk, trim(talk, POLICY))
    if size(rest) <= POLICY.limit_tokens:
        return
    users = [message for message in rest if message.role is Role.USER]
    assert not any(message.passages for message in users[:-1])
    again = trim(rest, POLICY)
    assert again.left == ()


@given(conversations())
def test_a_second_step_changes_nothing(talk):
    """What was trimmed is left alone until it has grown again."""
    rest = after(talk, trim(talk, POLICY))
    second = trim(rest, POLICY)
    assert after(rest, second) == rest


@given(conversations(), st.integers(1, 40))
def test_a_conversation_that_goes_on_is_trimmed_in_large_steps(talk, tokens):
    """Between two steps that reached their aim, it grows by what a step leaves free."""
    rest = after(talk, trim(talk, POLICY))
    if size(rest) > POLICY.trimmed_tokens:
        return
    grown = 0
    while trim(rest, POLICY) is UNTRIMMED:
        rest.append(user(tokens))
        grown += tokens
    assert grown > POLICY.limit_tokens - POLICY.trimmed_tokens

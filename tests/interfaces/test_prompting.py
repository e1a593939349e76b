"""Conversations as every provider takes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.interfaces.llm import Message, Role, ToolCall
from warmline.interfaces.prompting import paired

pytestmark = pytest.mark.unit

IDS = st.sampled_from(["a", "b", "c"])
SAID = st.builds(Message, st.sampled_from([Role.SYSTEM, Role.USER, Role.ASSISTANT]), st.text(max_size=3))
CALLING = st.builds(
    lambda ids: Message(Role.ASSISTANT, "", tool_calls=tuple(ToolCall(each, "order", "{}") for each in ids)),
    st.lists(IDS, min_size=1, max_size=3),
)
ANSWER = st.builds(lambda text, each: Message(Role.TOOL, text, tool_call_id=each), st.text(max_size=3), IDS)
CONVERSATION = st.lists(st.one_of(SAID, CALLING, ANSWER), max_size=10)


def call(name: str) -> Message:
    return Message(Role.ASSISTANT, "One moment.", tool_calls=(ToolCall(name, "order", "{}"),))


def answer(name: str, text: str = "done") -> Message:
    return Message(Role.TOOL, text, tool_call_id=name)


@given(CONVERSATION)
def test_each_call_has_one_answer_directly_behind_it_in_any_conversation(messages):
    """Which holds however the person interrupted, and whatever a client removed."""
    result = paired(messages)
    expected: list[str] = []
    for message in result:
        if message.role is Role.TOOL:
            assert message.tool_call_id == expected.pop(0)
        else:
            assert not expected
            expected = [each.id for each in message.tool_calls]
    assert not expected


@given(CONVERSATION)
def test_what_is_paired_stays_as_it_is(messages):
    """And nothing that anybody said is lost or moved."""
    result = paired(messages)
    assert paired(result) == result
    assert [each for each in result if each.role is not Role.TOOL] == [
        each for each in messages if each.role is not Role.TOOL
    ]


def test_an_answer_that_comes_late_goes_to_its_call():
    """The person went on talking while the tool was at work."""
    went_on = Message(Role.USER, "Hello?")
    assert paired([call("a"), went_on, answer("a")]) == [call("a"), answer("a"), went_on]


def test_a_call_that_was_broken_off_is_answered_so():
    """The model should not take it for done, nor do it again unasked."""
    asked = Message(Role.USER, "Never mind.")
    result = paired([call("a"), asked, answer("b")])
    assert [each.role for each in result] == [Role.ASSISTANT, Role.TOOL, Role.USER]
    assert "broken off" in result[1].text


def test_an_id_that_comes_again_is_the_newest_calls():
    """Some servers number the calls of each answer from one."""
    messages = [call("a"), answer("a", "one"), call("a"), answer("a", "two")]
    assert paired(messages) == messages

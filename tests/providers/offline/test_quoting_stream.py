"""The answerer as a language model: pieces as they come."""

import anyio
import pytest

from warmline.interfaces.llm import LanguageModel, LlmRequest, Message, Role, ToolCall
from warmline.interfaces.retriever import Passage
from warmline.providers.offline.quoting import QuotingAnswerer

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

PASSAGE = Passage("We open at nine. We close at five.", "Opening hours", "hours.md", 0.6)
REQUEST = LlmRequest([Message(Role.USER, "when do you open", passages=(PASSAGE,))])


async def test_stream_when_read_then_each_piece_is_a_sentence():
    """Joined, the pieces are the reply."""
    model: LanguageModel = QuotingAnswerer()
    async with model.stream(REQUEST) as pieces:
        assert [piece async for piece in pieces] == ["We open at nine. ", "We close at five."]


async def test_stream_when_left_early_then_nothing_is_left_running():
    """A barge-in ends it between two sentences."""
    with anyio.CancelScope() as scope:
        async with QuotingAnswerer().stream(REQUEST) as pieces:
            assert await anext(pieces) == "We open at nine. "
            scope.cancel()
            await anext(pieces)
            pytest.fail("cancellation was not noticed")
    assert scope.cancelled_caught


@pytest.mark.parametrize("behind", [[], [Message(Role.ASSISTANT, "One moment.")]])
async def test_stream_when_another_models_tool_has_answered_then_the_question_is_answered(behind):
    """The model that called it has failed since; tools are not for this one."""
    calling = Message(Role.ASSISTANT, "", tool_calls=(ToolCall("call_1", "look_up", "{}"),))
    answer = Message(Role.TOOL, "Nine.", tool_call_id="call_1")
    messages = [*REQUEST.messages, *behind, calling, answer]
    async with QuotingAnswerer().stream(LlmRequest(messages)) as pieces:
        assert [piece async for piece in pieces] == ["We open at nine. ", "We close at five."]
    again = [*messages, Message(Role.ASSISTANT, "At nine."), Message(Role.USER, "repeat that")]
    async with QuotingAnswerer().stream(LlmRequest(again)) as pieces:
        assert "".join([piece async for piece in pieces]) == "At nine."


async def test_stream_when_shared_by_sessions_then_they_do_not_meet():
    """It keeps no state."""
    model = QuotingAnswerer(["Cats"])
    async with model.stream(REQUEST) as one, model.stream(LlmRequest([Message(Role.USER, "hello")])) as other:
        assert await anext(one) == "We open at nine. "
        assert await anext(other) == "Hello. "
        assert await anext(one) == "We close at five."
        assert await anext(other) == "You can ask me about Cats."

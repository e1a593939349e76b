"""The far ends of scripted conversations."""

import anyio
import pytest

from warmline.errors import ProviderUnavailable
from warmline.interfaces.llm import LlmRequest, Message, Role, ToolCall
from warmline.testing.scripted import ScriptedModel

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

ASKED = LlmRequest([Message(Role.USER, "Emma, please.")])
ORDER = ToolCall("call_1", "order", '{"book": "Emma"}')


async def answer(model):
    async with model.stream(ASKED) as pieces:
        return [piece async for piece in pieces]


async def test_a_scripted_model_calls_tools_between_its_words():
    """Each request takes the script's next reply."""
    model = ScriptedModel(replies=(["One moment. ", ORDER], "It is ordered."), first_word_s=0.5, word_s=0.1)
    began_s = anyio.current_time()
    assert await answer(model) == ["One ", "moment. ", ORDER]
    assert anyio.current_time() - began_s == pytest.approx(0.7)
    assert await answer(model) == await answer(model) == ["It ", "is ", "ordered."]
    assert (model.requests, model.cancelled) == ([ASKED] * 3, 0)


async def test_a_scripted_model_breaks_off_before_a_call():
    """Calls count like words."""
    model = ScriptedModel(replies=([ORDER, ORDER],), error_after_words=1)
    got = []
    with pytest.raises(ProviderUnavailable):  # noqa: PT012
        async with model.stream(ASKED) as pieces:
            async for piece in pieces:
                got.append(piece)  # noqa: PERF401
    assert (got, model.cancelled) == ([ORDER], 1)

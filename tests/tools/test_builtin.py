"""The tools that warmline brings."""

import json

import pytest

from tests.tools.stand_ins import NotedContext
from warmline.errors import ConfigError, ProviderUnavailable
from warmline.interfaces.llm import ToolCall
from warmline.interfaces.retriever import Passage
from warmline.testing.virtual_time import LoopClock
from warmline.tools import Capability, Toolbox, ToolOutcome
from warmline.tools.builtin import NAMES, builtin_tools

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

SALES = "+442071838750"
BOX = Toolbox(builtin_tools(NAMES, [SALES]))


async def run(name, context, **arguments):
    (result,) = await BOX.run([ToolCall("1", name, json.dumps(arguments))], context, LoopClock())
    return result


async def test_each_does_what_the_session_can():
    context = NotedContext(passages=[Passage("Open from nine.", "Hours", "hours.md", 0.9)])
    for name, arguments in (
        ("end_call", {}),
        ("transfer_call", {"number": SALES}),
        ("send_dtmf", {"digits": "12#"}),
        ("search_knowledge", {"query": "opening hours"}),
    ):
        result = await run(name, context, **arguments)
        assert result.record.outcome is ToolOutcome.SUCCEEDED, result.text
    assert context.done == ["end", f"transfer {SALES}", "keys 12#", "find opening hours"]
    assert result.text == "[Hours] Open from nine."


async def test_calls_are_transferred_to_the_operators_numbers_alone():
    """A person can talk a model into dialling any other; dear ones, too."""
    (spec,) = Toolbox(builtin_tools(["transfer_call"], [SALES, "+4930123456"])).specs
    assert spec.parameters["properties"]["number"]["enum"] == [SALES, "+4930123456"]
    context = NotedContext()
    result = await run("transfer_call", context, number="+19005550100")
    assert (result.record.outcome, context.done) == (ToolOutcome.FAILED, [])
    assert f"to {SALES}, and nowhere else" in result.text
    with pytest.raises(ConfigError, match=r"tools\.transfer_to no number"):
        builtin_tools(["transfer_call"])


@pytest.mark.parametrize("digits", ["", "call me", "1" * 33, "12 34"])
async def test_only_keys_can_be_pressed(digits):
    context = NotedContext()
    assert (await run("send_dtmf", context, digits=digits)).record.outcome is ToolOutcome.BAD_ARGUMENTS
    assert not context.done


async def test_documents_without_an_answer_say_so():
    """The model should not make one up."""
    unfit = NotedContext(passages=[Passage("Cake.", "Café", "cafe.md", 0.2)])
    assert (await run("search_knowledge", unfit, query="x")).text == "Nothing in the documents fits."
    down = NotedContext(error=ProviderUnavailable("secret host", provider="index", phase="stream"))
    assert (await run("search_knowledge", down, query="x")).text == (
        "Error: the documents cannot be searched right now"
    )


async def test_a_browser_is_offered_what_it_can_do():
    """And only looking something up may run in a draft."""
    assert [each.name for each in BOX.available(frozenset())] == ["end_call", "search_knowledge"]
    assert [each.name for each in BOX.available({Capability.TRANSFER})] == [
        "end_call",
        "transfer_call",
        "search_knowledge",
    ]
    assert [each.name for each in BOX if each.is_pure] == ["search_knowledge"]

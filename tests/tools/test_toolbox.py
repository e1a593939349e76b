"""Calls of tools, on the jumping clock."""

import json
import logging
from dataclasses import dataclass

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.stand_ins import NotedContext
from warmline.errors import ConfigError, ToolError
from warmline.interfaces.llm import Message, Role, ToolCall
from warmline.testing.virtual_time import LoopClock
from warmline.tools import Capability, Toolbox, ToolContext, ToolOutcome, ToolResult, tool
from warmline.tools.results import RESULT_CHARS, result_text

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


@tool(is_pure=True, timeout_s=5)
async def wait(seconds: float, then: str = "") -> str:
    """Wait, then say something."""
    await anyio.sleep(seconds)
    return then or f"waited {seconds:g}"


@tool(timeout_s=5)
async def order(book: str) -> str:
    """Order a book."""
    await anyio.sleep(1)
    return f"{book} was ordered"


@tool
async def refuse(reason: str) -> None:
    """Refuse to do it."""
    raise ToolError(reason)


@tool
async def break_down() -> None:
    """Fail at it."""
    raise ConnectionError("postgres://admin:s3cret@db refused Ann Smith")


@dataclass
class Shelf:
    name: str
    books: list[str]


@tool(is_pure=True)
async def shelf(books: int) -> Shelf:
    """List a shelf."""
    return Shelf("fiction", [f"Book {number}" for number in range(books)])


@tool
async def unwritable() -> object:
    """Return what is no JSON."""
    return object()


BOX = Toolbox([wait, order, refuse, break_down, shelf, unwritable])


def call(name: str, /, **arguments: object) -> ToolCall:
    return ToolCall(f"call_{name}", name, json.dumps(arguments))


async def run(*calls: ToolCall, box: Toolbox = BOX, context: ToolContext | None = None) -> list[ToolResult]:
    return await box.run(calls, context or NotedContext(), LoopClock())


async def test_calls_run_side_by_side_and_are_answered_in_their_order():
    """The longest decides how long it takes."""
    began_s = anyio.current_time()
    results = await run(call("wait", seconds=2), call("order", book="Emma"), call("wait", seconds=0.5))
    assert anyio.current_time() - began_s == pytest.approx(2)
    assert [result.text for result in results] == ["waited 2", "Emma was ordered", "waited 0.5"]
    assert [result.record.duration_ms for result in results] == [2000, 1000, 500]
    assert [result.record.is_pure for result in results] == [True, False, True]
    assert {result.record.outcome for result in results} == {ToolOutcome.SUCCEEDED}


async def test_an_answer_stands_in_the_context_under_its_call():
    (result,) = await run(ToolCall("call_7", "wait", '{"seconds": 0}'))
    assert result.message == Message(Role.TOOL, "waited 0", tool_call_id="call_7")


@pytest.mark.parametrize(
    ("asked", "outcome", "told"),
    [
        (ToolCall("1", "wait", '{"seconds": '), ToolOutcome.BAD_ARGUMENTS, "Input data was truncated"),
        (call("wait", seconds="soon"), ToolOutcome.BAD_ARGUMENTS, "got `str` - at `$.seconds`"),
        (call("dance"), ToolOutcome.UNKNOWN_TOOL, "there is no tool dance; there are: wait, order, refuse"),
        (call("refuse", reason="the book is out"), ToolOutcome.FAILED, "Error: the book is out"),
        (call("break_down"), ToolOutcome.FAILED, "break_down failed. Whether it did anything is not known."),
        (call("unwritable"), ToolOutcome.FAILED, "unwritable failed"),
        (call("wait", seconds=6), ToolOutcome.TIMED_OUT, "wait did not answer within 5 seconds."),
    ],
)
async def test_a_call_that_comes_to_nothing_is_answered_with_what_happened(asked, outcome, told):
    """The model reads it and says so, or tries again; the others are not touched by it."""
    result, other = await run(asked, call("order", book="Emma"))
    assert result.record.outcome is outcome
    assert result.text.startswith("Error: ")
    assert told in result.text
    assert other.text == "Emma was ordered"


async def test_a_type_of_the_tools_own_that_fails_is_a_tool_that_failed():
    """A value that it does not like is told; an error of its own is not."""

    @dataclass
    class Page:
        number: int

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError("pages are counted from 0")
            ["only one"][self.number]

    @tool(is_pure=True)
    async def read(page: Page) -> str:
        """Read a page."""
        return "Once upon a time."

    @tool(is_pure=True)
    async def decode(text: str) -> object:
        """Decode JSON."""
        return msgspec.json.decode(text)

    calls = [call("read", page={"number": number}) for number in (0, -1, 1)]
    good, unfit, failed, wrong = await run(*calls, call("decode", text="{"), box=Toolbox([read, decode]))
    assert good.text == "Once upon a time."
    assert (unfit.record.outcome, failed.record.outcome) == (ToolOutcome.BAD_ARGUMENTS, ToolOutcome.FAILED)
    assert "pages are counted from 0 - at `$.page`" in unfit.text
    assert (failed.text, wrong.text) == ("Error: read failed.", "Error: decode failed.")


async def test_what_an_exception_says_is_told_to_nobody(caplog):
    """It may hold a key, or what somebody said; the log has its kind and its place."""
    with caplog.at_level(logging.DEBUG):
        (result,) = await run(call("break_down"))
    (record,) = caplog.records
    assert (record.getMessage(), record.tool, record.error) == (
        "tool.failed",
        "break_down",
        "ConnectionError",
    )
    assert record.place.startswith("test_toolbox.py:")
    for text in (result.text, str(record.__dict__)):
        assert "s3cret" not in text
        assert "Ann Smith" not in text


async def test_cancelling_cancels_all_and_tells_which_had_ended():
    """A barge-in; what was done stays done, and the context has to say so."""
    ended: list[ToolResult] = []
    with anyio.move_on_after(1.5) as scope:
        await BOX.run(
            [call("wait", seconds=3), call("order", book="Emma"), call("wait", seconds=1.5)],
            NotedContext(),
            LoopClock(),
            ended.append,
        )
    assert scope.cancelled_caught
    assert [(result.record.name, result.record.outcome, result.record.duration_ms) for result in ended] == [
        ("order", ToolOutcome.SUCCEEDED, 1000),
        ("wait", ToolOutcome.CANCELLED, 1500),
        ("wait", ToolOutcome.CANCELLED, 1500),
    ]
    assert ended[1].text == "Error: wait was broken off."


async def test_a_call_that_is_cancelled_before_it_begins_does_not_begin():
    """Nothing happens on behalf of a reply that is over."""
    did = []

    @tool
    async def act() -> None:
        """Act at once."""
        did.append("it")

    ended: list[ToolResult] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        await Toolbox([act]).run([call("act")], NotedContext(), LoopClock(), ended.append)
    assert not did
    assert [result.text for result in ended] == [
        "Error: act was broken off. Whether it did anything is not known."
    ]


@given(
    seconds=st.lists(st.sampled_from([0.0, 0.1, 1.0, 4.9, 9.0]), max_size=6),
    noise=st.lists(st.tuples(st.text(max_size=80), st.text(max_size=40)), max_size=4),
)
async def test_every_call_is_answered_once_whatever_the_model_writes(seconds, noise):
    """The provider asks for an answer to each; none is empty."""
    calls = [call("wait", seconds=each) for each in seconds]
    calls += [ToolCall(f"n{number}", name, written) for number, (name, written) in enumerate(noise)]
    ended: list[ToolResult] = []
    results = await BOX.run(calls, NotedContext(), LoopClock(), ended.append)
    assert [result.call for result in results] == calls
    assert sorted(map(id, ended)) == sorted(map(id, results))
    assert all(result.text.strip() for result in results)
    assert all(len(result.record.name) <= 64 for result in results)


async def test_a_result_that_is_no_text_is_told_as_json():
    (result,) = await run(call("shelf", books=2))
    assert json.loads(result.text) == {"name": "fiction", "books": ["Book 0", "Book 1"]}


async def test_a_long_result_is_cut_and_says_so():
    """The model reads all of it before its first word."""
    (result,) = await run(call("shelf", books=5_000))
    assert len(result.text) < RESULT_CHARS + 100
    assert result.text.endswith(" characters.]")
    assert "[Cut off here: 8,000 of " in result.text


@pytest.mark.parametrize(
    ("value", "told"), [(None, "Done."), ("", "Done."), (0, "0"), ([], "[]"), ("x", "x")]
)
async def test_there_is_always_something_to_tell(value, told):
    assert result_text(value) == told


async def test_the_order_and_the_text_of_the_tools_stay():
    """The provider's prompt cache holds them."""
    assert [spec.name for spec in BOX.specs] == [
        "wait",
        "order",
        "refuse",
        "break_down",
        "shelf",
        "unwritable",
    ]
    assert BOX.specs is BOX.specs
    assert "order" in BOX
    assert "dance" not in BOX
    assert (len(BOX), len(Toolbox()), bool(Toolbox())) == (6, 0, False)


async def test_two_tools_of_one_name_are_refused_and_one_tool_twice_is_one():
    """Both places are named."""
    assert len(Toolbox([wait, order, wait])) == 2
    with pytest.raises(
        ConfigError, match=r"wait \(test_toolbox.py:\d+\) and .* wait \(test_toolbox.py:\d+\)"
    ):
        Toolbox([wait, tool(order.function, name="wait")])


async def test_only_what_changes_nothing_may_run_in_a_draft():
    """A call of no tool does nothing at all."""
    assert BOX.are_pure([call("wait", seconds=1), call("shelf", books=1), call("dance")])
    assert not BOX.are_pure([call("wait", seconds=1), call("order", book="Emma")])
    assert BOX.are_pure([])


async def test_what_a_channel_can_not_do_is_neither_offered_nor_done():
    """A browser has no keys to press."""

    @tool(needs=Capability.SEND_DTMF)
    async def press(context: ToolContext) -> None:
        """Press a key."""
        await context.send_dtmf("1")

    box = Toolbox([press, wait])
    assert [spec.name for spec in box.available({Capability.TRANSFER}).specs] == ["wait"]
    assert [spec.name for spec in box.available({Capability.SEND_DTMF}).specs] == ["press", "wait"]
    browser = NotedContext(capabilities=frozenset())
    (result,) = await run(call("press"), box=box, context=browser)
    assert (result.record.outcome, result.text) == (
        ToolOutcome.UNKNOWN_TOOL,
        "Error: press is not possible on this channel.",
    )
    assert not browser.done
    phone = NotedContext()
    (result,) = await run(call("press"), box=box, context=phone)
    assert (phone.done, result.text) == (["keys 1"], "Done.")

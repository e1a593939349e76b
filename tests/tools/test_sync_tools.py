"""Tools that are no coroutines, on threads of their own; those do not know of the jumping clock."""

import threading

import anyio
import pytest

from tests.tools.stand_ins import NotedContext
from warmline.core.clock import SystemClock
from warmline.interfaces.llm import ToolCall
from warmline.tools import Toolbox, ToolOutcome, tool

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


async def run(box, *calls):
    return await box.run(calls, NotedContext(), SystemClock())


async def test_a_sync_tool_does_not_hold_up_the_loop():
    """Two of them wait for each other, which they could not do on one thread."""
    meeting = threading.Barrier(2, timeout=5)

    @tool
    def meet(name: str) -> str:
        """Wait for another."""
        meeting.wait()
        return f"{name} on {threading.current_thread() is threading.main_thread()}"

    calls = [ToolCall(name, "meet", f'{{"name": "{name}"}}') for name in "ab"]
    results = await run(Toolbox([meet]), *calls)
    assert [result.text for result in results] == ["a on False", "b on False"]


async def test_a_sync_tool_that_takes_too_long_is_left_behind():
    """Its thread goes on; nobody waits for it."""
    go_on, ended = threading.Event(), threading.Event()

    @tool(timeout_s=0.05)
    def hang() -> None:
        """Hang."""
        go_on.wait(5)
        ended.set()

    (result,) = await run(Toolbox([hang]), ToolCall("1", "hang", "{}"))
    assert result.record.outcome is ToolOutcome.TIMED_OUT
    assert 40 <= result.record.duration_ms < 2_000
    assert not ended.is_set()
    go_on.set()
    assert await anyio.to_thread.run_sync(ended.wait, 5)


async def test_a_sync_tool_that_fails_is_answered_like_any_other():
    @tool(is_pure=True)
    def divide(by: int) -> float:
        """Divide one by a number."""
        return 1 / by

    zero, two = await run(
        Toolbox([divide]), ToolCall("1", "divide", '{"by": 0}'), ToolCall("2", "divide", '{"by": 2}')
    )
    assert (zero.text, zero.record.outcome) == ("Error: divide failed.", ToolOutcome.FAILED)
    assert two.text == "0.5"

"""The tools of an agent: what the model is told of, and what runs when it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import anyio

from warmline.core.clock import Clock
from warmline.errors import ConfigError
from warmline.interfaces.llm import ToolCall, ToolSpec
from warmline.interfaces.tool_context import Capability, ToolContext
from warmline.tools.definition import Tool
from warmline.tools.results import ToolOutcome, ToolRecord, ToolResult
from warmline.tools.running import Answer, broken_off, run_tool

__all__ = ["OnResult", "Toolbox"]

OnResult = Callable[[ToolResult], None]
"""Told of each call as it ends, one that was cancelled included."""

_NAME_CHARS: Final = 64


class Toolbox:
    """Tools by name, in an order that stays; nothing here changes."""

    def __init__(self, tools: Iterable[Tool[..., Any]] = ()) -> None:
        """Put tools together; one that is given twice is there once.

        Raises:
            ConfigError: two have the same name.
        """
        self._tools: dict[str, Tool[..., Any]] = {}
        for each in tools:
            before = self._tools.setdefault(each.name, each)
            if before is not each:
                raise ConfigError(
                    f"{before} and {each} have the same name; give one of them another with tool(name=...)"
                )
        self.specs: tuple[ToolSpec, ...] = tuple(each.spec for each in self)
        """What the model is told."""

    def __iter__(self) -> Iterator[Tool[..., Any]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def available(self, capabilities: AbstractSet[Capability]) -> Toolbox:
        """Return the tools that a channel with these capabilities can carry out."""
        return Toolbox(each for each in self if each.needs is None or each.needs in capabilities)

    def are_pure(self, calls: Iterable[ToolCall]) -> bool:
        """Return whether all calls may run before the turn is committed; one of no tool does nothing."""
        return all(self._is_pure(call.name) for call in calls)

    async def run(
        self,
        calls: Sequence[ToolCall],
        context: ToolContext,
        clock: Clock,
        on_result: OnResult | None = None,
    ) -> list[ToolResult]:
        """Run calls side by side; return what each came to, in the order of the calls.

        A call that can't be carried out is answered with an error, for the model to read. Cancelling
        cancels all of them; `on_result` is then the only one to learn which of them had ended.

        Args:
            calls: What the model asked for.
            context: The session.
            clock: For their durations.
            on_result: Told of each as it ends.
        """
        results: dict[int, ToolResult] = {}

        async def run(number: int, call: ToolCall) -> None:
            began_s = clock.now_s()

            def ended(answer: Answer) -> None:
                outcome, text = answer
                duration_ms = round((clock.now_s() - began_s) * 1000)
                record = ToolRecord(call.name[:_NAME_CHARS], duration_ms, outcome, self._is_pure(call.name))
                results[number] = ToolResult(call, text, record)
                if on_result is not None:
                    on_result(results[number])

            found = self._tools.get(call.name)
            if found is None:
                ended(self._unknown(call.name))
                return
            try:
                answer = await run_tool(found, call.arguments, context)
            except anyio.get_cancelled_exc_class():
                ended(broken_off(found))
                raise
            ended(answer)

        async with anyio.create_task_group() as tasks:
            for number, call in enumerate(calls):
                tasks.start_soon(run, number, call)
        return [results[number] for number in range(len(calls))]

    def _unknown(self, name: str) -> Answer:
        there_are = ", ".join(self._tools) or "none"
        text = f"Error: there is no tool {name[:_NAME_CHARS]}; there are: {there_are}."
        return ToolOutcome.UNKNOWN_TOOL, text

    def _is_pure(self, name: str) -> bool:
        found = self._tools.get(name)
        return found is None or found.is_pure

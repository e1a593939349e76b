"""Running one call of a tool, so that something is told to the model whatever becomes of it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
from anyio.lowlevel import RunVar

from warmline.errors import ToolError
from warmline.interfaces.tool_context import ToolContext
from warmline.tools.definition import Tool
from warmline.tools.results import ToolOutcome, result_text

__all__ = ["Answer", "broken_off", "run_tool"]

_log = logging.getLogger(__name__)

_MOST_THREADS: Final = 32
"""Sync tools at once in the whole process; more wait, and their time runs."""

_threads: Final = RunVar[anyio.CapacityLimiter]("warmline_tool_threads")

Answer = tuple[ToolOutcome, str]
"""How a call ended, and what the model is told."""


async def run_tool(tool: Tool[..., Any], written: str, context: ToolContext) -> Answer:
    """Return what a tool answers to the arguments that the model wrote; cancelling stops it.

    A sync tool's thread can't be stopped, and goes on by itself.
    """
    await anyio.lowlevel.checkpoint_if_cancelled()
    if tool.needs is not None and tool.needs not in context.capabilities:
        return ToolOutcome.UNKNOWN_TOOL, f"Error: {tool.name} is not possible on this channel."
    try:
        arguments = _arguments(tool, written) | dict.fromkeys(tool.signature.context_names, context)
        with anyio.move_on_after(tool.timeout_s):
            return ToolOutcome.SUCCEEDED, await _call(tool, arguments)
    except _Unfit as error:
        return ToolOutcome.BAD_ARGUMENTS, f"Error: the arguments of {tool.name} do not fit: {error}."
    except ToolError as error:
        return ToolOutcome.FAILED, f"Error: {error}"
    # What its error says may be a secret, or personal: neither the model nor the log gets it.
    except Exception as error:  # noqa: BLE001 - another's function may fail at anything
        _log.warning(
            "tool.failed", extra={"tool": tool.name, "error": type(error).__name__, "place": _place(error)}
        )
        return ToolOutcome.FAILED, f"Error: {tool.name} failed.{_doubt(tool)}"
    waited = f"did not answer within {tool.timeout_s:g} seconds"
    return ToolOutcome.TIMED_OUT, f"Error: {tool.name} {waited}.{_doubt(tool)}"


def broken_off(tool: Tool[..., Any]) -> Answer:
    """Return what the model is told of a call that was cancelled, should it be told."""
    return ToolOutcome.CANCELLED, f"Error: {tool.name} was broken off.{_doubt(tool)}"


def _doubt(tool: Tool[..., Any]) -> str:
    """Return what else the model has to know of a call without an answer: a second one might do it twice."""
    return "" if tool.is_pure else " Whether it did anything is not known."


class _Unfit(Exception):
    """The arguments do not fit. An error of its own, since what a tool raises may be msgspec's as well."""


def _arguments(tool: Tool[..., Any], written: str) -> dict[str, Any]:
    try:
        return tool.signature.arguments(written)
    except msgspec.DecodeError as error:
        raise _Unfit(str(error)) from error


async def _call(tool: Tool[..., Any], arguments: dict[str, Any]) -> str:
    if tool.is_async:
        return result_text(await tool.function(**arguments))
    return await anyio.to_thread.run_sync(
        partial(_call_sync, tool.function, arguments), abandon_on_cancel=True, limiter=_limiter()
    )


def _call_sync(function: Callable[..., object], arguments: dict[str, Any]) -> str:
    return result_text(function(**arguments))


def _limiter() -> anyio.CapacityLimiter:
    try:
        return _threads.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_MOST_THREADS)
        _threads.set(limiter)
        return limiter


def _place(error: Exception) -> str:
    """Return where it was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(frame.filename).name}:{frame.lineno} in {frame.name}"

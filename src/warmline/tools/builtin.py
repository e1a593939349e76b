"""The tools that warmline brings: what a session itself can do."""

# Annotations are evaluated here, since one of them depends on a setting.

from collections.abc import Sequence
from typing import Annotated, Any, Final

from msgspec import Meta

from warmline.errors import ConfigError, ProviderError, ToolError
from warmline.interfaces.tool_context import Capability, ToolContext
from warmline.tools.definition import Tool, tool

__all__ = ["NAMES", "builtin_tools"]

_RELEVANT: Final = 0.25
"""A passage that fits less well is about something else."""

_TRANSFER_S: Final = 30.0
"""A far end may let the other number ring before it answers."""


@tool
async def end_call(context: ToolContext) -> str:
    """End the call: the person said goodbye, or wants nothing more. Say a short farewell with it."""
    context.end_session()
    return (
        "The call ends when your words have been played. If you have not said goodbye yet, do it now in one "
        "short sentence; otherwise say nothing."
    )


@tool(needs=Capability.SEND_DTMF)
async def send_dtmf(
    digits: Annotated[str, Meta(pattern=r"^[0-9A-D*#]{1,32}$", description="Such as 1 or 4711#.")],
    context: ToolContext,
) -> str:
    """Press keys of the telephone, as an automatic system at the other end asks for."""
    await context.send_dtmf(digits.strip())
    return "The keys were pressed."


@tool(is_pure=True)
async def search_knowledge(query: str, context: ToolContext) -> str:
    """Look up something in the documents that passages come from.

    Use it where the passages that stand with a question do not answer it, with other words or
    for another part of the question.

    Args:
        query: What to look for, as a short question or a few words.
        context: The session.
    """
    try:
        passages = await context.retrieve(query)
    except ProviderError as error:
        raise ToolError("the documents cannot be searched right now") from error
    found = [passage for passage in passages if passage.score >= _RELEVANT]
    if not found:
        return "Nothing in the documents fits."
    return "\n\n".join(f"[{passage.title}] {passage.text}" for passage in found)


def _transfer_call(numbers: Sequence[str]) -> Tool[..., Any]:
    allowed = Meta(description="Where to.", extra_json_schema={"enum": [*numbers]})

    @tool(needs=Capability.TRANSFER, timeout_s=_TRANSFER_S)
    async def transfer_call(number: Annotated[str, allowed], context: ToolContext) -> str:
        """Connect the person with somebody else by telephone, and leave the call. Tell them before."""
        if number not in numbers:
            raise ToolError(f"calls may be transferred to {', '.join(numbers)}, and nowhere else")
        await context.transfer(number)
        return "The call is being transferred. Say nothing more."

    return transfer_call


NAMES: Final = ("end_call", "transfer_call", "send_dtmf", "search_knowledge")
"""What an operator may ask for."""


def builtin_tools(names: Sequence[str], transfer_to: Sequence[str] = ()) -> list[Tool[..., Any]]:
    """Return the tools of these names.

    Args:
        names: Some of `NAMES`.
        transfer_to: The only numbers that calls may be transferred to: a person can talk a model into
            dialling any that it may dial.

    Raises:
        ConfigError: calls may be transferred, and no number is given.
    """
    if "transfer_call" in names and not transfer_to:
        raise ConfigError(
            "tools.builtin has transfer_call, and tools.transfer_to no number; write there which "
            "numbers calls may be transferred to"
        )
    made = {each.name: each for each in (end_call, _transfer_call(transfer_to), send_dtmf, search_knowledge)}
    return [made[name] for name in names]

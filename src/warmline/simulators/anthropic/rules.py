"""What Anthropic takes in a request for a message, and what it says of what it does not take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

__all__ = ["blocks_of", "what_is_wrong"]

_REQUIRED: Final = {"model": str, "max_tokens": int, "messages": list}
_TOOL_NAME: Final = r"^[a-zA-Z0-9_-]{1,128}$"
_CALL_ID: Final = r"^[a-zA-Z0-9_-]+$"
_TOOL_FIELDS: Final = frozenset({
    "name", "description", "input_schema", "cache_control", "type", "strict", "allowed_callers",
    "defer_loading", "eager_input_streaming", "input_examples",
})  # fmt: skip
_CHOICES: Final = frozenset({"auto", "any", "tool", "none"})
_CALL_TYPES: Final = frozenset({"tool_use", "tool_result"})

Blocks = list[dict[str, Any]]


def blocks_of(content: str | Blocks) -> Blocks:
    """Return a message's content as blocks; a text is one."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def what_is_wrong(headers: Mapping[str, str], body: dict[str, Any]) -> str:
    """Return why a request for a message is refused; empty if it is not."""
    return next(_mistakes(headers, body), "")


def _mistakes(headers: Mapping[str, str], body: dict[str, Any]) -> Iterator[str]:
    """Yield them; what comes after one may rely on its not being there."""
    if not headers.get("anthropic-version"):
        yield "anthropic-version: header is required"
    for name, kind in _REQUIRED.items():
        if not body.get(name) or not isinstance(body[name], kind):
            yield f"{name}: Field required"
    yield from _of_tools(body)
    messages = body["messages"]
    for index, message in enumerate(messages):
        yield from _of_message(message, f"messages.{index}")
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    if messages[-1]["role"] != "user":
        yield "This model does not support assistant message prefill; the last message must be the user's."
    yield from _of_calls(messages)
    if not body.get("tools") and any(_types(message) & _CALL_TYPES for message in messages):
        yield "Requests which have `tool_use` or `tool_result` blocks in `messages` must define tools."


def _of_tools(body: dict[str, Any]) -> Iterator[str]:
    tools = body.get("tools") or []
    for index, tool in enumerate(tools):
        if tool.get("type") not in (None, "custom"):
            yield (
                f"tools.{index}: Input tag '{tool['type']}' found using 'type' does not match any of the "
                "expected tags: 'custom'"
            )
        yield from _of_tool(tool, f"tools.{index}.custom")
    if len({tool["name"] for tool in tools}) < len(tools):
        yield "tools: Tool names must be unique."
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not tools:
        yield "tool_choice may only be specified while providing tools."
    if choice.get("type") not in _CHOICES:
        yield f"tool_choice: Input tag '{choice.get('type')}' does not match any of the expected tags"
    if choice["type"] == "tool" and choice.get("name") not in [tool["name"] for tool in tools]:
        yield f"Tool '{choice.get('name')}' not found in provided tools"


def _of_tool(tool: dict[str, Any], place: str) -> Iterator[str]:
    for name in ("name", "input_schema"):
        if name not in tool:
            yield f"{place}.{name}: Field required"
    for name in tool.keys() - _TOOL_FIELDS:
        yield f"{place}.{name}: Extra inputs are not permitted"
    if not re.fullmatch(_TOOL_NAME, tool["name"]):
        yield f"{place}.name: String should match pattern '{_TOOL_NAME}'"
    schema = tool["input_schema"]
    if not isinstance(schema, dict):
        yield f"{place}.input_schema: Input should be a valid dictionary"
    if "type" not in schema:
        yield f"{place}.input_schema.type: Field required"
    if schema["type"] != "object":
        yield f"{place}.input_schema.type: Input should be 'object'"
    if schema.keys() & {"oneOf", "allOf", "anyOf"}:
        yield f"{place}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"


def _of_message(message: dict[str, Any], place: str) -> Iterator[str]:
    if message.get("role") not in ("user", "assistant"):
        yield f"{place}.role: Input should be 'user' or 'assistant'"
    content = message.get("content")
    if not isinstance(content, str | list):
        yield f"{place}.content: Field required"
    for index, block in enumerate(blocks_of(message["content"])):
        yield from _of_block(block, message["role"], f"{place}.content.{index}")


def _of_block(block: dict[str, Any], role: str, place: str) -> Iterator[str]:
    kind = block.get("type")
    match kind, role:
        case "text", _:
            if not str(block.get("text", "")).strip():
                yield "messages: text content blocks must be non-empty"
        case "tool_use", "assistant":
            for name, wanted in (("id", str), ("name", str), ("input", dict)):
                if name not in block:
                    yield f"{place}.tool_use.{name}: Field required"
                if not isinstance(block[name], wanted):
                    noun = "dictionary" if wanted is dict else "string"
                    yield f"{place}.tool_use.{name}: Input should be a valid {noun}"
            if not re.fullmatch(_CALL_ID, block["id"]):
                yield f"{place}.tool_use.id: String should match pattern '{_CALL_ID}'"
        case "tool_result", "user":
            if not isinstance(block.get("tool_use_id"), str):
                yield f"{place}.tool_result.tool_use_id: Field required"
            if not isinstance(block.get("content", ""), str | list):
                yield f"{place}.tool_result.content: Input should be a valid string or list"
        case (("tool_use" | "tool_result"), _):
            where = "user" if role == "assistant" else "assistant"
            yield f"{place}: `{kind}` blocks can only be in `{where}` messages"
        case (("image" | "document" | "thinking" | "redacted_thinking"), _):
            pass
        case _:
            yield f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags"


def _of_calls(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Yield calls that the next message does not begin by answering, and answers of no call."""
    # Messages of one role that follow each other are read as one.
    turns = [
        [block for message in group for block in blocks_of(message["content"])]
        for _, group in groupby(messages, key=lambda message: str(message["role"]))
    ]
    for index, (before, blocks) in enumerate(zip([[], *turns], [*turns, []], strict=True)):
        asked = [block["id"] for block in before if block["type"] == "tool_use"]
        leading = next((at for at, block in enumerate(blocks) if block["type"] != "tool_result"), len(blocks))
        answered = {block["tool_use_id"] for block in blocks[:leading]}
        if missing := [each for each in asked if each not in answered]:
            yield (
                f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` "
                "block in the next message."
            )
        for at, block in enumerate(blocks):
            if block["type"] == "tool_result" and block["tool_use_id"] not in asked:
                yield (
                    f"messages.{index}.content.{at}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{block['tool_use_id']}. Each `tool_result` block must have a corresponding `tool_use` "
                    "block in the previous message."
                )


def _types(message: dict[str, Any]) -> set[str]:
    return {block["type"] for block in blocks_of(message["content"])}

"""What OpenAI asks of tools, of calls and of their answers, beyond the shape of each."""

from __future__ import annotations

from typing import Any

from warmline.simulators.openai.refused import Refused

__all__ = ["check_chat_calls", "check_items", "check_tool_names", "check_tools", "choice_of", "tool_names"]


def check_tool_names(body: dict[str, Any]) -> None:
    """Check, before all else, that tools of a response are not written as those of a chat are.

    Raises:
        Refused: one has no name.
    """
    tools = body.get("tools")
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and "name" not in tool:
            place = f"tools[{index}].name"
            raise Refused("missing_required_parameter", f"Missing required parameter: '{place}'.", place)


def check_tools(body: dict[str, Any], *, is_chat: bool) -> None:
    """Check tools that are well formed: their schemas, and that there are some where a choice is made.

    Raises:
        Refused: they are not to be had.
    """
    tools = body.get("tools") or []
    for index, tool in enumerate(tools):
        function = tool["function"] if is_chat else tool
        place = f"tools[{index}].function.parameters" if is_chat else f"tools[{index}].parameters"
        if wrong := _wrong_schema(function):
            text = f"Invalid schema for function '{function['name']}': {wrong}."
            raise Refused("invalid_function_parameters", text, place)
    choosing = ("tool_choice", "parallel_tool_calls") if is_chat else ()
    for field in choosing:
        if body.get(field) is not None and not tools:
            text = f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified."
            raise Refused(None, text, field)
    choice = choice_of(body)
    if choice not in ("auto", "none", "required", *tool_names(body)):
        raise Refused(
            "invalid_value", f"Tool choice '{choice}' not found in 'tools' parameter.", "tool_choice"
        )


def tool_names(body: dict[str, Any]) -> list[str]:
    """Return the names of a request's tools, whichever way they are written."""
    return [(tool.get("function") or tool)["name"] for tool in body.get("tools") or []]


def choice_of(body: dict[str, Any]) -> str:
    """Return `auto`, `none`, `required`, or the name of the tool that has to be called."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        return str((choice.get("function") or choice).get("name", "auto"))
    return str(choice or "auto")


def check_chat_calls(messages: list[dict[str, Any]]) -> None:
    """Check that each call of a chat is answered, once, directly behind its message.

    Raises:
        Refused: one is not, or an answer is of no call.
    """
    asked: list[str] = []
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            _check_answer(message["tool_call_id"], asked, index)
            waiting = [each for each in waiting if each != message["tool_call_id"]]
            continue
        _check_answered(waiting, index)
        calls = message.get("tool_calls") or []
        asked = waiting = [call["id"] for call in calls]
        if message["role"] == "assistant" and not (calls or message.get("function_call")):
            _check_content(message, index)
    _check_answered(waiting, len(messages))


def _check_answer(call_id: str, asked: list[str], index: int) -> None:
    if not asked:
        text = (
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
            "with 'tool_calls'."
        )
        raise Refused(None, text, f"messages.[{index}].role")
    if call_id not in asked:
        text = (
            f"Invalid parameter: 'tool_call_id' of '{call_id}' not found in 'tool_calls' of previous message."
        )
        raise Refused(None, text, f"messages.[{index}].tool_call_id")


def _check_answered(waiting: list[str], index: int) -> None:
    if waiting:
        text = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: "
        )
        raise Refused(None, text + ", ".join(waiting), f"messages.[{index}].role")


def _check_content(message: dict[str, Any], index: int) -> None:
    if message.get("content") is None and message.get("refusal") is None and message.get("audio") is None:
        text = "Invalid value for 'content': expected a string, got null."
        raise Refused(None, text, f"messages.[{index}].content")


def check_items(items: list[dict[str, Any]]) -> None:
    """Check that each call among a response's items has an answer behind it, and each answer a call before.

    Raises:
        Refused: one has not.
    """
    waiting: list[str] = []
    asked: set[str] = set()
    for item in items:
        if item.get("type") == "function_call":
            waiting.append(item["call_id"])
            asked.add(item["call_id"])
        elif item.get("type") == "function_call_output":
            call_id = item["call_id"]
            if call_id not in asked:
                text = f"No tool call found for function call output with call_id {call_id}."
                raise Refused(None, text, "input")
            waiting = [each for each in waiting if each != call_id]
    if waiting:
        raise Refused(None, f"No tool output found for function call {waiting[0]}.", "input")


def _wrong_schema(function: dict[str, Any]) -> str:
    """Return what is wrong with the parameters' schema, as far as it shows at its top; empty if nothing."""
    schema = function.get("parameters")
    if schema is None:
        return ""
    kind = schema.get("type")
    if kind != "object":
        named = f'"{kind}"' if kind is not None else "None"
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {named}'"
    if not isinstance(schema.get("properties"), dict):
        return "In context=(), object schema missing properties"
    if function.get("strict"):
        if schema.get("additionalProperties") is not False:
            return "In context=(), 'additionalProperties' is required to be supplied and to be false"
        missing = [name for name in schema["properties"] if name not in schema.get("required", ())]
        if missing:
            return (
                "In context=(), 'required' is required to be supplied and to be an array including every key "
                f"in properties. Missing '{missing[0]}'"
            )
    return ""

"""What OpenAI takes in a request's body, and what it says of what it does not take."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

import msgspec

from warmline.simulators.openai.refused import Refused
from warmline.simulators.openai.tool_rules import check_chat_calls, check_tool_names, check_tools

__all__ = ["ChatBody", "EmbeddingsBody", "ResponsesBody", "SocketBody", "read_body"]

_PATH: Final = re.compile(r" - at `\$\.?(.*)`$")
_NAMED: Final = re.compile(r"`(\w+)`")


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class _StreamOptions(_Strict):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class _Said(_Strict):
    content: str | list[dict[str, Any]]
    name: str | None = None


class _System(_Said, tag_field="role", tag="system"):
    pass


class _Developer(_Said, tag_field="role", tag="developer"):
    pass


class _User(_Said, tag_field="role", tag="user"):
    pass


class _Called(_Strict):
    name: str
    arguments: str


class _Call(_Strict):
    id: str
    type: Literal["function"]
    function: _Called


class _Assistant(_Strict, tag_field="role", tag="assistant"):
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    refusal: str | None = None
    audio: Any = None
    function_call: Any = None
    tool_calls: Annotated[list[_Call], msgspec.Meta(min_length=1)] | None = None


class _Tool(_Strict, tag_field="role", tag="tool"):
    content: str | list[dict[str, Any]]
    tool_call_id: str


class _Function(_Strict):
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]+$", max_length=64)]
    description: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _ChatTool(_Strict):
    type: Literal["function"]
    function: _Function


class _ResponsesTool(_Function, kw_only=True):
    type: Literal["function"]
    allowed_callers: Any = None
    defer_loading: bool | None = None
    output_schema: dict[str, Any] | None = None


_Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_Tier = Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]


class _Common(_Strict):
    """What chat completions and responses share."""

    model: str
    metadata: Any = None
    moderation: Any = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: str | None = None
    service_tier: _Tier | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    tool_choice: Any = None
    top_logprobs: int | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    user: str | None = None


class ChatBody(_Common, kw_only=True):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[_System | _Developer | _User | _Assistant | _Tool], msgspec.Meta(min_length=1)]
    tools: Annotated[list[_ChatTool], msgspec.Meta(min_length=1)] | None = None
    audio: Any = None
    frequency_penalty: float | None = None
    function_call: Any = None
    functions: Any = None
    logit_bias: Any = None
    logprobs: bool | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    modalities: Any = None
    n: int | None = None
    prediction: Any = None
    presence_penalty: float | None = None
    reasoning_effort: _Effort | None = None
    response_format: Any = None
    seed: int | None = None
    stop: Any = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: Any = None


class _Reasoning(_Strict):
    effort: _Effort | None = None
    generate_summary: Any = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ResponsesBody(_Common):
    """`POST /v1/responses`."""

    input: str | list[dict[str, Any]] | None = None
    tools: list[_ResponsesTool] | None = None
    access_programs: Any = None
    background: bool | None = None
    context_management: Any = None
    conversation: Any = None
    image: Any = None
    include: list[str] | None = None
    instructions: str | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=16)] | None = None
    max_tool_calls: int | None = None
    previous_response_id: str | None = None
    prompt: Any = None
    reasoning: _Reasoning | None = None
    text: Any = None
    truncation: Literal["auto", "disabled"] | None = None


class SocketBody(ResponsesBody, kw_only=True):
    """`response.create` on the socket."""

    type: Literal["response.create"]
    generate: bool | None = None
    stream_id: str | None = None


class EmbeddingsBody(_Strict):
    """`POST /v1/embeddings`; lists of tokens are not simulated."""

    model: str
    input: str | Annotated[list[str], msgspec.Meta(min_length=1, max_length=2048)]
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


class _Text(_Strict):
    text: str
    type: str
    annotations: Any = None
    logprobs: Any = None
    prompt_cache_breakpoint: Any = None


class _Message(_Strict):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[dict[str, Any]]
    type: Literal["message"] = "message"
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class _FunctionCall(_Strict):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    caller: Any = None
    namespace: str | None = None


class _FunctionCallOutput(_Strict):
    type: Literal["function_call_output"]
    call_id: str
    output: str | list[dict[str, Any]]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    caller: Any = None
    name: str | None = None
    namespace: str | None = None


_ITEMS: Final[dict[str, type[_Strict]]] = {
    "message": _Message,
    "function_call": _FunctionCall,
    "function_call_output": _FunctionCallOutput,
}


def read_body(data: bytes | str, kind: type[_Strict]) -> dict[str, Any]:
    """Return a request's body, which is of a kind.

    Raises:
        Refused: it is not.
    """
    try:
        body: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Refused("invalid_json", f"We could not parse the JSON body of your request: {error}") from None
    if issubclass(kind, ResponsesBody):
        check_tool_names(body)
    _check(body, kind)
    if body.get("stream_options") and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refused("invalid_value", text, "stream_options")
    if kind is ChatBody and "max_tokens" in body:
        # Every model that is simulated reasons.
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead."
        )
        raise Refused("unsupported_parameter", text, "max_tokens")
    check_tools(body, is_chat=kind is ChatBody)
    if kind is ChatBody:
        check_chat_calls(body["messages"])
    items = body.get("input")
    if issubclass(kind, ResponsesBody) and isinstance(items, list):
        for index, item in enumerate(items):
            _check_item(item, f"input[{index}]")
    return body


def _check_item(item: dict[str, Any], place: str) -> None:
    """Check a message, a call or its answer; other items are taken as they are."""
    kind = str(item.get("type", "message"))
    if kind not in _ITEMS:
        return
    _check(item, _ITEMS[kind], place)
    if kind != "message" or isinstance(item["content"], str):
        return
    is_reply = item["role"] == "assistant"
    known = ("output_text", "refusal") if is_reply else ("input_text", "input_image", "input_file")
    for index, part in enumerate(item["content"]):
        if part.get("type") not in known:
            named = ", ".join(f"'{each}'" for each in known)
            text = f"Invalid value: '{part.get('type')}'. Supported values are: {named}."
            raise Refused("invalid_value", text, f"{place}.content[{index}].type")
        if str(part["type"]).endswith("_text"):
            _check(part, _Text, f"{place}.content[{index}]")


def _check(body: dict[str, Any], kind: type[_Strict], place: str = "") -> None:
    try:
        msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise _refused(str(error), place) from None


def _refused(said: str, place: str) -> Refused:
    """Translate what the check found into what OpenAI says of it."""
    at = _PATH.search(said)
    param = ".".join(part for part in (place, at[1] if at else "") if part)
    named = _NAMED.search(_PATH.sub("", said))
    if named is not None and "field" in said:
        param = f"{param}.{named[1]}" if param else named[1]
        if "unknown" in said:
            return Refused("unknown_parameter", f"Unknown parameter: '{param}'.", param)
        return Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    detail = _PATH.sub("", said)
    if "matching regex" in said:
        wanted = said.split("matching regex ", 1)[1].split(" - at ", 1)[0]
        text = f"string does not match pattern. Expected a string that matches the pattern {wanted}."
        return Refused("invalid_value", f"Invalid '{param}': {text}", param)
    if "Expected `str` of length <=" in said:
        most = detail.rsplit(" ", 1)[1]
        text = f"string too long. Expected a string with maximum length {most}."
        return Refused("string_above_max_length", f"Invalid '{param}': {text}", param)
    if "Expected `array` of length >=" in said:
        text = "empty array. Expected an array with minimum length 1, but got an empty array instead."
        return Refused("empty_array", f"Invalid '{param}': {text}", param)
    if "Invalid" in said or "of length" in said or "<=" in said or ">=" in said:
        return Refused("invalid_value", f"Invalid value for '{param}': {detail}.", param)
    return Refused("invalid_type", f"Invalid type for '{param}': {detail}.", param)

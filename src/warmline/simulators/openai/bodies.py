"""What OpenAI takes in a request's body, and what it says of what it does not take."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

import msgspec

from warmline.simulators.openai.errors import error_body

__all__ = ["ChatBody", "EmbeddingsBody", "Refused", "ResponsesBody", "SocketBody", "no_model", "read_body"]

_PATH: Final = re.compile(r" - at `\$\.?(.*)`$")
_NAMED: Final = re.compile(r"`(\w+)`")


class Refused(Exception):
    """A request that is not answered; carries the error's status and body."""

    def __init__(self, code: str, text: str, param: str | None = None, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
        self.body = error_body(code, text, param)


def no_model(name: str) -> Refused:
    """Return what is said of a model that does not exist."""
    text = f"The model `{name}` does not exist or you do not have access to it."
    return Refused("model_not_found", text, "model", 404)


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


class _Assistant(_Strict, tag_field="role", tag="assistant"):
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    refusal: str | None = None
    audio: Any = None
    function_call: Any = None
    tool_calls: list[dict[str, Any]] | None = None


class _Tool(_Strict, tag_field="role", tag="tool"):
    content: str | list[dict[str, Any]]
    tool_call_id: str


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
    tools: list[dict[str, Any]] | None = None
    top_logprobs: int | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    user: str | None = None


class ChatBody(_Common, kw_only=True):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[_System | _Developer | _User | _Assistant | _Tool], msgspec.Meta(min_length=1)]
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


class _Item(_Strict):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[dict[str, Any]]
    type: Literal["message"] = "message"
    id: str | None = None
    status: str | None = None
    phase: str | None = None


def read_body(data: bytes | str, kind: type[_Strict]) -> dict[str, Any]:
    """Return a request's body, which is of a kind.

    Raises:
        Refused: it is not.
    """
    try:
        body: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Refused("invalid_json", f"We could not parse the JSON body of your request: {error}") from None
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
    items = body.get("input")
    if issubclass(kind, ResponsesBody) and isinstance(items, list):
        for index, item in enumerate(items):
            _check_item(item, f"input[{index}]")
    return body


def _check_item(item: dict[str, Any], place: str) -> None:
    """Check a message; other items, such as tools' calls, are taken as they are."""
    if item.get("type", "message") != "message":
        return
    _check(item, _Item, place)
    if isinstance(item["content"], str):
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
    if "Invalid" in said or "of length" in said or "<=" in said or ">=" in said:
        return Refused("invalid_value", f"Invalid value for '{param}': {detail}.", param)
    return Refused("invalid_type", f"Invalid type for '{param}': {detail}.", param)

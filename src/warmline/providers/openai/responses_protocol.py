"""The Responses API: from the context to a request, of which the far end may hold a part. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from warmline.interfaces.llm import LlmRequest, Message, Role, ToolCall, ToolSpec
from warmline.interfaces.prompting import paired, prompt_text, system_prompt
from warmline.pool.http import HttpRequest
from warmline.providers.openai.responses_events import ResponseStream

__all__ = [
    "Held",
    "ResponsesSettings",
    "held_after",
    "response_create",
    "response_request",
]


@dataclass(frozen=True, slots=True)
class ResponsesSettings:
    """What every request carries; what is empty or 0 is not sent."""

    model: str
    reasoning_effort: str = ""
    max_tokens: int = 0
    cache_key: str = "warmline"
    """Requests that begin alike share one (`prompt_cache_key`)."""

    store: bool = False
    """Whether OpenAI may keep what was said after it has answered; nothing here needs it to."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the far end holds of a conversation: what its newest response stands on, and that response."""

    response_id: str
    messages: tuple[Message, ...]

    def new_messages(self, messages: Sequence[Message]) -> Sequence[Message] | None:
        """Return those of paired messages that the far end does not hold; None if it holds something else.

        It does as soon as a reply was not heard to its end: what was heard is what was said.
        """
        count = len(self.messages)
        if len(messages) <= count or [*map(_said, messages[:count])] != [*map(_said, self.messages)]:
            return None
        return messages[count:]


def held_after(messages: Sequence[Message], stream: ResponseStream) -> Held | None:
    """Return what the far end holds when a response is over; None if it is not to be built upon."""
    if not stream.is_completed or not stream.response_id:
        return None
    said = stream.text or stream.calls
    reply = (Message(Role.ASSISTANT, stream.text, tool_calls=stream.calls),) if said else ()
    return Held(stream.response_id, (*paired(messages), *reply))


def _said(message: Message) -> tuple[Role, str, tuple[ToolCall, ...], str]:
    return message.role, prompt_text(message).strip(), message.tool_calls, message.tool_call_id


def _body(request: LlmRequest, settings: ResponsesSettings, messages: Sequence[Message]) -> dict[str, Any]:
    # The instructions are in every body: they are not taken over from a previous response.
    body: dict[str, Any] = {
        "model": settings.model,
        "instructions": system_prompt(request.instructions),
        "input": [item for message in messages for item in _items(message)],
        "store": settings.store,
        "prompt_cache_key": settings.cache_key,
    }
    if request.tools:
        body["tools"] = [*map(_tool, request.tools)]
    if settings.reasoning_effort:
        body["reasoning"] = {"effort": settings.reasoning_effort}
    if settings.max_tokens:
        body["max_output_tokens"] = settings.max_tokens
    return body


def response_request(request: LlmRequest, settings: ResponsesSettings) -> HttpRequest:
    """Return the request for a streamed response over HTTP, with the whole context."""
    streamed = {"stream": True, "stream_options": {"include_obfuscation": False}}
    return HttpRequest(
        "POST",
        "/responses",
        (("content-type", "application/json"), ("accept", "text/event-stream")),
        msgspec.json.encode(_body(request, settings, paired(request.messages)) | streamed),
        # It changes nothing at the far end; asked twice, it costs twice and harms nobody.
        is_idempotent=True,
    )


def response_create(
    request: LlmRequest,
    settings: ResponsesSettings,
    stream_id: str,
    held: Held | None = None,
    *,
    generate: bool = True,
) -> bytes:
    """Return the socket's message that asks for a response.

    Args:
        request: What to answer.
        settings: What every request carries.
        stream_id: The lane on which to answer.
        held: What the far end holds of the conversation; of what it holds, nothing is sent again.
        generate: Whether to answer, or only to read the context so that the next answer begins sooner.
    """
    messages = paired(request.messages)
    new = held.new_messages(messages) if held is not None else None
    body = _body(request, settings, messages if new is None else new)
    body |= {"type": "response.create", "stream_id": stream_id}
    if held is not None and new is not None:
        body["previous_response_id"] = held.response_id
    if not generate:
        body["generate"] = False
    return msgspec.json.encode(body)


def _items(message: Message) -> list[dict[str, Any]]:
    text = prompt_text(message)
    if message.role is Role.TOOL:
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": text}]
    kind = "output_text" if message.role is Role.ASSISTANT else "input_text"
    said = {"type": "message", "role": message.role.value, "content": [{"type": kind, "text": text}]}
    calls = [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return [said, *calls] if text or not calls else calls


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        # It would be the default here, and takes only schemas without optional arguments.
        "strict": False,
    }

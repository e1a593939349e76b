"""Chat completions: from the context to a request, and from a stream's bytes to what it says. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from warmline.core.ids import new_id
from warmline.errors import ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import CallProgress, LlmPiece, LlmRequest, Message, Role, ToolCall, ToolSpec
from warmline.interfaces.prompting import paired, prompt_text, system_prompt
from warmline.pool.http import HttpRequest
from warmline.pool.sse import EventStream
from warmline.providers.openai.failures import PROVIDER, ErrorBody, stream_failure

__all__ = ["MODELS", "ChatSettings", "ChatStream", "Usage", "chat_request"]

MODELS: Final = HttpRequest("GET", "/models", is_idempotent=True)
"""Costs nothing, and needs a valid key: what keeps lines alive and measures them."""


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """What every request carries; what is empty or 0 is not sent, since many servers would refuse it."""

    model: str
    reasoning_effort: str = ""
    max_tokens: int = 0
    cache_key: str = "warmline"
    """Requests that begin alike share one (`prompt_cache_key`)."""

    is_openai: bool = True
    """Whether fields may be sent that only OpenAI's own server knows."""


@dataclass(slots=True)
class Usage:
    """Tokens as the provider counts them; -1 until it says."""

    prompt_tokens: int = -1
    cached_tokens: int = -1
    completion_tokens: int = -1


def chat_request(request: LlmRequest, settings: ChatSettings) -> HttpRequest:
    """Return the request for a streamed completion.

    The prompt's beginning is the same from turn to turn: tools, instructions, then the conversation
    so far; the passages found for a question stand with it, at the end.
    """
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [
            {"role": "system", "content": system_prompt(request.instructions)},
            *map(_message, paired(request.messages)),
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [*map(_tool, request.tools)]
    if settings.is_openai:
        body["stream_options"]["include_obfuscation"] = False
        body["prompt_cache_key"] = settings.cache_key
    if settings.reasoning_effort:
        body["reasoning_effort"] = settings.reasoning_effort
    if settings.max_tokens:
        body["max_completion_tokens" if settings.is_openai else "max_tokens"] = settings.max_tokens
    return HttpRequest(
        "POST",
        "/chat/completions",
        (("content-type", "application/json"), ("accept", "text/event-stream")),
        msgspec.json.encode(body),
        # It changes nothing at the far end; asked twice, it costs twice and harms nobody.
        is_idempotent=True,
    )


def _message(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role.value, "content": prompt_text(message)}
    if message.role is Role.TOOL:
        written["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        written["content"] = written["content"] or None
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return written


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _CallDelta(msgspec.Struct):
    """A call's beginning, or more of its arguments; some servers leave the index out."""

    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = -1
    completion_tokens: int = -1
    prompt_tokens_details: _Cached | None = None


class _Chunk(ErrorBody):
    choices: list[_Choice] = msgspec.field(default_factory=list)
    usage: _Usage | None = None


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


@dataclass(slots=True)
class _Call:
    """A call as it grows."""

    index: int | None
    id: str
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class ChatStream:
    """Reads one streamed completion.

    What changes here: everything, in `feed`.
    """

    model: str
    request_id: str = ""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    is_done: bool = False
    """The stream said that it is over; what ends without saying so was cut."""

    _events: EventStream = field(default_factory=EventStream)
    _calls: list[_Call] = field(default_factory=list)

    def feed(self, piece: bytes) -> list[LlmPiece]:
        """Return the text that `piece` completes, and the calls when all of them are there; often nothing.

        Raises:
            RemoteProtocolError: it is no such stream.
            ProviderError: the far end reports a failure in the middle.
        """
        pieces: list[LlmPiece] = []
        for data in self._events.feed(piece):
            if data == b"[DONE]":
                self.is_done = True
                pieces += self._take_calls()
                continue
            try:
                chunk = _CHUNK.decode(data)
            except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
                raise RemoteProtocolError(
                    f"a chunk that is no completion: {error}", code="bad_chunk"
                ) from error
            if chunk.error:
                raise stream_failure(chunk.error, model=self.model, request_id=self.request_id)
            pieces += self._take(chunk)
        return pieces

    def finish(self) -> None:
        """Say that no more bytes will come.

        Raises:
            ProviderUnavailable: the stream was cut.
        """
        if not self.is_done and not self.finish_reason:
            raise ProviderUnavailable(
                f"asking {self.model}: the answer was cut off in the middle",
                provider=PROVIDER,
                phase="stream",
                request_id=self.request_id,
            )

    def _take(self, chunk: _Chunk) -> list[LlmPiece]:
        if chunk.usage is not None:
            cached = chunk.usage.prompt_tokens_details
            self.usage = Usage(
                chunk.usage.prompt_tokens,
                cached.cached_tokens if cached and cached.cached_tokens is not None else -1,
                chunk.usage.completion_tokens,
            )
        # The chunk with the usage has no choices.
        if not chunk.choices:
            return []
        choice = chunk.choices[0]
        text = choice.delta.content or choice.delta.refusal
        pieces: list[LlmPiece] = [text] if text else []
        for delta in choice.delta.tool_calls or ():
            self._grow(delta)
            pieces.append(CallProgress())
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
            pieces += self._take_calls()
        return pieces

    def _grow(self, delta: _CallDelta) -> None:
        """Add to the call of its index; some servers number all of them alike, and only the ids differ."""
        same = [call for call in self._calls if call.index == delta.index or delta.index is None]
        if not same or (delta.id and delta.id != same[-1].id):
            self._calls.append(_Call(delta.index, delta.id or new_id("call")))
            same = self._calls
        if delta.function is not None:
            same[-1].name += delta.function.name or ""
            same[-1].arguments += delta.function.arguments or ""

    def _take_calls(self) -> list[ToolCall]:
        calls, self._calls = self._calls, []
        return [ToolCall(call.id, call.name, call.arguments) for call in calls]

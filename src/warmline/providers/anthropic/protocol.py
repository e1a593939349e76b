"""Anthropic's messages: from the context to a request, and from a stream's bytes to what it says. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from warmline.errors import ProviderRejected, ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import CallProgress, LlmPiece, LlmRequest, Message, Role, ToolCall
from warmline.interfaces.prompting import paired, prompt_text, system_prompt
from warmline.pool.http import HttpRequest
from warmline.pool.sse import EventStream
from warmline.providers.anthropic.failures import PROVIDER, ErrorObject, stream_failure

__all__ = ["MODELS", "MessageStream", "MessagesSettings", "Usage", "messages_request"]

MODELS: Final = HttpRequest("GET", "/v1/models?limit=1", is_idempotent=True)
"""Costs nothing, and needs a valid key: what keeps lines alive and measures them."""

_CACHED: Final = {"type": "ephemeral"}
"""Marks where a beginning ends that is to be kept for later requests; short ones are not."""

_CONNECTED: Final = "(The person has just been connected.)"
"""Stands before a greeting, since the first message has to be the user's."""

_WAITING: Final = "(The person is waiting for you to go on.)"
"""Stands behind a reply that nothing was said to, since the last message has to be the user's."""


_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9_-]")

Block = dict[str, Any]
"""A piece of a message: a text, a call, or its answer."""


@dataclass(frozen=True, slots=True)
class MessagesSettings:
    """What every request carries; what is empty is not sent."""

    model: str
    max_tokens: int = 1024
    thinking: str = "disabled"
    """`disabled` or `adaptive`; thinking is time in which nothing is spoken."""

    effort: str = ""


@dataclass(slots=True)
class Usage:
    """Tokens as the provider counts them; -1 until it says."""

    prompt_tokens: int = -1
    """All of them, those from the cache and those put there included."""

    cached_tokens: int = -1
    completion_tokens: int = -1


def messages_request(request: LlmRequest, settings: MessagesSettings) -> HttpRequest:
    """Return the request for a streamed message.

    The prompt's beginning is the same from turn to turn, and is cached twice: the tools and the
    instructions, which all conversations share, and the conversation so far.
    """
    notes = "\n\n".join(
        message.text.strip() for message in request.messages if message.role is Role.SYSTEM
    ).strip()
    system: list[Block] = [{**_text(system_prompt(request.instructions)), "cache_control": _CACHED}]
    if notes:
        system.append(_text(notes))
    turns = _turns(request.messages if request.tools else _without_calls(request.messages))
    last_role, last_blocks = turns.pop()
    last_blocks[-1] = {**last_blocks[-1], "cache_control": _CACHED}
    body: dict[str, Any] = {
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "system": system,
        "messages": [
            *({"role": role, "content": blocks} for role, blocks in turns),
            {"role": last_role, "content": last_blocks},
        ],
        "stream": True,
    }
    if request.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ]
    if settings.thinking:
        body["thinking"] = {"type": settings.thinking}
    if settings.effort:
        body["output_config"] = {"effort": settings.effort}
    return HttpRequest(
        "POST",
        "/v1/messages",
        (("content-type", "application/json"), ("accept", "text/event-stream")),
        msgspec.json.encode(body),
        # It changes nothing at the far end; asked twice, it costs twice and harms nobody.
        is_idempotent=True,
    )


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _turns(messages: Sequence[Message]) -> list[tuple[str, list[Block]]]:
    """Return roles and blocks; the roles alternate, and the first and the last of them are the user's."""
    turns: list[tuple[str, list[Block]]] = []
    for message in paired(messages):
        blocks = _blocks(message)
        if message.role is Role.SYSTEM or not blocks:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        if not turns and role == "assistant":
            turns.append(("user", [_text(_CONNECTED)]))
        if turns and turns[-1][0] == role:
            _add(turns[-1][1], blocks)
        else:
            turns.append((role, blocks))
    if not turns or turns[-1][0] == "assistant":
        turns.append(("user", [_text(_WAITING)]))
    return turns


def _blocks(message: Message) -> list[Block]:
    text = prompt_text(message).strip()
    if message.role is Role.TOOL:
        return [{"type": "tool_result", "tool_use_id": _id(message.tool_call_id), "content": text}]
    calls = [
        {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": _input(call.arguments)}
        for call in message.tool_calls
    ]
    return [_text(text), *calls] if text else calls


def _add(blocks: list[Block], more: list[Block]) -> None:
    """Put blocks behind others; two texts become one."""
    if blocks[-1]["type"] == more[0]["type"] == "text":
        blocks[-1] = _text(f"{blocks[-1]['text']}\n\n{more[0]['text']}")
        more = more[1:]
    blocks += more


def _id(call_id: str) -> str:
    """Return a call's id in the letters that are allowed here, should another provider have given it."""
    return _NOT_IN_ID.sub("_", call_id) or "_"


def _input(arguments: str) -> dict[str, Any]:
    """Return a call's arguments as an object; those that are none as Anthropic wants them shown."""
    try:
        read = msgspec.json.decode(arguments or "{}")
    except msgspec.DecodeError:
        read = None
    return read if isinstance(read, dict) else {"INVALID_JSON": arguments}


def _without_calls(messages: Sequence[Message]) -> list[Message]:
    """Return messages without calls and their answers, which are refused where no tools are given."""
    return [replace(message, tool_calls=()) for message in messages if message.role is not Role.TOOL]


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class _Message(msgspec.Struct):
    usage: _Usage | None = None


class _Piece(msgspec.Struct):
    """A block's beginning, what follows of it, or a change of the message."""

    type: str = ""
    text: str = ""
    id: str = ""
    name: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    """Any event; kinds that are not known are to be passed over."""

    type: str
    message: _Message | None = None
    content_block: _Piece | None = None
    delta: _Piece | None = None
    usage: _Usage | None = None
    error: ErrorObject | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)


@dataclass(slots=True)
class MessageStream:
    """Reads one streamed message.

    What changes here: everything, in `feed`.
    """

    model: str
    request_id: str = ""
    stop_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    is_done: bool = False
    """The stream said that it is over; what ends without saying so was cut."""

    _events: EventStream = field(default_factory=EventStream)
    _call: ToolCall | None = None
    """The call whose block is not over; blocks come one after another."""

    def feed(self, piece: bytes) -> list[LlmPiece]:
        """Return the text and the calls that `piece` completes; often nothing.

        Raises:
            RemoteProtocolError: it is no such stream.
            ProviderError: the far end reports a failure in the middle.
        """
        pieces: list[LlmPiece] = []
        for data in self._events.feed(piece):
            try:
                event = _EVENT.decode(data)
            except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
                raise RemoteProtocolError(
                    f"an event that is none of a message: {error}", code="bad_event"
                ) from error
            if said := self._take(event):
                pieces.append(said)
        return pieces

    def finish(self) -> None:
        """Say that no more bytes will come.

        Raises:
            ProviderUnavailable: the stream was cut.
            ProviderRejected: the model declined to answer, or to go on.
        """
        if self.stop_reason == "refusal":
            raise ProviderRejected(
                f"asking {self.model}: it declined to answer (refusal); see agent.instructions, "
                "or set anthropic.model to another model",
                provider=PROVIDER,
                phase="stream",
                request_id=self.request_id,
            )
        if not self.is_done and not self.stop_reason:
            raise ProviderUnavailable(
                f"asking {self.model}: the answer was cut off in the middle",
                provider=PROVIDER,
                phase="stream",
                request_id=self.request_id,
            )

    def _take(self, event: _Event) -> LlmPiece | None:
        match event:
            case _Event(type="error"):
                error = event.error or ErrorObject()
                raise stream_failure(error, model=self.model, request_id=self.request_id)
            case _Event(type="message_start", message=_Message(usage=_Usage() as usage)):
                self._count(usage)
            case _Event(type="content_block_start", content_block=_Piece(type="text") as piece):
                return piece.text
            case _Event(type="content_block_delta", delta=_Piece(type="text_delta") as piece):
                return piece.text
            case _Event(type="content_block_start", content_block=_Piece(type="tool_use") as piece):
                self._call = ToolCall(piece.id, piece.name, "")
                return CallProgress()
            case _Event(type="content_block_delta", delta=_Piece(type="input_json_delta") as piece):
                if self._call is not None:
                    self._call = replace(self._call, arguments=self._call.arguments + piece.partial_json)
                    return CallProgress()
            case _Event(type="content_block_stop"):
                call, self._call = self._call, None
                return call if call is None or call.arguments else replace(call, arguments="{}")
            case _Event(type="message_delta", delta=_Piece() as piece):
                self.stop_reason = piece.stop_reason or self.stop_reason
                if event.usage is not None:
                    self._count(event.usage)
            case _Event(type="message_stop"):
                self.is_done = True
        return None

    def _count(self, usage: _Usage) -> None:
        """Take over counts; they are totals so far, and those that did not change may be left out."""
        if usage.input_tokens is not None:
            self.usage.cached_tokens = usage.cache_read_input_tokens or 0
            created = usage.cache_creation_input_tokens or 0
            self.usage.prompt_tokens = usage.input_tokens + created + self.usage.cached_tokens
        if usage.output_tokens is not None:
            self.usage.completion_tokens = usage.output_tokens

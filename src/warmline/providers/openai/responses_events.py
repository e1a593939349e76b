"""The Responses API: from its events to what they say. No I/O.

The events are the same over HTTP, where they are framed as server-sent events, and over the socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from warmline.errors import ProviderUnavailable, RemoteProtocolError
from warmline.interfaces.llm import CallProgress, LlmPiece, ToolCall
from warmline.pool.sse import EventStream
from warmline.providers.openai.failures import PROVIDER, ErrorDetail, stream_failure
from warmline.providers.openai.protocol import Usage

__all__ = ["ResponseStream", "kind_and_lane"]


class _Kind(msgspec.Struct):
    type: str = ""
    stream_id: str = ""


class _Delta(msgspec.Struct):
    delta: str = ""
    item_id: str = ""


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str = ""
    content: list[_Part] | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _OfItem(msgspec.Struct):
    item: _Item = msgspec.field(default_factory=_Item)


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int = -1
    output_tokens: int = -1
    input_tokens_details: _Cached | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str = ""
    error: ErrorDetail | None = None
    incomplete_details: _Incomplete | None = None
    output: list[_Item] = msgspec.field(default_factory=list)
    usage: _Usage | None = None


class _OfResponse(msgspec.Struct):
    response: _Response = msgspec.field(default_factory=_Response)


class _Failure(ErrorDetail):
    """An `error` event: flat in a stream of HTTP's, with the error inside and a status on the socket."""

    error: ErrorDetail | None = None
    status: int = 0


_KIND: Final = msgspec.json.Decoder(_Kind)
_DELTA: Final = msgspec.json.Decoder(_Delta)
_OF_ITEM: Final = msgspec.json.Decoder(_OfItem)
_OF_RESPONSE: Final = msgspec.json.Decoder(_OfResponse)
_FAILURE: Final = msgspec.json.Decoder(_Failure)


def kind_and_lane(event: bytes) -> tuple[str, str]:
    """Return an event's type, and the `stream_id` that it carries; one that can't be read is an `error`.

    Without a lane, it is told to the whole socket.
    """
    try:
        read = _KIND.decode(event)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return "error", ""
    return read.type, read.stream_id


@dataclass(slots=True)
class ResponseStream:
    """Reads the events of one response.

    What changes here: everything, in `take`.
    """

    model: str
    request_id: str = ""
    """The response's own id where the far end gave no other."""

    response_id: str = ""
    text: str = ""
    """So far; once the response is completed, as the far end keeps it."""

    calls: tuple[ToolCall, ...] = ()
    """So far."""

    usage: Usage = field(default_factory=Usage)
    is_done: bool = False
    """The far end said that it is over; what ends without saying so was cut."""

    is_completed: bool = False
    """It was not only over but whole."""

    incomplete_reason: str = ""
    """Why it is not, such as `max_output_tokens`."""

    error_code: str = ""
    """What the far end calls its failure."""

    _item_id: str = ""
    _events: EventStream = field(default_factory=EventStream)

    def feed(self, piece: bytes) -> list[LlmPiece]:
        """Return the text and the calls that `piece` of an HTTP body completes; often nothing.

        Raises:
            RemoteProtocolError: it is no such stream.
            ProviderError: the far end reports a failure.
        """
        pieces: list[LlmPiece] = []
        for data in self._events.feed(piece):
            if data == b"[DONE]":
                # Some servers end it as they end chat completions.
                self.is_done = True
            else:
                pieces += self.take(data)
        return pieces

    def take(self, data: bytes) -> list[LlmPiece]:
        """Return what one event says; nothing for most kinds, of which there are more from year to year.

        Raises:
            RemoteProtocolError: it is no event.
            ProviderError: the far end reports a failure.
        """
        try:
            return self._take(data)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise RemoteProtocolError(f"an event that is none: {error}", code="bad_event") from error

    def finish(self) -> None:
        """Say that no more events will come.

        Raises:
            ProviderUnavailable: the stream was cut.
        """
        if not self.is_done:
            raise ProviderUnavailable(
                f"asking {self.model}: the answer was cut off in the middle",
                provider=PROVIDER,
                phase="stream",
                request_id=self.request_id,
            )

    def _take(self, data: bytes) -> list[LlmPiece]:
        kind = _KIND.decode(data).type
        match kind:
            case "response.output_text.delta" | "response.refusal.delta":
                return self._add(_DELTA.decode(data))
            case "response.function_call_arguments.delta":
                return [CallProgress()]
            case "response.output_item.done":
                return [*self._add_calls([_OF_ITEM.decode(data).item])]
            case "response.created":
                self.response_id = _OF_RESPONSE.decode(data).response.id
                self.request_id = self.request_id or self.response_id
            case "response.completed" | "response.incomplete":
                response = _OF_RESPONSE.decode(data).response
                return [*self._end(response, is_completed=kind == "response.completed")]
            case "response.failed":
                self._fail(_OF_RESPONSE.decode(data).response.error or ErrorDetail(), 0)
            case "error":
                failure = _FAILURE.decode(data)
                self._fail(failure.error or failure, failure.status)
        return []

    def _add(self, delta: _Delta) -> list[LlmPiece]:
        # A model may say something before its answer proper; they are two items, and both are spoken.
        text = f" {delta.delta}" if self.text and delta.item_id != self._item_id else delta.delta
        self._item_id = delta.item_id
        self.text += text
        return [text] if text else []

    def _add_calls(self, items: list[_Item]) -> list[ToolCall]:
        """Return those among the items that are calls and were not there yet."""
        known = {call.id for call in self.calls}
        new = [
            ToolCall(item.call_id, item.name, item.arguments)
            for item in items
            if item.type == "function_call" and item.call_id not in known
        ]
        self.calls += tuple(new)
        return new

    def _end(self, response: _Response, *, is_completed: bool) -> list[ToolCall]:
        self.is_done, self.is_completed = True, is_completed
        if response.incomplete_details is not None:
            self.incomplete_reason = response.incomplete_details.reason or ""
        items = [
            "".join(part.text or part.refusal or "" for part in item.content or ())
            for item in response.output
            if item.type == "message"
        ]
        if items and is_completed:
            self.text = " ".join(items)
        if response.usage is not None:
            cached = response.usage.input_tokens_details
            self.usage = Usage(
                response.usage.input_tokens,
                cached.cached_tokens if cached and cached.cached_tokens is not None else -1,
                response.usage.output_tokens,
            )
        # An incomplete response may end in the middle of a call.
        return self._add_calls(response.output) if is_completed else []

    def _fail(self, error: ErrorDetail, status: int) -> None:
        self.error_code = str(error.code or error.type or "")
        raise stream_failure(
            error,
            model=self.model,
            request_id=self.request_id,
            status=status,
            phase="stream" if self.text or self.calls else "first_result",
        )

"""The Responses API over HTTP, and the events that it has in common with its socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

import anyio
import msgspec
from aiohttp import web

from warmline.core.clock import unix_time_s
from warmline.core.ids import new_id
from warmline.simulators.answers import (
    TEXT,
    Answer,
    PrefixCache,
    answer_to,
    asked_by,
    pieces_of,
    spoken,
    text_of,
    token_count,
)
from warmline.simulators.faults import FaultQueue
from warmline.simulators.openai.bodies import ResponsesBody, read_body
from warmline.simulators.openai.output_items import CallItem, MessageItem
from warmline.simulators.openai.refused import Refused, no_model
from warmline.simulators.openai.replying import answered, headers
from warmline.simulators.openai.tool_rules import check_items, choice_of, tool_names
from warmline.simulators.outgoing import EVENT_GARBAGE, HttpOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import fault_of

__all__ = ["Generation", "Items", "Responses", "ResponsesOwner"]

_STORED: Final = 10_000

Items = list[dict[str, Any]]
"""What a model reads and says."""


class ResponsesOwner(Protocol):
    """The simulator."""

    script: Script
    faults: FaultQueue

    def knows(self, model: str) -> bool:
        """Whether a model by this name exists."""
        ...


class Responses:
    """Answers by `input`, and by what the response before stands on.

    What changes here: `_stored`, what the responses that are kept stand on.
    """

    def __init__(self, owner: ResponsesOwner, cache: PrefixCache) -> None:
        self.owner = owner
        self.cache = cache
        self._stored: dict[str, Items] = {}

    async def over_http(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /v1/responses`."""
        body = read_body(await request.read(), ResponsesBody)
        generation = self.generation(body, {})
        if not body.get("stream"):
            events = [event async for event in generation.events()]
            return answered(events[-1]["response"])
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", **headers()}
        )
        text = "The server had an error while processing your request. Sorry about that!"
        failure = {
            "type": "error",
            "code": "server_error",
            "message": text,
            "param": None,
            "sequence_number": 99,
        }
        outgoing = HttpOutgoing(request, response, fault_of(request), _sse(failure), EVENT_GARBAGE)
        await outgoing.begin()
        await response.prepare(request)
        async for event in generation.events():
            await outgoing.send(_sse(event))
        await outgoing.end()
        return response

    def generation(self, body: dict[str, Any], recent: dict[str, Items]) -> Generation:
        """Return a response that is about to be made.

        Args:
            body: The request's, which is well formed.
            recent: What responses stand on that are known beyond those that are stored, by id.

        Raises:
            Refused: there is no such model, no input, no such response before, or a call in it without
                an answer.
        """
        if not self.owner.knows(body["model"]):
            raise no_model(body["model"])
        given = body.get("input")
        if given is None:
            raise Refused("missing_required_parameter", "Missing required parameter: 'input'.", "input")
        items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
        before = body.get("previous_response_id")
        if before is None:
            check_items(items)
            return Generation(self, body, items)
        known = recent.get(before, self._stored.get(before))
        if known is None:
            text = f"Previous response with id '{before}' not found."
            raise Refused("previous_response_not_found", text, "previous_response_id")
        check_items([*known, *items])
        return Generation(self, body, [*known, *items])

    def store(self, response_id: str, items: Items) -> None:
        """Keep what a response stands on for any request that comes."""
        self._stored[response_id] = items
        if len(self._stored) > _STORED:
            del self._stored[next(iter(self._stored))]


class Generation:
    """One response on its way.

    What changes here: the number of events, and `items`, to which the answer is added at its end.
    """

    def __init__(self, responses: Responses, body: dict[str, Any], items: Items) -> None:
        self.id = new_id("resp")
        self.items = items
        self._responses = responses
        self._body = body
        self._number = 0

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield its events, at a model's pace."""
        body, script = self._body, self._responses.owner.script
        answer = self._answer() if body.get("generate", True) else Answer("")
        response = {
            "id": self.id,
            "object": "response",
            "created_at": unix_time_s(),
            "model": body["model"],
            "output": [],
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [{"strict": True, **tool} for tool in body.get("tools") or []],
            "status": "in_progress",
            "previous_response_id": body.get("previous_response_id"),
            "store": body.get("store", True),
        }
        usage = self._usage(answer)
        yield self._event("response.created", response=response)
        yield self._event("response.in_progress", response=response)
        output: Items = []
        if answer.text or answer.calls:
            async for event in self._said(answer):
                yield event
                if event["type"] == "response.output_item.done":
                    output.append(event["item"])
        else:
            await anyio.sleep(script.first_token_ms / 1000)
        self.items = [*self.items, *output]
        if body.get("store", True):
            self._responses.store(self.id, self.items)
        done = {**response, "status": "completed", "output": output, "usage": usage}
        yield self._event("response.completed", response=done)

    def _answer(self) -> Answer:
        said = [
            ("tool", text_of(item.get("output")))
            if item.get("type") == "function_call_output"
            else (str(item.get("role")), text_of(item.get("content")))
            for item in self.items
        ]
        asked = asked_by(said, tool_names(self._body), choice_of(self._body))
        return answer_to(self._responses.owner.script, asked)

    async def _said(self, answer: Answer) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of each item, one after another: the message, if there is text, and the calls."""
        parts = ([TEXT] if answer.text else []) + [*range(len(answer.calls))]
        items: dict[int, MessageItem | CallItem] = {
            part: MessageItem(index, answer.text) if part == TEXT else CallItem(index, *answer.calls[part])
            for index, part in enumerate(parts)
        }
        current: MessageItem | CallItem | None = None
        async for part, token in spoken(self._responses.owner.script, pieces_of(answer)):
            item = items[part]
            if item is not current:
                for event in [*(current.ended() if current is not None else ()), *item.begun()]:
                    yield self._event(**event)
                current = item
            yield self._event(**item.grown(token))
        for event in current.ended() if current is not None else ():
            yield self._event(**event)

    def _usage(self, answer: Answer) -> dict[str, Any]:
        before = [self._body.get("tools") or [], self._body.get("instructions", "")]
        prompt = msgspec.json.encode([*before, *self.items]).decode()
        cached = self._responses.cache.cached_tokens(str(self._body.get("prompt_cache_key", "")), prompt)
        return {
            "input_tokens": token_count(prompt),
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": answer.token_count,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": token_count(prompt) + answer.token_count,
        }

    def _event(self, type: str, **fields: Any) -> dict[str, Any]:
        self._number += 1
        lane = {"stream_id": self._body["stream_id"]} if self._body.get("stream_id") else {}
        return {"type": type, "sequence_number": self._number, **lane, **fields}


def _sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + b"data: " + msgspec.json.encode(event) + b"\n\n"

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
    PrefixCache,
    answer_text,
    last_user_text,
    spoken_tokens,
    token_count,
)
from warmline.simulators.faults import FaultQueue
from warmline.simulators.openai.bodies import Refused, ResponsesBody, no_model, read_body
from warmline.simulators.openai.replying import answered, headers
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
            Refused: there is no such model, no input, or no such response before.
        """
        if not self.owner.knows(body["model"]):
            raise no_model(body["model"])
        given = body.get("input")
        if given is None:
            raise Refused("missing_required_parameter", "Missing required parameter: 'input'.", "input")
        items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
        before = body.get("previous_response_id")
        if before is None:
            return Generation(self, body, items)
        known = recent.get(before, self._stored.get(before))
        if known is None:
            text = f"Previous response with id '{before}' not found."
            raise Refused("previous_response_not_found", text, "previous_response_id")
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
        text = answer_text(script, last_user_text(self.items)) if body.get("generate", True) else ""
        response = {
            "id": self.id,
            "object": "response",
            "created_at": unix_time_s(),
            "model": body["model"],
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "status": "in_progress",
            "previous_response_id": body.get("previous_response_id"),
            "store": body.get("store", True),
        }
        usage = self._usage(text)
        yield self._event("response.created", response=response)
        yield self._event("response.in_progress", response=response)
        output: Items = []
        if text:
            async for event in self._said(text):
                yield event
                if event["type"] == "response.output_item.done":
                    output = [event["item"]]
        else:
            await anyio.sleep(script.first_token_ms / 1000)
        self.items = [*self.items, *output]
        if body.get("store", True):
            self._responses.store(self.id, self.items)
        done = {**response, "status": "completed", "output": output, "usage": usage}
        yield self._event("response.completed", response=done)

    async def _said(self, text: str) -> AsyncIterator[dict[str, Any]]:
        item_id = new_id("msg")
        place = {"item_id": item_id, "output_index": 0, "content_index": 0}
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        is_begun = False
        async for token in spoken_tokens(self._responses.owner.script, text):
            if not is_begun:
                is_begun = True
                yield self._event("response.output_item.added", output_index=0, item=item)
                yield self._event("response.content_part.added", **place, part=part)
            yield self._event("response.output_text.delta", **place, delta=token, logprobs=[])
        part = {"type": "output_text", "text": text, "annotations": []}
        yield self._event("response.output_text.done", **place, text=text, logprobs=[])
        yield self._event("response.content_part.done", **place, part=part)
        done = {**item, "status": "completed", "content": [part]}
        yield self._event("response.output_item.done", output_index=0, item=done)

    def _usage(self, text: str) -> dict[str, Any]:
        prompt = msgspec.json.encode([self._body.get("instructions", ""), *self.items]).decode()
        cached = self._responses.cache.cached_tokens(str(self._body.get("prompt_cache_key", "")), prompt)
        return {
            "input_tokens": token_count(prompt),
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": token_count(text),
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": token_count(prompt) + token_count(text),
        }

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        self._number += 1
        lane = {"stream_id": self._body["stream_id"]} if self._body.get("stream_id") else {}
        return {"type": kind, "sequence_number": self._number, **lane, **fields}


def _sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + b"data: " + msgspec.json.encode(event) + b"\n\n"

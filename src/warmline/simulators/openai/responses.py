"""The Responses API, over HTTP and over its WebSocket: the same events on both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol

import anyio
import anyio.abc
import msgspec
from aiohttp import WSMsgType, web

from warmline.core.clock import SystemClock, unix_time_s
from warmline.core.ids import new_id
from warmline.simulators.answers import (
    PrefixCache,
    answer_text,
    last_user_text,
    spoken_tokens,
    token_count,
)
from warmline.simulators.faults import FaultQueue
from warmline.simulators.openai.errors import error_body
from warmline.simulators.outgoing import Gone, HttpOutgoing, SocketOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import fault_of, json_response

__all__ = ["Responses"]

_SOCKET_S: Final = 3600.0
_MOST_LANES: Final = 32
_MOST_ACTIVE: Final = 16
_STORED: Final = 10_000
_CLOCK: Final = SystemClock()

Emit = Callable[[dict[str, Any]], Awaitable[None]]
History = list[dict[str, Any]]


class _Owner(Protocol):
    script: Script
    faults: FaultQueue

    def knows(self, model: str) -> bool: ...


class _Problem(Exception):
    def __init__(self, code: str, text: str, param: str | None = None, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
        self.body = error_body(code, text, param)


class Responses:
    """Answers by `input`, and by what the response before held.

    What changes here: `_stored`, the histories of responses that are kept.
    """

    def __init__(self, owner: _Owner, cache: PrefixCache) -> None:
        self._owner = owner
        self._cache = cache
        self._stored: dict[str, History] = {}

    async def over_http(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /v1/responses`."""
        try:
            body = msgspec.json.decode(await request.read(), type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return json_response(error_body("invalid_json", str(error)), status=400)
        try:
            history = self._history(body, {})
        except _Problem as problem:
            return json_response(problem.body, status=problem.status, headers={"x-request-id": new_id("req")})
        if not body.get("stream"):
            events = [event async for event in self._events(body, history, {})]
            return json_response(events[-1]["response"])
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream; charset=utf-8", "x-request-id": new_id("req")}
        )
        failure = {"type": "error", **error_body("server_error")["error"], "sequence_number": 99}  # type: ignore[dict-item]
        outgoing = HttpOutgoing(request, response, fault_of(request), _sse(failure))
        await outgoing.begin()
        await response.prepare(request)
        async for event in self._events(body, history, {}):
            await outgoing.send(_sse(event))
        await outgoing.end()
        return response

    async def over_socket(self, request: web.Request) -> web.StreamResponse:
        """Answer the WebSocket at `/v1/responses`."""
        fault = fault_of(request)
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        failure = {"type": "error", "status": 500, **error_body("server_error")}
        outgoing = SocketOutgoing(request, socket, fault, msgspec.json.encode(failure).decode())
        writing = anyio.Lock()

        async def emit(event: dict[str, Any]) -> None:
            async with writing:
                await outgoing.send(msgspec.json.encode(event).decode())

        limit_s = self._owner.script.idle_s or _SOCKET_S
        async with anyio.create_task_group() as tasks:
            lanes = _Lanes(self, emit, tasks)
            path = request.path
            with anyio.move_on_after(limit_s) as lifetime:
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        outgoing.arm(self._owner.faults.take(path, is_upgrade=False))
                        await lanes.take(message.data)
            if lifetime.cancelled_caught:
                text = "Responses websocket connection limit reached (60 minutes). Create a new one."
                await emit(_error(error_body("websocket_connection_limit_reached", text)))
                await socket.close(code=1000)
            tasks.cancel_scope.cancel()
        return socket

    def _history(self, body: dict[str, Any], recent: dict[str, History]) -> History:
        """Return everything the model is to read."""
        if not self._owner.knows(str(body.get("model", ""))):
            text = f"The requested model '{body.get('model')}' does not exist."
            raise _Problem("model_not_found", text, "model", 404 if not recent else 400)
        given = body.get("input", [])
        items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise _Problem("invalid_type", "'input' must be a text or a list of items", "input")
        before = body.get("previous_response_id")
        if before is None:
            return items
        known = recent.get(str(before), self._stored.get(str(before)))
        if known is None:
            text = f"Previous response with id '{before}' not found."
            raise _Problem("previous_response_not_found", text, "previous_response_id")
        return [*known, *items]

    async def _events(
        self, body: dict[str, Any], history: History, recent: dict[str, History]
    ) -> AsyncIterator[dict[str, Any]]:
        script = self._owner.script
        text = answer_text(script, last_user_text(history)) if body.get("generate", True) else ""
        response = {
            "id": new_id("resp"),
            "object": "response",
            "created_at": unix_time_s(),
            "model": body["model"],
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "status": "in_progress",
            "previous_response_id": body.get("previous_response_id"),
        }
        number = 0

        def event(kind: str, **fields: Any) -> dict[str, Any]:
            nonlocal number
            number += 1
            lane = {"stream_id": body["stream_id"]} if "stream_id" in body else {}
            return {"type": kind, "sequence_number": number, **lane, **fields}

        yield event("response.created", response=response)
        yield event("response.in_progress", response=response)
        output: History = []
        if text:
            item_id = new_id("msg")
            place = {"item_id": item_id, "output_index": 0, "content_index": 0}
            item = {
                "id": item_id,
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            is_begun = False
            async for token in spoken_tokens(script, text):
                if not is_begun:
                    is_begun = True
                    yield event("response.output_item.added", output_index=0, item=item)
                    part = {"type": "output_text", "text": "", "annotations": []}
                    yield event("response.content_part.added", **place, part=part)
                yield event("response.output_text.delta", **place, delta=token, logprobs=[])
            part = {"type": "output_text", "text": text, "annotations": []}
            yield event("response.output_text.done", **place, text=text, logprobs=[])
            yield event("response.content_part.done", **place, part=part)
            output = [{**item, "status": "completed", "content": [part]}]
            yield event("response.output_item.done", output_index=0, item=output[0])
        else:
            await anyio.sleep(script.first_token_ms / 1000)
        kept = [*history, *output]
        recent[str(response["id"])] = kept
        if body.get("store", True):
            self._stored[str(response["id"])] = kept
            if len(self._stored) > _STORED:
                del self._stored[next(iter(self._stored))]
        prompt = msgspec.json.encode([body.get("instructions", ""), *history]).decode()
        cached = self._cache.cached_tokens(str(body.get("prompt_cache_key", "")), prompt)
        usage = {
            "input_tokens": token_count(prompt),
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": token_count(text),
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": token_count(prompt) + token_count(text),
        }
        done = {**response, "status": "completed", "output": output, "usage": usage}
        yield event("response.completed", response=done)

    async def run_lane(
        self, requests: list[dict[str, Any]], emit: Emit, recent: dict[str, History], limit: anyio.Semaphore
    ) -> None:
        """Answer a lane's requests, one after another, until there are none left."""
        while requests:
            body = requests[0]
            try:
                history = self._history(body, recent)
                async with limit:
                    async for event in self._events(body, history, recent):
                        await emit(event)
            except _Problem as problem:
                recent.pop(str(body.get("previous_response_id")), None)
                await emit(_error(problem.body, body.get("stream_id")))
            requests.pop(0)


class _Lanes:
    """The requests of one socket: in order within a lane, side by side between them.

    What changes here: the lanes, in `take`.
    """

    def __init__(self, responses: Responses, emit: Emit, tasks: anyio.abc.TaskGroup) -> None:
        self._responses = responses
        self._emit = emit
        self._tasks = tasks
        self._lanes: dict[str, list[dict[str, Any]]] = {}
        self._recent: dict[str, History] = {}
        self._limit = anyio.Semaphore(_MOST_ACTIVE)

    async def take(self, text: str) -> None:
        """Take a message of the client."""
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            await self._emit(_error(error_body("invalid_json", str(error))))
            return
        if message.get("type") != "response.create":
            text = f"Unknown or unsupported event type {message.get('type')!r}"
            await self._emit(_error(error_body("invalid_value", text, "type")))
            return
        lane = str(message.get("stream_id", ""))
        if lane not in self._lanes and len([name for name in self._lanes if name]) >= _MOST_LANES:
            problem = error_body("websocket_stream_limit_reached", f"at most {_MOST_LANES} stream ids")
            await self._emit(_error(problem, lane))
            return
        waiting = self._lanes.setdefault(lane, [])
        waiting.append(message)
        if len(waiting) == 1:
            self._tasks.start_soon(self._run, waiting)

    async def _run(self, waiting: list[dict[str, Any]]) -> None:
        try:
            await self._responses.run_lane(waiting, self._emit, self._recent, self._limit)
        except Gone:
            return


def _error(body: dict[str, object], lane: object = None) -> dict[str, Any]:
    named = {"stream_id": lane} if lane else {}
    return {"type": "error", "status": 400, **named, **body}


def _sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + b"data: " + msgspec.json.encode(event) + b"\n\n"

"""The Responses API's persistent socket: lanes, what it remembers, and its hour."""

from __future__ import annotations

import re
from typing import Any, Final

import anyio
import msgspec
from aiohttp import WSMsgType, web
from anyio.abc import TaskGroup

from warmline.simulators.openai.bodies import SocketBody, read_body
from warmline.simulators.openai.errors import error_body
from warmline.simulators.openai.refused import Refused
from warmline.simulators.openai.responses import Items, Responses
from warmline.simulators.outgoing import Gone, SocketOutgoing
from warmline.simulators.simulator import fault_of

__all__ = ["responses_socket"]

_SOCKET_S: Final = 3600.0
_MOST_LANES: Final = 32
_MOST_ACTIVE: Final = 16
_LANE: Final = re.compile(r"[A-Za-z0-9_.-]{1,256}")


async def responses_socket(request: web.Request, responses: Responses) -> web.WebSocketResponse:
    """Answer the WebSocket at `/v1/responses` until the client leaves or its time is up."""
    socket = web.WebSocketResponse(max_msg_size=0, compress=False)
    await socket.prepare(request)
    failure = {"type": "error", "status": 500, **error_body("server_error")}
    outgoing = SocketOutgoing(request, socket, fault_of(request), msgspec.json.encode(failure).decode())
    owner = responses.owner
    try:
        async with anyio.create_task_group() as tasks:
            lanes = _Lanes(responses, outgoing, tasks)
            with anyio.move_on_after(owner.script.idle_s or _SOCKET_S) as lifetime:
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        outgoing.arm(owner.faults.take(request.path, is_upgrade=False))
                        await lanes.take(message.data)
            if lifetime.cancelled_caught:
                text = "Responses websocket connection limit reached (60 minutes). Create a new one."
                await lanes.emit(_error(Refused("websocket_connection_limit_reached", text)))
                await socket.close(code=1000)
            tasks.cancel_scope.cancel()
    except* Gone:
        pass
    return socket


class _Lane:
    """The requests of one `stream_id`, answered one after another.

    What changes here: the requests that wait; and `newest`, what the newest response stands on, by
    its id. That is all that the socket remembers of a lane.
    """

    def __init__(self) -> None:
        self.waiting: list[dict[str, Any]] = []
        self.newest: dict[str, Items] = {}


class _Lanes:
    """The lanes of one socket, side by side.

    What changes here: which there are, in `take`.
    """

    def __init__(self, responses: Responses, outgoing: SocketOutgoing, tasks: TaskGroup) -> None:
        self._responses = responses
        self._outgoing = outgoing
        self._tasks = tasks
        self._lanes: dict[str, _Lane] = {}
        self._limit = anyio.Semaphore(_MOST_ACTIVE)
        self._writing = anyio.Lock()

    async def emit(self, event: dict[str, Any]) -> None:
        """Send an event; one at a time, since faults count them."""
        async with self._writing:
            await self._outgoing.send(msgspec.json.encode(event).decode())

    async def take(self, text: str) -> None:
        """Take a message of the client."""
        name = ""
        try:
            body = read_body(text, SocketBody)
            name = body.get("stream_id") or ""
            if "stream_id" in body and not _LANE.fullmatch(name):
                name = ""
                raise Refused("invalid_stream_id", "1 to 256 of [A-Za-z0-9_.-]", "stream_id")
            if name not in self._lanes and name and sum(map(bool, self._lanes)) >= _MOST_LANES:
                raise Refused(
                    "websocket_stream_limit_reached", f"At most {_MOST_LANES} stream ids.", "stream_id"
                )
        except Refused as problem:
            await self.emit(_error(problem, name))
            return
        lane = self._lanes.setdefault(name, _Lane())
        lane.waiting.append(body)
        if len(lane.waiting) == 1:
            self._tasks.start_soon(self._run, name, lane)

    async def _run(self, name: str, lane: _Lane) -> None:
        while lane.waiting:
            body = lane.waiting[0]
            recent = {key: items for each in self._lanes.values() for key, items in each.newest.items()}
            try:
                generation = self._responses.generation(body, recent)
                async with self._limit:
                    async for event in generation.events():
                        if event["type"] == "response.completed":
                            lane.newest = {generation.id: generation.items}
                        await self.emit(event)
            except Refused as problem:
                # A turn that fails takes with it what it was to be built upon.
                for each in self._lanes.values():
                    each.newest.pop(str(body.get("previous_response_id")), None)
                await self.emit(_error(problem, name))
            lane.waiting.pop(0)


def _error(problem: Refused, lane: str = "") -> dict[str, Any]:
    named = {"stream_id": lane} if lane else {}
    return {"type": "error", "status": problem.status, **named, **problem.body}

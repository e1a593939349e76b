"""What every simulated provider has in common: keys, faults, a log of requests, and control from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

import anyio
import msgspec
from aiohttp import web

from warmline.core.clock import SystemClock
from warmline.errors import ConfigError
from warmline.simulators.faults import HEADER, Fault, FaultKind, FaultQueue, parse_fault
from warmline.simulators.outgoing import Gone, reset
from warmline.simulators.script import Script
from warmline.simulators.speech import Speech

__all__ = ["CONTROL", "KEY", "Handler", "LoggedRequest", "Simulator", "fault_of", "json_response"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FAULT: Final = web.RequestKey("fault", Fault)

KEY: Final = "simulated-key"
"""Any key is accepted unless a script names one; this is the one that is shown."""

CONTROL: Final = "/_simulator"
"""Where a simulator is changed and asked about itself, without a key."""

_LOGGED: Final = 1_000
_CLOCK: Final = SystemClock()


class LoggedRequest(msgspec.Struct, kw_only=True):
    """One request, as the log keeps it; its key is not kept."""

    method: str
    path: str
    at_s: float
    connection: int
    """The client's port: requests with the same one came over the same connection."""

    status: int = 0
    """0 until it is answered."""

    fault: str = ""


def fault_of(request: web.Request) -> Fault | None:
    """Return what is to go wrong with a request."""
    return request.get(_FAULT)


def json_response(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return a response with a JSON body."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json"
    )


class Simulator(ABC):
    """One provider, served on a port of its own.

    What changes here: `script` and `faults`, by tests and the control endpoint; `requests` and the
    count of those at work, by requests.
    """

    name: ClassVar[str]
    base_path: ClassVar[str] = ""
    """What a base URL ends in, such as `/v1`."""

    script_type: ClassVar[type[Script]] = Script
    """What its delays and words are written in."""

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        """Prepare.

        Args:
            script: Its delays and words.
            speech: What it hears and speaks with; shared by all simulators.
            seed: For faults that come at random.
        """
        self.script = script
        self.speech = speech
        self.faults = FaultQueue(seed)
        self.requests: deque[LoggedRequest] = deque(maxlen=_LOGGED)
        self.active = 0
        """Requests and sockets that are being served."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Do what goes on between requests, until the context is left: nothing, for most."""
        yield

    def environment(self, key: str) -> dict[str, str]:
        """Return the variables in which programs look for what they need to know, with a key to be used."""
        return {f"{self.name.upper()}_API_KEY": key}

    def settings(self, base_url: str) -> dict[str, object]:
        """Return what sets a warmline server to use it at a base URL, by the settings' names."""
        return {f"{self.name}.base_urls": [base_url]}

    def control_routes(self) -> Sequence[web.RouteDef]:
        """Return what this provider alone is controlled with, with full paths below `CONTROL`."""
        return []

    @abstractmethod
    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served, with full paths."""

    @abstractmethod
    def key(self, request: web.Request) -> str:
        """Return the key that a request carries; empty if none."""

    @abstractmethod
    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return the provider's answer to a request that it refuses."""

    def application(self) -> web.Application:
        """Return what serves this provider."""
        application = web.Application(middlewares=[self._serve], client_max_size=64 * 1024 * 1024)
        application.add_routes(self.routes())
        application.add_routes(self.control_routes())
        application.add_routes([
            web.get(f"{CONTROL}/script", self._show_script),
            web.patch(f"{CONTROL}/script", self._change_script),
            web.get(f"{CONTROL}/faults", self._show_faults),
            web.post(f"{CONTROL}/faults", self._add_fault),
            web.delete(f"{CONTROL}/faults", self._clear_faults),
            web.get(f"{CONTROL}/requests", self._show_requests),
            web.get(f"{CONTROL}/active", self._show_active),
        ])
        return application

    def connections(self) -> set[int]:
        """Return the client's ports that were seen."""
        return {each.connection for each in self.requests}

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        header = request.headers.get(HEADER)
        is_upgrade = True if "upgrade" in request.headers else None
        try:
            fault = parse_fault(header) if header else self.faults.take(request.path, is_upgrade=is_upgrade)
        except ConfigError as error:
            return json_response({"problem": str(error)}, status=400)
        if fault is not None:
            request[_FAULT] = fault
        peer = request.transport.get_extra_info("peername") if request.transport else None
        logged = LoggedRequest(
            method=request.method,
            path=request.path,
            at_s=_CLOCK.now_s(),
            connection=peer[1] if peer else 0,
            fault=fault.kind.value if fault else "",
        )
        self.requests.append(logged)
        self.active += 1
        try:
            response = await self._answer(request, handler, fault)
            logged.status = response.status
            return response
        except Gone:
            return web.Response()
        except web.HTTPException as problem:
            logged.status = problem.status
            raise
        finally:
            self.active -= 1

    async def _answer(
        self, request: web.Request, handler: Handler, fault: Fault | None
    ) -> web.StreamResponse:
        if fault is not None and fault.kind is FaultKind.DROP:
            reset(request.transport)
            raise Gone
        key = self.key(request)
        if not key or (self.script.key and key != self.script.key):
            return self.refusal(FaultKind.BAD_KEY)
        if fault is not None and fault.kind.is_refusal:
            return self.refusal(fault.kind, fault.retry_after)
        if self.script.concurrency and self.active > self.script.concurrency:
            return self.refusal(FaultKind.RATE_LIMITED)
        if fault is not None and fault.kind is FaultKind.MUTE and "upgrade" not in request.headers:
            await anyio.sleep_forever()
        response = await handler(request)
        if fault is not None and fault.kind is FaultKind.LOST_RESPONSE:
            reset(request.transport)
            raise Gone
        return response

    async def _show_script(self, _: web.Request) -> web.Response:
        return json_response(self.script)

    async def _change_script(self, request: web.Request) -> web.Response:
        try:
            self.script.update(msgspec.json.decode(await request.read(), type=dict[str, Any]))
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return json_response({"problem": str(error)}, status=400)
        return json_response(self.script)

    async def _show_faults(self, _: web.Request) -> web.Response:
        return json_response(self.faults.waiting)

    async def _add_fault(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            if body.lstrip().startswith(b"{"):
                fault = msgspec.json.decode(body, type=Fault)
            else:
                fault = parse_fault(body.decode())
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, ConfigError) as error:
            return json_response({"problem": str(error)}, status=400)
        self.faults.add(fault)
        return json_response(self.faults.waiting)

    async def _clear_faults(self, _: web.Request) -> web.Response:
        self.faults.clear()
        return json_response([])

    async def _show_requests(self, _: web.Request) -> web.Response:
        return json_response(list(self.requests))

    async def _show_active(self, _: web.Request) -> web.Response:
        return json_response({"active": self.active})

"""What both telephone networks have in common as servers: their calls, and control over them from outside."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

import msgspec
from aiohttp import web

from warmline.errors import ConfigError, InputError
from warmline.simulators.reaching import ReachingSimulator
from warmline.simulators.script import Script
from warmline.simulators.simulator import CONTROL, json_response
from warmline.simulators.speech import Speech
from warmline.simulators.telephone.call import Call
from warmline.simulators.telephone.placing import Callee, PlacedCall

__all__ = ["TelephoneSimulator"]

_KEPT: Final = 200
"""Calls that are over, and can still be asked about; a minute of one takes 2 MB."""

_Call = TypeVar("_Call", bound=Call)


class TelephoneSimulator(ReachingSimulator, Generic[_Call]):
    """A network: people call servers through it, and servers people.

    What changes here: `calls`, where they are placed and dialled; `callees`, from outside.
    """

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self.seed = seed
        self.calls: dict[str, _Call] = {}
        """By the simulator's own id; the oldest that are over are forgotten."""

        self.callees: dict[str, Callee] = {"": Callee()}
        """By number; the empty one is for all others."""

    async def place(self, placed: PlacedCall) -> _Call:
        """Call a server; return when it begins to ring.

        Raises:
            ConfigError: this network can't do that.
            InputError: a recording can't be read.
        """
        call = self.incoming(placed)
        await call.rehearse()
        self.begin(call)
        return call

    def begin(self, call: _Call) -> None:
        """Have a call live."""
        over = [each.id for each in self.calls.values() if each.report_is_final]
        for name in over[: max(len(over) - _KEPT, 0)]:
            del self.calls[name]
        self.calls[call.id] = call
        self.start(call.run)

    @abstractmethod
    def incoming(self, placed: PlacedCall) -> _Call:
        """Return a call that somebody makes to a server.

        Raises:
            ConfigError: this network can't do that.
        """

    def callee(self, number: str) -> Callee:
        """Return who answers a number."""
        return self.callees.get(number) or self.callees[""]

    def find(self, name: str) -> _Call | None:
        """Return a call by the simulator's or the network's id."""
        found = self.calls.get(name)
        return found or next((call for call in self.calls.values() if call.network_id == name), None)

    def control_routes(self) -> Sequence[web.RouteDef]:
        """Return what calls are placed and looked at with; without a key."""
        calls = f"{CONTROL}/calls"
        return [
            web.post(calls, self._place_call),
            web.get(calls, self._list_calls),
            web.get(f"{calls}/{{call}}", self._show_call),
            web.get(f"{calls}/{{call}}/heard.wav", self._show_heard),
            web.get(f"{calls}/{{call}}/both.wav", self._show_both),
            web.get(f"{CONTROL}/callees", self._list_callees),
            web.post(f"{CONTROL}/callees", self._set_callee),
        ]

    async def _place_call(self, request: web.Request) -> web.Response:
        try:
            call = await self.place(msgspec.json.decode(await request.read(), type=PlacedCall))
        except (msgspec.DecodeError, msgspec.ValidationError, ConfigError, InputError) as error:
            return json_response({"problem": str(error)}, status=400)
        return json_response(call.report(), status=201)

    async def _list_calls(self, _: web.Request) -> web.Response:
        return json_response([
            {"id": call.id, "network_id": call.network_id, "state": call.state.value, "cause": call.cause}
            for call in self.calls.values()
        ])

    async def _show_call(self, request: web.Request) -> web.Response:
        return json_response(self._asked(request).report())

    async def _show_heard(self, request: web.Request) -> web.Response:
        return web.Response(body=self._asked(request).heard_wav(), content_type="audio/wav")

    async def _show_both(self, request: web.Request) -> web.Response:
        return web.Response(body=self._asked(request).both_wav(), content_type="audio/wav")

    async def _list_callees(self, _: web.Request) -> web.Response:
        return json_response(list(self.callees.values()))

    async def _set_callee(self, request: web.Request) -> web.Response:
        try:
            callee = msgspec.json.decode(await request.read(), type=Callee)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return json_response({"problem": str(error)}, status=400)
        self.callees[callee.number] = callee
        return json_response(callee, status=201)

    def _asked(self, request: web.Request) -> _Call:
        call = self.find(request.match_info["call"])
        if call is None:
            raise web.HTTPNotFound(
                text='{"problem": "there is no such call"}', content_type="application/json"
            )
        return call

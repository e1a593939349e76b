"""Telnyx: call control over HTTP."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from aiohttp import web

from warmline.errors import ConfigError
from warmline.simulators.faults import FaultKind
from warmline.simulators.script import Script
from warmline.simulators.simulator import CONTROL, json_response
from warmline.simulators.speech import Speech
from warmline.simulators.telephone.placing import PlacedCall
from warmline.simulators.telephone.report import LoggedCommand
from warmline.simulators.telephone.simulator import TelephoneSimulator
from warmline.simulators.telephone.states import CallState
from warmline.simulators.telnyx.actions import act
from warmline.simulators.telnyx.call import TelnyxCall
from warmline.simulators.telnyx.commands import ACTIONS, Dial, Transfer, parsed
from warmline.simulators.telnyx.errors import Refused, problem, refusal
from warmline.simulators.telnyx.webhooks import SigningKey

__all__ = ["TelnyxSimulator"]

_CONNECTION_ID: Final = "1684641123236054244"
_PUT: Final = frozenset({"client_state_update"})
"""Actions that are put; the others are posted."""

_DIALS: Final = 150
_DIALS_WITHIN_S: Final = 5.0
"""30 a second, counted over five; Telnyx's default."""


class TelnyxSimulator(TelephoneSimulator[TelnyxCall]):
    """Telnyx, on one port; base URL `https://host:port/v2`.

    What changes here: when was dialled, and by which command, in `_ring`.
    """

    name: ClassVar[str] = "telnyx"
    base_path: ClassVar[str] = "/v2"

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self.signing_key = SigningKey()
        self.dials: deque[float] = deque()
        self._dials: dict[str, TelnyxCall] = {}
        """By `command_id`."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of Telnyx's call control."""
        return [
            web.post("/v2/calls", self._dial),
            web.get("/v2/calls/{call}", self._show),
            web.post("/v2/calls/{call}/actions/{action}", self._act),
            web.put("/v2/calls/{call}/actions/{action}", self._act),
        ]

    def key(self, request: web.Request) -> str:
        """Return the key after the word Bearer."""
        return request.headers.get("authorization", "").removeprefix("Bearer ").strip()

    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return Telnyx's error for a kind of failure."""
        return refusal(kind, retry_after)

    def environment(self, key: str) -> dict[str, str]:
        """Return the key, and what webhooks are checked with."""
        return {"TELNYX_API_KEY": key, "TELNYX_PUBLIC_KEY": self.signing_key.public}

    def incoming(self, placed: PlacedCall) -> TelnyxCall:
        """Return a call that somebody makes to a server.

        Raises:
            ConfigError: a field of it is Twilio's.
        """
        if placed.status_callback:
            raise ConfigError("placing a call: status_callback is Twilio's; Telnyx tells webhook_url")
        return TelnyxCall(
            self,
            placed,
            from_=placed.from_,
            to=placed.to,
            connection_id=_CONNECTION_ID,
            webhook_url=placed.webhook_url,
            seed=self.seed,
        )

    def transfer(self, call: TelnyxCall, transfer: Transfer) -> None:
        """Begin to ring somebody for a person who is on another leg."""
        leg = TelnyxCall(
            self,
            self.callee(transfer.to),
            from_=transfer.from_ or call.to,
            to=transfer.to,
            connection_id=call.connection_id,
            webhook_url=transfer.webhook_url or call.webhooks_to.url,
            dial=transfer,
            session=call,
            seed=self.seed,
        )
        self.begin(leg)

    async def _dial(self, request: web.Request) -> web.Response:
        try:
            return json_response({"data": self._dialled(await request.read())})
        except Refused as refused:
            return problem(refused)

    def _dialled(self, body: bytes) -> dict[str, Any]:
        command, fields = parsed(Dial, body)
        assert isinstance(command, Dial)
        known = self._dials.get(command.command_id or "")
        if known is None:
            call = self._ring(command)
            call.commands.append(LoggedCommand(name="dial", at_s=call.now_s, status=200, body=fields))
        else:
            call = known
        data: dict[str, Any] = {
            "record_type": "call",
            "call_control_id": call.network_id,
            "call_leg_id": call.leg_id,
            "call_session_id": call.session_id,
            "is_alive": False,
        }
        if call.client_state is not None:
            data["client_state"] = call.client_state
        return data

    def _ring(self, dial: Dial) -> TelnyxCall:
        numbers = [dial.to] if isinstance(dial.to, str) else dial.to
        if len(numbers) != 1:
            raise Refused(422, "10015", "Bad Request", "One number at a time is simulated.", "/to")
        if not dial.webhook_url:
            # An account has an address of its own for these; nobody has given it here.
            raise Refused(
                422, "10004", "Missing required parameter", "webhook_url is missing.", "/webhook_url"
            )
        now_s = self.clock.now_s()
        while self.dials and now_s - self.dials[0] >= _DIALS_WITHIN_S:
            self.dials.popleft()
        if len(self.dials) >= _DIALS:
            raise Refused(
                429, "90103", "Dial rate exceeded", "More calls a second are dialled than is allowed."
            )
        self.dials.append(now_s)
        session = self.find(dial.link_to) if dial.link_to else None
        call = TelnyxCall(
            self,
            self.callee(numbers[0]),
            from_=dial.from_,
            to=numbers[0],
            connection_id=dial.connection_id,
            webhook_url=dial.webhook_url,
            dial=dial,
            session=session,
            seed=self.seed,
        )
        if dial.command_id is not None:
            self._dials[dial.command_id] = call
        self.begin(call)
        return call

    async def _show(self, request: web.Request) -> web.Response:
        try:
            call = self._leg(request)
        except Refused as refused:
            return problem(refused)
        return json_response({
            "data": {
                "record_type": "call",
                "call_control_id": call.network_id,
                "call_leg_id": call.leg_id,
                "call_session_id": call.session_id,
                "is_alive": call.state is not CallState.ENDED,
            }
        })

    async def _act(self, request: web.Request) -> web.Response:
        name = request.match_info["action"]
        body = await request.read()
        try:
            call = self._leg(request)
            if name not in ACTIONS or (request.method == "PUT") != (name in _PUT):
                raise Refused(404, "10005", "Resource not found", f"There is no action {name} here.")
            return self._done(call, name, body, f"{request.url.origin()}{CONTROL}/calls/{call.id}/both.wav")
        except Refused as refused:
            return problem(refused)

    def _done(self, call: TelnyxCall, name: str, body: bytes, recording_url: str) -> web.Response:
        """Return the answer to a command on a call, which is logged whatever becomes of it."""
        logged = LoggedCommand(name=name, at_s=call.now_s, status=200, body={})
        call.commands.append(logged)
        try:
            command, logged.body = parsed(ACTIONS[name], body)
            logged.was_repeated = call.has_seen(command.command_id)
            act(self, call, command, recording_url)
        except Refused as refused:
            logged.status = refused.status
            raise
        return json_response({"data": {"result": "ok"}})

    def _leg(self, request: web.Request) -> TelnyxCall:
        call = self.find(request.match_info["call"])
        if call is None:
            raise Refused(
                404, "10005", "Resource not found", "The requested resource or URL could not be found."
            )
        return call

"""Twilio: calls as resources over HTTP."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from aiohttp import web

from warmline.errors import ConfigError
from warmline.simulators.faults import FaultKind
from warmline.simulators.script import Script
from warmline.simulators.simulator import KEY, json_response
from warmline.simulators.speech import Speech
from warmline.simulators.telephone.placing import CallFaults, PlacedCall
from warmline.simulators.telephone.report import LoggedCommand
from warmline.simulators.telephone.simulator import TelephoneSimulator
from warmline.simulators.telephone.states import CallState
from warmline.simulators.twilio.call import Asked, TwilioCall
from warmline.simulators.twilio.errors import NOT_FOUND, Refused, problem, refusal

__all__ = ["TwilioSimulator"]

_CALLS: Final = "/2010-04-01/Accounts/{account}/Calls"
_EVENTS: Final = frozenset({"initiated", "ringing", "answered", "completed"})

_CREATE: Final = frozenset(
    # By the official SDK, 9.13.
    "ApplicationSid AsyncAmd AsyncAmdStatusCallback AsyncAmdStatusCallbackMethod Byoc CallReason CallToken "
    "CallerId ClientNotificationUrl FallbackMethod FallbackUrl From MachineDetection "
    "MachineDetectionSilenceTimeout MachineDetectionSpeechEndThreshold MachineDetectionSpeechThreshold "
    "MachineDetectionTimeout Method Passports Record RecordingChannels RecordingConfigurationId "
    "RecordingStatusCallback RecordingStatusCallbackEvent RecordingStatusCallbackMethod RecordingTrack "
    "SendDigits SipAuthPassword SipAuthUsername StatusCallback StatusCallbackEvent StatusCallbackMethod "
    "TimeLimit Timeout To Trim Twiml Url".split()
)
_UPDATE: Final = frozenset(
    "FallbackMethod FallbackUrl Method Status StatusCallback StatusCallbackMethod TimeLimit Twiml Url".split()
)


class TwilioSimulator(TelephoneSimulator[TwilioCall]):
    """Twilio, on one port; base URL `https://host:port`."""

    name: ClassVar[str] = "twilio"

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self.account_sid = f"AC{secrets.token_hex(16)}"

    @property
    def auth_token(self) -> str:
        """What requests are signed with: the key."""
        return self.script.key or KEY

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of Twilio's API."""
        return [
            web.post(f"{_CALLS}.json", self._create),
            web.post(f"{_CALLS}/{{call}}.json", self._update),
            web.get(f"{_CALLS}/{{call}}.json", self._show),
        ]

    def key(self, request: web.Request) -> str:
        """Return the auth token, if the account is this one."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            account, _, token = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return token if kind.lower() == "basic" and account == self.account_sid else ""

    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return Twilio's error for a kind of failure."""
        return refusal(kind, retry_after)

    def environment(self, key: str) -> dict[str, str]:
        """Return the account, and its token."""
        return {"TWILIO_ACCOUNT_SID": self.account_sid, "TWILIO_AUTH_TOKEN": key}

    def incoming(self, placed: PlacedCall) -> TwilioCall:
        """Return a call that somebody makes to a server.

        Raises:
            ConfigError: a field of it is Telnyx's.
        """
        plain = PlacedCall(webhook_url="")
        if placed.start_order != plain.start_order or placed.webhook_retry_s != plain.webhook_retry_s:
            raise ConfigError("placing a call: start_order and webhook_retry_s are Telnyx's")
        if placed.codec != "PCMU":
            raise ConfigError("placing a call: Twilio's streams are PCMU")
        _check(placed.faults)
        asked = Asked(
            url=placed.webhook_url,
            fallback_url=placed.webhook_failover_url,
            status_callback=placed.status_callback,
        )
        return TwilioCall(self, placed, from_=placed.from_, to=placed.to, asked=asked, seed=self.seed)

    async def _create(self, request: web.Request) -> web.Response:
        try:
            self._account(request)
            fields = await self._fields(request, _CREATE)
            call = self._dialled(fields)
        except Refused as refused:
            return problem(refused)
        call.commands.append(LoggedCommand(name="create", at_s=call.now_s, status=201, body=fields))
        self.begin(call)
        return json_response(self._resource(call), status=201)

    def _dialled(self, fields: Mapping[str, Any]) -> TwilioCall:
        for name, code in (("To", 21201), ("From", 21213)):
            if not fields.get(name):
                raise Refused(400, code, f"No '{name}' number is specified")
        callee = self.callee(fields["To"])
        _check(callee.faults)
        events = tuple(fields.get("StatusCallbackEvent") or ("completed",))
        if not set(events) <= _EVENTS:
            raise Refused(400, 21626, f"StatusCallbackEvent is one of {', '.join(sorted(_EVENTS))}")
        asked = Asked(
            url=_url(fields, "Url"),
            fallback_url=_url(fields, "FallbackUrl"),
            twiml=fields.get("Twiml", ""),
            status_callback=_url(fields, "StatusCallback"),
            status_events=events,
            timeout_s=_seconds(fields, "Timeout", 60),
            time_limit_s=_seconds(fields, "TimeLimit", 14_400),
            detects_machines=fields.get("MachineDetection", "") in ("Enable", "DetectMessageEnd"),
        )
        if bool(asked.url) == bool(asked.twiml):
            raise Refused(400, 21205, "Give one of Url and Twiml")
        return TwilioCall(self, callee, from_=fields["From"], to=fields["To"], asked=asked, seed=self.seed)

    async def _update(self, request: web.Request) -> web.Response:
        try:
            call = self._asked_for(request)
            fields = await self._fields(request, _UPDATE)
            logged = LoggedCommand(name="update", at_s=call.now_s, status=200, body=fields)
            call.commands.append(logged)
            try:
                self._change(call, fields)
            except Refused as refused:
                logged.status = refused.status
                raise
        except Refused as refused:
            return problem(refused)
        return json_response(self._resource(call))

    def _change(self, call: TwilioCall, fields: Mapping[str, Any]) -> None:
        if call.state is CallState.ENDED:
            raise Refused(400, 21220, "Call is not in-progress. Cannot redirect.")
        status = fields.get("Status", "")
        if status not in ("", "canceled", "completed"):
            raise Refused(400, 21218, "Status is completed or canceled")
        if status == "canceled" and call.state is CallState.ANSWERED:
            raise Refused(400, 21220, "A call that was answered can't be canceled")
        if status:
            call.end("completed" if call.state is CallState.ANSWERED else "canceled", "server")
        elif fields.get("Url") or fields.get("Twiml"):
            if call.state is CallState.RINGING:
                raise Refused(400, 21220, "Call is not in-progress. Cannot redirect.")
            call.change(Asked(url=_url(fields, "Url"), twiml=fields.get("Twiml", "")))

    async def _show(self, request: web.Request) -> web.Response:
        try:
            return json_response(self._resource(self._asked_for(request)))
        except Refused as refused:
            return problem(refused)

    def _account(self, request: web.Request) -> None:
        if request.match_info["account"] != self.account_sid:
            raise Refused(*NOT_FOUND)

    def _asked_for(self, request: web.Request) -> TwilioCall:
        self._account(request)
        call = self.find(request.match_info["call"])
        if call is None:
            raise Refused(*NOT_FOUND)
        return call

    async def _fields(self, request: web.Request, known: frozenset[str]) -> dict[str, Any]:
        form = await request.post()
        unknown = sorted(set(form) - known)
        if unknown:
            raise Refused(400, 20001, f"There is no parameter {', '.join(unknown)} here")
        fields: dict[str, Any] = {name: str(value) for name, value in form.items()}
        if "StatusCallbackEvent" in form:
            given = " ".join(map(str, form.getall("StatusCallbackEvent")))
            fields["StatusCallbackEvent"] = given.replace(",", " ").split()
        return fields

    def _resource(self, call: TwilioCall) -> dict[str, Any]:
        uri = f"/2010-04-01/Accounts/{self.account_sid}/Calls/{call.network_id}"
        return {
            "sid": call.network_id,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "date_created": call.created_at,
            "date_updated": call.created_at,
            "parent_call_sid": None,
            "to": call.to,
            "to_formatted": call.to,
            "from": call.from_,
            "from_formatted": call.from_,
            "phone_number_sid": None,
            "status": call.status,
            "start_time": call.created_at if call.phone is not None else None,
            "end_time": None,
            "duration": None if call.duration_s is None else str(call.duration_s),
            "price": None,
            "price_unit": "USD",
            "direction": "inbound" if call.is_incoming else "outbound-api",
            "answered_by": call.answered_by or None,
            "forwarded_from": None,
            "caller_name": None,
            "group_sid": None,
            "queue_time": "0",
            "trunk_sid": None,
            "uri": f"{uri}.json",
            "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
        }


def _check(faults: CallFaults) -> None:
    """Refuse what Twilio has nothing of.

    Raises:
        ConfigError: a fault is Telnyx's.
    """
    if faults.stale_webhooks or faults.codec is not None or faults.big_endian:
        raise ConfigError(
            "placing a call: Twilio's webhooks carry no time, and its streams are PCMU; "
            "stale_webhooks, codec and big_endian are Telnyx's"
        )


def _url(fields: Mapping[str, Any], name: str) -> str:
    url = str(fields.get(name, ""))
    if url and not url.startswith(("https://", "http://")):
        raise Refused(400, 21205, f"{name} is not a valid URL: {url}")
    return url


def _seconds(fields: Mapping[str, Any], name: str, default: int) -> float:
    given = fields.get(name, str(default))
    if not given.isdecimal():
        raise Refused(400, 20001, f"{name} is a number of seconds, not {given}")
    return float(given)

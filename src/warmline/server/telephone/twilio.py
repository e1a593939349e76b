"""Twilio: its webhooks are answered with what to do; everything else is a command."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

import anyio

from warmline.channels.telephone.admission import Admission
from warmline.channels.telephone.lifecycle import CallEvent
from warmline.channels.telephone.twilio import commands, twiml, webhooks
from warmline.channels.telephone.twilio.client import TwilioClient
from warmline.channels.telephone.twilio.commands import Detection, TwilioCommand
from warmline.channels.telephone.twilio.signature import TwilioSignatures
from warmline.errors import ConfigError, ProviderRejected, RemoteProtocolError
from warmline.server.telephone.calls import Calls
from warmline.server.telephone.network import CallDetails, CallIsOver, StreamPlace

__all__ = ["TWILIO_STATUS", "TwilioNetwork", "TwilioWebhooks"]

_log = logging.getLogger(__name__)

TWILIO_STATUS: Final = "/twilio/status"
"""Where changes of a call's state are told."""

_DECISION_S: Final = 10.0
"""Twilio waits 15 s for what to do with a call."""


class TwilioNetwork:
    """Implements `warmline.server.telephone.network.Network`.

    What changes here: `_decisions`, what the webhook of an incoming call is to be answered with.
    """

    name = "twilio"

    def __init__(
        self,
        client: TwilioClient,
        *,
        account_id: str,
        number: str,
        public_url: str,
        ring_s: int,
        detection: Detection | None,
    ) -> None:
        """Prepare.

        Args:
            client: Its lines.
            account_id: Whose calls they are; empty if it is not known, and then no command can be sent.
            number: Ours that calls are made from.
            public_url: Where Twilio tells of them.
            ring_s: How long a call of ours rings.
            detection: How it is found out that a machine answers; None for not at all.
        """
        self._client = client
        self._account_id = account_id
        self._number = number
        self._public_url = public_url.rstrip("/")
        self._ring_s = ring_s
        self._detection = detection
        self._decisions: dict[str, tuple[anyio.Event, list[bytes]]] = {}

    async def decision(self, network_id: str) -> bytes:
        """Return what an incoming call's webhook is answered with; to hang up, if nobody decides."""
        decided, answer = self._decisions.setdefault(network_id, (anyio.Event(), []))
        try:
            with anyio.move_on_after(_DECISION_S):
                await decided.wait()
        finally:
            self._decisions.pop(network_id, None)
        return answer[0] if answer else twiml.response(twiml.hangup())

    async def answer(self, call: CallDetails, place: StreamPlace, *, records: bool) -> None:
        """Take an incoming call."""
        self._decide(call.network_id, twiml.response(twiml.connect_stream(place.url)))
        if records:
            await self.record(call.network_id, is_on=True)

    async def refuse(self, call: CallDetails, admission: Admission) -> None:
        """Refuse it with a tone, or say why and hang up."""
        if admission.text:
            said = twiml.response(twiml.say(admission.text), twiml.hangup())
        else:
            said = twiml.response(twiml.reject("busy" if admission.is_busy else "rejected"))
        self._decide(call.network_id, said)

    async def say(self, network_id: str, text: str) -> None:
        """Say it, and hang up."""
        await self._update(network_id, twiml.response(twiml.say(text), twiml.hangup()))

    async def dial(self, call: CallDetails, place: StreamPlace) -> CallDetails:
        """Call somebody."""
        if not self._number or not self._account_id:
            raise ConfigError(
                "calling over Twilio: set twilio.number, which is called from, and TWILIO_ACCOUNT_SID"
            )
        answer = await self._client.send(
            commands.create_call(
                self._account_id,
                to=call.number,
                from_number=self._number,
                twiml=twiml.response(twiml.connect_stream(place.url)),
                status_callback=self._public_url + TWILIO_STATUS,
                timeout_s=self._ring_s,
                detection=self._detection,
            )
        )
        return replace(call, network_id=answer.call_id, caller=self._number)

    async def hang_up(self, network_id: str) -> None:
        """End it. Without the account's id that is left to the stream's end, after which Twilio hangs up."""
        if network_id in self._decisions:
            self._decide(network_id, twiml.response(twiml.hangup()))
        if self._account_id:
            await self._client.send(commands.end_call(self._account_id, network_id))

    async def stream_again(self, network_id: str, place: StreamPlace) -> None:
        """Ask for another media stream."""
        if not self._account_id:
            # Nobody can be asked; without a stream Twilio hangs up by itself.
            raise CallIsOver("the stream was the call", provider="twilio", phase="first_result")
        await self._update(network_id, twiml.response(twiml.connect_stream(place.url)))

    async def transfer(self, network_id: str, number: str) -> None:
        """Connect the caller with somebody else."""
        await self._update(network_id, twiml.response(twiml.dial(number)))

    async def send_dtmf(self, network_id: str, digits: str) -> None:
        """Refuse: Twilio presses no keys while a call is streamed."""
        raise ProviderRejected(
            "Twilio presses no keys while it streams a call", provider="twilio", phase="first_result"
        )

    async def record(self, network_id: str, *, is_on: bool) -> None:
        """Begin or end a recording."""
        await self._send(commands.record_call(self._account_id, network_id, is_on=is_on))

    async def play(self, network_id: str, wav: bytes, state: str) -> None:
        """Refuse: Twilio plays recordings from addresses alone."""
        raise ProviderRejected(
            "Twilio plays recordings from addresses alone", provider="twilio", phase="first_result"
        )

    async def stop_playing(self, network_id: str) -> None:
        """Nothing is played."""

    async def transcribe(self, network_id: str, *, is_on: bool) -> None:
        """Refuse: a call of Twilio's is its stream, so nothing would be left to listen to."""
        raise ProviderRejected(
            "a call over Twilio is held over its stream", provider="twilio", phase="first_result"
        )

    def _decide(self, network_id: str, answer: bytes) -> None:
        decided, answers = self._decisions.setdefault(network_id, (anyio.Event(), []))
        answers[:] = [answer]
        decided.set()

    async def _update(self, network_id: str, document: bytes) -> None:
        await self._send(commands.update_call(self._account_id, network_id, document))

    async def _send(self, command: TwilioCommand) -> None:
        if not self._account_id:
            raise ProviderRejected(
                f"{command.name} at Twilio: set TWILIO_ACCOUNT_SID", provider="twilio", phase="first_result"
            )
        answer = await self._client.send(command)
        if answer.is_call_over:
            raise CallIsOver("the call is over", provider="twilio", phase="first_result")


class TwilioWebhooks:
    """What Twilio asks and tells, checked."""

    def __init__(self, calls: Calls, network: TwilioNetwork, signatures: TwilioSignatures) -> None:
        """Prepare.

        Args:
            calls: Whom it is told to.
            network: Which knows how a call is answered.
            signatures: The account's.
        """
        self._calls = calls
        self._network = network
        self._signatures = signatures

    async def voice(
        self, url: str, body: bytes, headers: Mapping[str, str], base_url: str
    ) -> tuple[HTTPStatus, bytes]:
        """Return what is to be done with a call, or why that is not told.

        Args:
            url: As Twilio was given it.
            body: As it came.
            headers: In any case.
            base_url: Where it reached us.
        """
        try:
            event = webhooks.decode_call(self._checked(url, body, headers))
        except RemoteProtocolError as problem:
            return _refused(problem)
        details = CallDetails(event.call_id, event.from_number, event.to_number)
        call = self._calls.incoming("twilio", details, base_url)
        if call is None:
            return HTTPStatus.OK, twiml.response(twiml.hangup())
        return HTTPStatus.OK, await self._network.decision(event.call_id)

    def status(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[HTTPStatus, bytes]:
        """Take a status callback; arguments as `voice`'s."""
        try:
            event = webhooks.decode_status(self._checked(url, body, headers))
        except RemoteProtocolError as problem:
            return _refused(problem)
        if event.is_over:
            by = "caller" if event.is_incoming else "callee"
            self._calls.hung_up("twilio", event.call_id, by=by, reason=event.status)
            return HTTPStatus.NO_CONTENT, b""
        call = self._calls.on_network("twilio", event.call_id)
        if call is not None and event.answered_by:
            call.answered_by(event.answered_by, is_human=event.answered_by == "human")
        if call is not None and event.status == "in-progress":
            call.happened(CallEvent.ANSWERED)
        return HTTPStatus.NO_CONTENT, b""

    def _checked(self, url: str, body: bytes, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        form = webhooks.form_fields(body)
        self._signatures.verify(url, headers, form)
        return form


def _refused(problem: RemoteProtocolError) -> tuple[HTTPStatus, bytes]:
    _log.warning("webhook.refused", extra={"network": "twilio", "code": problem.code})
    is_forged = problem.code in ("signature_missing", "signature_forged")
    return HTTPStatus.UNAUTHORIZED if is_forged else HTTPStatus.BAD_REQUEST, str(problem).encode()

"""Telnyx: its webhooks become events of calls, and what is done about calls its commands."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from warmline.channels.telephone.admission import Admission
from warmline.channels.telephone.lifecycle import CallEvent
from warmline.channels.telephone.telnyx import commands, sound_commands
from warmline.channels.telephone.telnyx import webhooks as told
from warmline.channels.telephone.telnyx.client import TelnyxClient
from warmline.channels.telephone.telnyx.command import TelnyxCommand
from warmline.channels.telephone.telnyx.commands import Detection, Legs, Stream
from warmline.channels.telephone.telnyx.signature import TelnyxSignatures
from warmline.core.formats import AudioFormat
from warmline.core.ids import new_id
from warmline.core.loggable import code_word
from warmline.errors import ConfigError, RemoteProtocolError
from warmline.server.telephone.calls import Calls
from warmline.server.telephone.network import CallDetails, CallIsOver, StreamPlace

__all__ = ["TELNYX_WEBHOOK", "TelnyxNetwork", "TelnyxWebhooks"]

_log = logging.getLogger(__name__)

TELNYX_WEBHOOK: Final = "/telnyx/webhook"
"""Where everything is told."""

_SEEN: Final = 20_000
"""Events whose ids are remembered; Telnyx sends one again within minutes."""

_REFUSAL: Final = "refusal"
"""The client state of a call that is answered only to say why it is not taken."""


class TelnyxNetwork:
    """Implements `warmline.server.telephone.network.Network`."""

    name = "telnyx"

    def __init__(
        self,
        client: TelnyxClient,
        *,
        audio_format: AudioFormat,
        number: str,
        connection_id: str,
        public_url: str,
        voice: str,
        language: str,
        target_legs: Legs | None,
        ring_s: int,
        detection: Detection | None,
    ) -> None:
        """Prepare.

        Args:
            client: Its lines.
            audio_format: What media streams are asked for, both ways.
            number: Ours that calls are made from.
            connection_id: The Call Control application that they are made by.
            public_url: Where Telnyx tells of them.
            voice: Who says why a call is not taken.
            language: What callers speak, where Telnyx itself listens; ISO 639-1.
            target_legs: Who hears a stream; None leaves it to Telnyx.
            ring_s: How long a call of ours rings.
            detection: How it is found out that a machine answers; None for not at all.
        """
        self._client = client
        self._audio_format = audio_format
        self._number = number
        self._connection_id = connection_id
        self._webhook_url = public_url.rstrip("/") + TELNYX_WEBHOOK
        self._voice = voice
        self._language = language
        self._target_legs = target_legs
        self._ring_s = ring_s
        self._detection = detection

    async def answer(self, call: CallDetails, place: StreamPlace, *, records: bool) -> None:
        """Take an incoming call."""
        await self._send(
            commands.answer(call.network_id, command_id=new_id("cmd"), stream=self._stream(place))
        )
        if records:
            await self.record(call.network_id, is_on=True)

    async def refuse(self, call: CallDetails, admission: Admission) -> None:
        """Refuse it with a tone, or take it for as long as the reason is said."""
        if not admission.text:
            cause: commands.RejectCause = "USER_BUSY" if admission.is_busy else "CALL_REJECTED"
            await self._send(commands.reject(call.network_id, command_id=new_id("cmd"), cause=cause))
            return
        await self._send(commands.answer(call.network_id, command_id=new_id("cmd"), client_state=_REFUSAL))

    async def say(self, network_id: str, text: str) -> None:
        """Have Telnyx say something; told when it has."""
        await self._send(
            sound_commands.speak(
                network_id, text, command_id=new_id("cmd"), voice=self._voice, client_state=_REFUSAL
            )
        )

    async def dial(self, call: CallDetails, place: StreamPlace) -> CallDetails:
        """Call somebody."""
        if not self._number or not self._connection_id:
            raise ConfigError(
                "calling over Telnyx: set telnyx.number, which is called from, and telnyx.connection_id, "
                "the Call Control application's id"
            )
        answer = await self._client.send(
            commands.dial(
                call.number,
                from_number=self._number,
                connection_id=self._connection_id,
                command_id=new_id("cmd"),
                stream=self._stream(place),
                timeout_s=self._ring_s,
                detection=self._detection,
                webhook_url=self._webhook_url,
            )
        )
        return replace(call, network_id=answer.call_control_id, caller=self._number)

    async def hang_up(self, network_id: str) -> None:
        """End it."""
        await self._client.send(commands.hangup(network_id, command_id=new_id("cmd")))

    async def stream_again(self, network_id: str, place: StreamPlace) -> None:
        """Ask for another media stream."""
        await self._send(commands.streaming_start(network_id, self._stream(place), command_id=new_id("cmd")))

    async def transfer(self, network_id: str, number: str) -> None:
        """Connect the caller with somebody else."""
        await self._send(commands.transfer(network_id, number, command_id=new_id("cmd")))

    async def send_dtmf(self, network_id: str, digits: str) -> None:
        """Press keys."""
        await self._send(commands.send_dtmf(network_id, digits, command_id=new_id("cmd")))

    async def record(self, network_id: str, *, is_on: bool) -> None:
        """Begin or end a recording."""
        command = sound_commands.record_start if is_on else sound_commands.record_stop
        await self._send(command(network_id, command_id=new_id("cmd")))

    async def play(self, network_id: str, wav: bytes, state: str) -> None:
        """Play a file."""
        await self._send(
            sound_commands.playback_start(network_id, command_id=new_id("cmd"), audio=wav, client_state=state)
        )

    async def stop_playing(self, network_id: str) -> None:
        """Stop all files."""
        await self._send(sound_commands.playback_stop(network_id, command_id=new_id("cmd")))

    async def transcribe(self, network_id: str, *, is_on: bool) -> None:
        """Begin or end a transcription."""
        command = (
            sound_commands.transcription_start(network_id, command_id=new_id("cmd"), language=self._language)
            if is_on
            else sound_commands.transcription_stop(network_id, command_id=new_id("cmd"))
        )
        await self._send(command)

    def _stream(self, place: StreamPlace) -> Stream:
        return Stream(place.url, self._audio_format, target_legs=self._target_legs)

    async def _send(self, command: TelnyxCommand) -> None:
        answer = await self._client.send(command)
        if answer.is_call_over:
            raise CallIsOver("the call is over", provider="telnyx", phase="first_result")


class TelnyxWebhooks:
    """What Telnyx tells, checked, once each.

    What changes here: `_seen`, with each event.
    """

    def __init__(self, calls: Calls, signatures: TelnyxSignatures) -> None:
        """Prepare.

        Args:
            calls: Whom it is told to.
            signatures: The account's.
        """
        self._calls = calls
        self._signatures = signatures
        self._seen: deque[str] = deque(maxlen=_SEEN)
        self._seen_set: set[str] = set()

    def receive(
        self, body: bytes, headers: Mapping[str, str], now_s: float, base_url: str
    ) -> tuple[HTTPStatus, str]:
        """Take a webhook; returns at once with the status to answer, and why if it is refused.

        Args:
            body: As it came.
            headers: In any case.
            now_s: The wall clock, in seconds since 1970.
            base_url: Where it reached us.
        """
        try:
            self._signatures.verify(body, headers, now_s)
            event = told.decode_webhook(body)
        except RemoteProtocolError as problem:
            _log.warning("webhook.refused", extra={"network": "telnyx", "code": problem.code})
            is_forged = problem.code in ("signature_missing", "signature_forged", "signature_stale")
            return HTTPStatus.UNAUTHORIZED if is_forged else HTTPStatus.BAD_REQUEST, str(problem)
        if self._is_new(event.event_id):
            self._take(event, base_url)
        return HTTPStatus.OK, ""

    def _is_new(self, event_id: str) -> bool:
        if event_id in self._seen_set:
            return False
        if len(self._seen) == _SEEN:
            self._seen_set.discard(self._seen[0])
        self._seen.append(event_id)
        self._seen_set.add(event_id)
        return True

    def _take(self, event: told.TelnyxEvent, base_url: str) -> None:
        network_id = event.call_control_id
        if isinstance(event, told.CallInitiated):
            if event.is_incoming:
                details = CallDetails(network_id, event.from_number, event.to_number)
                self._calls.incoming("telnyx", details, base_url)
            return
        if isinstance(event, told.CallHungUp):
            self._calls.hung_up("telnyx", network_id, by=event.source or "network", reason=event.cause)
            return
        call = self._calls.on_network("telnyx", network_id)
        if call is None:
            return
        match event:
            case told.CallAnswered():
                call.happened(CallEvent.ANSWERED)
            case told.SpeakEnded(client_state="refusal"):
                call.happened(CallEvent.REFUSAL_SPOKEN)
            case told.StreamingFailed(reason=reason):
                _log.warning("call.stream_failed", extra={"call": call.id, "reason": code_word(reason)})
                call.happened(CallEvent.STREAM_FAILED)
            case told.MachineDetectionEnded(result=result):
                call.answered_by(result, is_human=event.is_human)
            case told.MachineGreetingEnded():
                call.machine_is_ready()
            case told.PlaybackStarted(client_state=state):
                call.without_stream.file_started(state)
            case told.PlaybackEnded(client_state=state, status=status):
                call.without_stream.file_ended(state, status)
            case told.WordsTranscribed(text=text, is_final=is_final, is_inbound=True):
                call.heard(text, is_final=is_final)
            case told.DtmfReceived(digit=digit):
                call.without_stream.pressed(digit)
            case told.RecordingSaved(urls=urls):
                for url in urls.values():
                    call.recorded(url)

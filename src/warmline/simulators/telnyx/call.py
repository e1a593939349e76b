"""One leg of a call through Telnyx: what the server is told of it, and what it may ask for."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from typing import Any, Final, Protocol

import anyio

from warmline.core.clock import utc_now
from warmline.simulators.script import Script
from warmline.simulators.telephone.call import Call, Network
from warmline.simulators.telephone.media import StreamFailed
from warmline.simulators.telephone.placing import Callee, PlacedCall
from warmline.simulators.telephone.report import LoggedStream
from warmline.simulators.telephone.states import CallState
from warmline.simulators.telephone.steps import Say
from warmline.simulators.telnyx.announcements import Announcements
from warmline.simulators.telnyx.commands import Dial, StreamOptions, Transfer
from warmline.simulators.telnyx.errors import ENDED, Refused
from warmline.simulators.telnyx.media import TelnyxStream
from warmline.simulators.telnyx.transcription import Transcription
from warmline.simulators.telnyx.webhooks import SigningKey, Webhooks

__all__ = ["TelnyxCall", "TelnyxNetwork"]

_TOLD_S: Final = 0.5
"""For how long the next thing waits for a server's answer to a webhook, so that things stay in order."""

_REPEATED_S: Final = 60.0
"""How long a `command_id` is remembered."""

_SIP_CAUSES: Final = {
    "normal_clearing": "200",
    "user_busy": "486",
    "no_answer": "480",
    "call_rejected": "603",
    "timeout": "487",
    "originator_cancel": "487",
    "time_limit": "200",
}

_WAITING: Final = {"greeting_end": "ended", "detect_beep": "beep_detected"}
"""Detections that tell when a machine has said what it says, and what they tell."""


class TelnyxNetwork(Network, Protocol):
    """What a leg needs beyond what every call does."""

    signing_key: SigningKey
    script: Script


class TelnyxCall(Call):
    """A leg.

    What changes here: beyond what its base says, the client state and the commands seen, by commands.
    """

    def __init__(
        self,
        network: TelnyxNetwork,
        person: PlacedCall | Callee,
        *,
        from_: str,
        to: str,
        connection_id: str,
        webhook_url: str,
        dial: Dial | Transfer | None = None,
        session: TelnyxCall | None = None,
        seed: int = 0,
    ) -> None:
        """Prepare.

        Args:
            network: What it goes through.
            person: Who is at the other end.
            from_: The number that calls.
            to: The number that is called.
            connection_id: The server's application.
            webhook_url: Where the server is told of it.
            dial: What the server asked for, if it is the one who calls.
            session: The leg that this one belongs to, if any.
            seed: For what is random.
        """
        network_id = f"v3:{secrets.token_urlsafe(32)}"
        super().__init__(network, person, network_id=network_id, from_=from_, to=to, seed=seed)
        self.leg_id = str(uuid.uuid4())
        self.session_id: str = session.session_id if session is not None else str(uuid.uuid4())
        self.connection_id = connection_id
        self.client_state = _first_state(dial)
        self.dial = dial
        self.session = session
        self.bridged: TelnyxCall | None = None
        self.recorded: dict[str, Any] | None = None
        """What is being recorded, and since when."""

        placed = person if isinstance(person, PlacedCall) else None
        self.webhooks_to = Webhooks(
            network,
            network.signing_key,
            self.faults,
            self.webhooks,
            lambda: self.now_s,
            url=webhook_url,
            failover_url=placed.webhook_failover_url if placed else "",
            timeout_s=placed.webhook_timeout_s if placed else 5.0,
            retry_s=placed.webhook_retry_s if placed else (1.0, 2.0, 4.0),
        )
        self.announcements = Announcements(network, self.tell)
        self._script = network.script
        self._started_at = _now()
        self._stream: TelnyxStream | None = None
        self._options: StreamOptions | None = None
        self._answered_with: StreamOptions | None = None
        self._seen: dict[str, float] = {}
        self._on_digit: Callable[[str], None] | None = None
        self._transcription: Transcription | None = None

    def tell(self, event: str, more: dict[str, Any] | None = None) -> anyio.Event:
        """Send a webhook; return what is set when the server was told for the first time."""
        return self.webhooks_to.send(event, {**self._common(), **(more or {})})

    def _common(self) -> dict[str, Any]:
        common: dict[str, Any] = {
            "call_control_id": self.network_id,
            "call_leg_id": self.leg_id,
            "call_session_id": self.session_id,
            "connection_id": self.connection_id,
            "client_state": self.client_state,
            "from": self.from_,
            "to": self.to,
            "start_time": self._started_at,
        }
        return common

    async def _told(self, event: str, more: dict[str, Any] | None = None) -> None:
        told = self.tell(event, more)
        with anyio.move_on_after(_TOLD_S):
            await told.wait()

    async def live(self) -> None:
        """Ring until somebody answers, or nobody does."""
        if isinstance(self.person, PlacedCall):
            await self._come_in(self.person)
        else:
            await self._go_out(self.person)

    async def _come_in(self, placed: PlacedCall) -> None:
        initiated: dict[str, Any] = {
            "direction": "incoming",
            "state": "parked",
            "tags": [],
            "custom_headers": [],
        }
        if placed.caller_name:
            initiated["caller_id_name"] = placed.caller_name
        self.tell("call.initiated", initiated)
        self.reached("initiated")
        with anyio.move_on_after(placed.ring_s):
            await self._is_answered.wait()
        if self.state is CallState.RINGING:
            self.end("originator_cancel", "person")
            return
        assert self._answered_with is not None
        await self._begin(placed.start_order, self._answered_with)

    async def _go_out(self, callee: Callee) -> None:
        dial = self.dial
        assert dial is not None
        await self.rehearse()
        options = dial if isinstance(dial, Dial) else None
        is_early = options is not None and options.stream_establish_before_call_originate
        self.tell("call.initiated", {"direction": "outgoing", "state": "bridging", "tags": []})
        with anyio.move_on_after(dial.timeout_secs) as ringing:
            await anyio.sleep(callee.ring_s)
        if ringing.cancelled_caught:
            self.end("timeout", "")
            return
        match callee.answer:
            case "busy":
                self.end("user_busy", "person")
            case "no_answer":
                self.end("no_answer", "person")
            case "call_rejected":
                self.end("call_rejected", "person")
            case "answered" if self.state is CallState.RINGING:
                self.answer()
                self.start(self._limit, dial.time_limit_secs)
                if dial.answering_machine_detection != "disabled":
                    self.start(self._detect, callee, dial.answering_machine_detection)
                order = ("socket", "streaming", "answered") if is_early else callee.start_order
                await self._begin(order, options or StreamOptions())
                if self.session is not None and (isinstance(dial, Transfer) or dial.bridge_on_answer):
                    self.bridge_with(self.session)

    async def _begin(self, order: tuple[str, ...], options: StreamOptions) -> None:
        """Do what follows an answer, each when the server was told of the one before."""
        for step in order:
            if self.state is CallState.ENDED:
                return
            if step == "answered":
                await self._told("call.answered", {"state": "answered"})
                self.reached("answered")
            elif options.stream_url is None:
                continue
            elif step == "streaming":
                if not self.faults.streaming_failed:
                    await self._told("streaming.started", {"stream_url": options.stream_url})
            else:
                await self._open_stream(options)

    async def _limit(self, limit_s: float) -> None:
        await anyio.sleep(limit_s)
        self.end("time_limit", "")

    async def _detect(self, callee: Callee, how: str) -> None:
        await anyio.sleep(callee.detect_s)
        self.tell("call.machine.detection.ended", {"result": callee.detected})
        if callee.detected == "machine" and how in _WAITING:
            await anyio.sleep(callee.greeting_s)
            self.tell("call.machine.greeting.ended", {"result": _WAITING[how]})

    async def wind_up(self) -> None:
        """Say `stop`, and that it is over."""
        self.announcements.hang_up()
        if self._stream is not None:
            await self.stop_stream()
        if self.recorded is not None:
            self.save_recording()
        await self._told(
            "call.hangup",
            {
                "state": "hangup",
                "hangup_cause": self.cause,
                "hangup_source": self._hangup_source(),
                "sip_hangup_cause": _SIP_CAUSES.get(self.cause, "unspecified"),
                "end_time": _now(),
                "tags": [],
            },
        )
        other, self.bridged = self.bridged, None
        if other is not None:
            other.bridged = None
            other.end("normal_clearing", self.ended_by)

    def hang_up_cause(self) -> str:
        """Return why a call is over whose person hung up."""
        return "originator_cancel" if self.state is CallState.RINGING else "normal_clearing"

    def _hangup_source(self) -> str:
        if not self.ended_by:
            return "unknown"
        return "caller" if (self.ended_by == "person") == self.is_incoming else "callee"

    def answer_with(self, options: StreamOptions) -> None:
        """Take the call, and stream it if the options say where."""
        self._answered_with = options
        self.answer()

    async def start_stream(self, options: StreamOptions) -> None:
        """Stream the call to a server."""
        if not self.faults.streaming_failed:
            await self._told("streaming.started", {"stream_url": options.stream_url})
        await self._open_stream(options)

    async def stop_stream(self) -> None:
        """End the stream; the call goes on."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await stream.finish()
            await self._told("streaming.stopped", {"stream_url": stream.log.url})

    @property
    def has_stream(self) -> bool:
        """Whether the call is streamed."""
        return self._stream is not None

    async def _open_stream(self, options: StreamOptions) -> None:
        log = LoggedStream(id=str(uuid.uuid4()).upper(), url=options.stream_url or "")
        self.streams.append(log)
        stream = TelnyxStream(self, log, options)
        self._stream = stream
        token = {"x-telnyx-streaming-auth-token": options.auth_token} if options.auth_token else {}
        try:
            await stream.open(self._network.client, log.url, token)
        except StreamFailed as problem:
            self._stream = None
            log.errors.append(str(problem))
            track = {"stream_url": log.url, "track": options.stream_track}
            failed = {"failure_reason": str(problem), "stream_id": log.id, "stream_params": track}
            self.tell("streaming.failed", {**failed, "stream_type": "websocket"})
            return
        if self.state is CallState.ENDED:
            await stream.finish()
            return
        self.start(self._serve, stream)
        self.reached("streaming")

    async def _serve(self, stream: TelnyxStream) -> None:
        await stream.serve()
        # Closing the socket does not end the call; the person hears nothing more.
        if self._stream is stream and self.state is CallState.ANSWERED:
            self._stream = None
            self.tell("streaming.stopped", {"stream_url": stream.log.url})

    def on_press(self, digit: str) -> None:
        """Tell of a key; the stream does as well."""
        self.tell("call.dtmf.received", {"digit": digit})
        if self._on_digit is not None:
            self._on_digit(digit)

    def listen_for_digits(self, on_digit: Callable[[str], None] | None) -> None:
        """Have somebody told of keys; None to stop that."""
        self._on_digit = on_digit

    def on_announced(self, mark: str) -> None:
        """Take the end of an announcement."""
        self.announcements.passed(mark)

    def check(self, *, may_ring: bool = False) -> None:
        """See whether a command can be done now.

        Raises:
            Refused: the call is over, or still rings.
        """
        if self.state is CallState.ENDED:
            raise Refused(*ENDED)
        if self.state is CallState.RINGING and not may_ring:
            # The code for this is not documented; what is, is the status.
            raise Refused(422, "10015", "Bad Request", "The call has not been answered yet.")

    def has_seen(self, command_id: str | None) -> bool:
        """Return whether a command was done within the last minute; it is not done again then."""
        at_s = self._seen.get(command_id or "")
        return at_s is not None and self.now_s - at_s < _REPEATED_S

    def saw(self, command_id: str | None) -> None:
        """Remember a command that is done now."""
        if command_id is not None:
            self._seen[command_id] = self.now_s

    def bridge_with(self, other: TelnyxCall) -> None:
        """Put two people through to each other; what they say to each other is not simulated."""
        self.bridged, other.bridged = other, self
        self.tell("call.bridged")
        other.tell("call.bridged")

    def start_transcription(self, *, has_interim_results: bool) -> None:
        """Write down what the person says from now on, in place of a transcription that goes on."""
        phone = self.phone
        assert phone is not None  # the call was answered, or the command refused
        self.stop_transcription()
        self._transcription = transcription = Transcription(
            phone.caller.utterances,
            [(step, self._recordings[step]) for step in self.person.caller if isinstance(step, Say)],
            from_s=phone.now_s,
            tell=self.tell,
            has_interim_results=has_interim_results,
        )
        phone.attach(transcription)
        self.start(transcription.understand, self._network.speech, self._script)

    def stop_transcription(self) -> None:
        """Write down no more; what is being said is lost."""
        transcription, self._transcription = self._transcription, None
        if transcription is not None and self.phone is not None:
            self.phone.detach(transcription)

    def start_recording(self, channels: str, urls: dict[str, str]) -> None:
        """Record from now on; a recording that goes on is begun anew."""
        self.recorded = {"channels": channels, "recording_started_at": _now(), "recording_urls": urls}

    def save_recording(self) -> None:
        """Record no more, and tell where the recording is."""
        recorded, self.recorded = self.recorded, None
        if recorded is not None:
            self.tell("call.recording.saved", {**recorded, "recording_ended_at": _now()})


def _first_state(dial: Dial | Transfer | None) -> str | None:
    if isinstance(dial, Transfer):
        return dial.target_leg_client_state
    return dial.client_state if dial is not None else None


def _now() -> str:
    return utc_now().isoformat(timespec="microseconds").replace("+00:00", "Z")

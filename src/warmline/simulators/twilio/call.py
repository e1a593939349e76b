"""One call through Twilio: a server is asked what to do, and what it says is done, verb by verb."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol
from urllib.parse import urljoin

import aiohttp
import anyio
import anyio.to_thread
import soundfile

from warmline.core.clock import utc_now
from warmline.simulators.recordings import pcm16
from warmline.simulators.telephone.call import Call, Network
from warmline.simulators.telephone.codec import RATE_HZ
from warmline.simulators.telephone.media import StreamFailed
from warmline.simulators.telephone.placing import Callee, PlacedCall
from warmline.simulators.telephone.rehearsal import spoken
from warmline.simulators.telephone.report import LoggedStream
from warmline.simulators.telephone.states import CallState
from warmline.simulators.twilio.callbacks import Callbacks, now_rfc2822
from warmline.simulators.twilio.media import TwilioStream
from warmline.simulators.twilio.signing import HEADER
from warmline.simulators.twilio.twiml import (
    Connect,
    Dial,
    Hangup,
    Pause,
    Play,
    Reject,
    Say,
    StartStream,
    Stream,
    TwimlError,
    Verb,
    parsed,
)

__all__ = ["Asked", "TwilioCall", "TwilioNetwork"]

_TOLD_S: Final = 0.5
_KEY_S: Final = 0.25
_FETCH_S: Final = 10.0
_UNREACHABLE: Final = "11200 HTTP retrieval failure"


class TwilioNetwork(Network, Protocol):
    """What a call needs beyond what every call does."""

    account_sid: str

    @property
    def auth_token(self) -> str:
        """What is signed with."""
        ...

    def callee(self, number: str) -> Callee:
        """Return who answers a number."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a server asked for when it dialled."""

    url: str = ""
    fallback_url: str = ""
    twiml: str = ""
    status_callback: str = ""
    status_events: tuple[str, ...] = ("completed",)
    timeout_s: float = 60.0
    time_limit_s: float = 14_400.0
    detects_machines: bool = False


class TwilioCall(Call):
    """A call.

    What changes here: beyond what its base says, the document that is carried out, in `_carry_out` and
    by `change`.
    """

    def __init__(
        self,
        network: TwilioNetwork,
        person: PlacedCall | Callee,
        *,
        from_: str,
        to: str,
        asked: Asked,
        seed: int = 0,
    ) -> None:
        """Prepare.

        Args:
            network: What it goes through.
            person: Who is at the other end.
            from_: The number that calls.
            to: The number that is called.
            asked: Where the server is, and what it wants.
            seed: For what is random.
        """
        network_id = f"CA{secrets.token_hex(16)}"
        super().__init__(network, person, network_id=network_id, from_=from_, to=to, seed=seed)
        self.account_sid = network.account_sid
        self.asked = asked
        self.answered_by = ""
        self.created_at = now_rfc2822()
        self._twilio = network
        self._callbacks = Callbacks(
            network, network.auth_token, self.faults, self.webhooks, lambda: self.now_s
        )
        self._told_events = 0
        self._streams: list[TwilioStream] = []
        self._carrying: anyio.CancelScope | None = None
        self._changed: Asked | None = None
        self._was_played = anyio.Event()
        self._marks = itertools.count(1)
        self._playing = ""
        """The mark behind what is played; another each time."""

        self._status = "ringing" if isinstance(person, PlacedCall) else "queued"

    @property
    def status(self) -> str:
        """How far it has come, in Twilio's words."""
        if self.state is CallState.ENDED:
            return self.cause
        return "in-progress" if self.state is CallState.ANSWERED else self._status

    @property
    def duration_s(self) -> int | None:
        """How long it lasted, from its answer; None while it goes on."""
        if self._ended_at_s is None:
            return None
        return round(self._ended_at_s - (self._answered_at_s or self._ended_at_s))

    def fields(self) -> dict[str, str]:
        """Return what every request to a server carries."""
        fields = {
            "CallSid": self.network_id,
            "AccountSid": self.account_sid,
            "From": self.from_,
            "To": self.to,
            "Caller": self.from_,
            "Called": self.to,
            "CallStatus": self.status,
            "Direction": "inbound" if self.is_incoming else "outbound-api",
            "ApiVersion": "2010-04-01",
        }
        if isinstance(self.person, PlacedCall) and self.person.caller_name:
            fields["CallerName"] = self.person.caller_name
        if self.answered_by:
            fields["AnsweredBy"] = self.answered_by
        return fields

    async def live(self) -> None:
        """Ring until somebody answers, and do what the server says."""
        if isinstance(self.person, Callee) and not await self._rings_out(self.person):
            return
        if isinstance(self.person, PlacedCall):
            self.start(self._lose_patience, self.person.ring_s)
        await self._carry_out(self.asked)

    async def _lose_patience(self, ring_s: float) -> None:
        with anyio.move_on_after(ring_s):
            await self._is_answered.wait()
        if self.state is CallState.RINGING:
            self.end(self.hang_up_cause(), "person")

    async def _rings_out(self, callee: Callee) -> bool:
        """Ring somebody; return whether they have answered."""
        await self.rehearse()
        await self._told("initiated")
        self._status = "ringing"
        await self._told("ringing")
        with anyio.move_on_after(self.asked.timeout_s) as ringing:
            await anyio.sleep(callee.ring_s)
        if ringing.cancelled_caught or callee.answer == "no_answer":
            self.end("no-answer", "person")
        elif callee.answer != "answered":
            # Twilio has one word for both, and another where the network itself failed.
            self.end("busy", "person")
        if self.state is not CallState.RINGING:
            return False
        self.answer()
        self.start(self._limit, self.asked.time_limit_s)
        await self._told("answered")
        self.reached("answered")
        if self.asked.detects_machines:
            await anyio.sleep(callee.detect_s)
            self.answered_by = {"human": "human", "machine": "machine_start"}.get(callee.detected, "unknown")
        return True

    async def _limit(self, limit_s: float) -> None:
        await anyio.sleep(limit_s)
        self.end("completed", "")

    async def wind_up(self) -> None:
        """End the streams, and tell the server that it is over."""
        for stream in tuple(self._streams):
            await self._finish(stream)
        if not self.faults.lose_hangup:
            await self._told("completed")

    def hang_up_cause(self) -> str:
        """Return what a call's status is whose person hung up."""
        return "no-answer" if self.state is CallState.RINGING else "completed"

    async def _told(self, event: str) -> None:
        """Tell of the call's progress, if that was asked for."""
        if not self.asked.status_callback or event not in self.asked.status_events:
            return
        fields = {
            **self.fields(),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(self._told_events),
            "Timestamp": now_rfc2822(),
        }
        if event == "completed":
            fields["CallDuration"] = str(self.duration_s or 0)
        self._told_events += 1
        told = self._callbacks.tell(event, self.asked.status_callback, fields)
        with anyio.move_on_after(_TOLD_S):
            await told.wait()

    def change(self, asked: Asked) -> None:
        """Have another document carried out, from now on."""
        self._changed = asked
        if self._carrying is not None:
            self._carrying.cancel()

    async def _carry_out(self, asked: Asked) -> None:
        """Carry out a document, and those that take its place; then hang up."""
        following: Asked | None = asked
        while following is not None:
            with anyio.CancelScope() as self._carrying:
                await self._obtain_and_do(following)
            following, self._changed = self._changed, None
        self.end("completed", "server")

    async def _obtain_and_do(self, asked: Asked) -> None:
        document: str | None = asked.twiml
        if not document:
            document = await self._callbacks.ask(asked.url, asked.fallback_url, self.fields())
        if document is None:
            self._fail(_UNREACHABLE)
            return
        await self._do_document(document, asked.url)

    async def _do_document(self, document: str, base_url: str) -> None:
        try:
            verbs = parsed(document)
        except TwimlError as problem:
            self._fail(f"{problem.code} {problem}")
            return
        if self.state is CallState.RINGING:
            self.reached("initiated")
        for verb in verbs:
            if isinstance(verb, Reject) and self.state is CallState.RINGING:
                self.end("busy" if verb.reason == "busy" else "no-answer", "server")
            elif self.state is CallState.RINGING:
                self.answer()
                self.reached("answered")
            if self.state is CallState.ENDED:
                return
            await self._do(verb, base_url)

    def _fail(self, problem: str) -> None:
        """End as Twilio does whose server is of no help; it says so to the person, which is not simulated."""
        self.problem = self.problem or problem
        self.end("completed" if self.state is CallState.ANSWERED else "failed", "")

    async def _do(self, verb: Verb, base_url: str) -> None:
        match verb:
            case Connect():
                await self._run_stream(verb.stream, is_bidirectional=True)
            case StartStream():
                self.start(partial(self._run_stream, verb.stream, is_bidirectional=False))
            case Say():
                await self._play(await spoken(verb.text, self._network.speech), verb.times)
            case Play():
                await self._play_file(verb, base_url)
            case Pause():
                await anyio.sleep(verb.length_s)
            case Dial():
                await self._dial(verb, base_url)
            case Hangup() | Reject():
                self.end("completed", "server")

    async def _dial(self, verb: Dial, base_url: str) -> None:
        """Ring somebody else; what they and the person say to each other is not simulated."""
        callee = self._twilio.callee(verb.number)
        with anyio.move_on_after(verb.timeout_s) as ringing:
            await anyio.sleep(callee.ring_s)
        if callee.answer == "answered" and not ringing.cancelled_caught:
            await anyio.sleep_forever()
        if verb.action:
            outcome = "busy" if callee.answer == "busy" else "no-answer"
            url = urljoin(base_url, verb.action)
            document = await self._callbacks.ask(url, "", {**self.fields(), "DialCallStatus": outcome})
            await self._do_document(document or "<Response/>", url)
            self.end("completed", "server")

    async def _play(self, pcm: bytes, times: int) -> None:
        phone = self.phone
        assert phone is not None  # the call was answered before its first verb
        try:
            for _ in range(times if pcm else 0):
                self._was_played, self._playing = anyio.Event(), str(next(self._marks))
                phone.line.announcements.push(pcm, phone.now_s)
                phone.line.announcements.mark(self._playing, phone.now_s)
                await self._was_played.wait()
        finally:
            phone.line.announcements.clear(phone.now_s)

    async def _play_file(self, verb: Play, base_url: str) -> None:
        for digit in verb.digits:
            await anyio.sleep(0.5 if digit == "w" else _KEY_S)
            self.digits_heard += digit.strip("w")
        if not verb.url:
            return
        timeout = aiohttp.ClientTimeout(total=_FETCH_S)
        try:
            async with self._network.client.get(urljoin(base_url, verb.url), timeout=timeout) as response:
                response.raise_for_status()
                file = await response.read()
            pcm = await anyio.to_thread.run_sync(pcm16, file, RATE_HZ)
        except (aiohttp.ClientError, OSError, ValueError, soundfile.LibsndfileError) as problem:
            # The next verb has its turn all the same.
            self.problem = self.problem or f"11200 playing {verb.url}: {problem or type(problem).__name__}"
            return
        await self._play(pcm, verb.times)

    def on_announced(self, mark: str) -> None:
        """Take the end of something that was played, or dropped for another document."""
        if mark == self._playing:
            self._was_played.set()

    def on_press(self, digit: str) -> None:
        """Take a key that the person pressed; streams tell of it."""

    async def _run_stream(self, wanted: Stream, *, is_bidirectional: bool) -> None:
        """Stream until the server closes, or something else takes this verb's place."""
        log = LoggedStream(id=f"MZ{secrets.token_hex(16)}", url=wanted.url)
        self.streams.append(log)
        stream = TwilioStream(self, log, wanted, is_bidirectional=is_bidirectional)
        headers = {HEADER: self._callbacks.signature(wanted.url)}
        try:
            await stream.open(self._network.client, wanted.url, headers)
        except StreamFailed as problem:
            log.errors.append(f"31920 {problem}")
            self._tell_of(stream, "stream-error", {"StreamError": f"31920 {problem}"})
            return
        self._streams.append(stream)
        self._tell_of(stream, "stream-started", {})
        try:
            self.reached("streaming")
            await stream.serve()
            if stream.refused:
                self._tell_of(stream, "stream-error", {"StreamError": stream.refused})
        finally:
            with anyio.CancelScope(shield=True):
                await self._finish(stream)

    async def _finish(self, stream: TwilioStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
            await stream.finish()
            self._tell_of(stream, "stream-stopped", {})

    def _tell_of(self, stream: TwilioStream, event: str, more: Mapping[str, str]) -> None:
        if stream.stream.status_callback:
            fields = {
                "StreamEvent": event,
                "StreamSid": stream.log.id,
                "StreamName": stream.stream.name or stream.log.id,
                "CallSid": self.network_id,
                "AccountSid": self.account_sid,
                "Timestamp": utc_now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                **more,
            }
            self._callbacks.tell(event, stream.stream.status_callback, fields)

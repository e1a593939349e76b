"""One telephone call: its life, its session, and the record of it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

import anyio

from warmline.channels.telephone.admission import Admission
from warmline.channels.telephone.endpoint import TelephoneChannel
from warmline.channels.telephone.lifecycle import Act, CallEvent, CallState, next_step
from warmline.channels.telephone.media import MediaWire
from warmline.core.clock import Clock, utc_now
from warmline.core.ids import new_id
from warmline.core.loggable import loggable
from warmline.errors import InvalidTransition, ProviderError, ToolError
from warmline.interfaces.channel import EndReason, TurnSettings
from warmline.server.telephone.machines import MachinePolicy, OnAnswer, on_answer
from warmline.server.telephone.network import CallDetails, CallIsOver, Network, StreamPlace
from warmline.server.telephone.records import CallRecord, FigureKeeper
from warmline.server.telephone.without_stream import WithoutStream
from warmline.session.session import Session

__all__ = ["Call", "CallHouse"]

_log = logging.getLogger(__name__)

_STREAM_S: Final = 5.0
"""How long after the answer the media stream may take."""

_BROKEN_S: Final = 1.0
"""How long after a stream's end the call's own end may be told: most streams end with their call."""

_STREAMS: Final = 3
"""How often a stream is asked for, the first time included."""

_HANG_UP_S: Final = 5.0
"""How long the network may take to say that a call is over which it was told to end."""


_MACHINE_S: Final = 5.0
"""How long after the answer the network may take to say who answered; Telnyx takes 3.5 s by default."""

_GREETING_S: Final = 30.0
"""How long an answering machine may speak before a message is left all the same."""


class CallHouse(Protocol):
    """What a call needs of its surroundings."""

    def begin_session(self, call: Call, on_end: Callable[[], None]) -> Session:
        """Return the call's session, which runs; the process has room for it."""
        ...

    def place(self, call: Call) -> StreamPlace:
        """Return where the call's next media stream is to come; the one before is good no more."""
        ...

    async def ended(self, call: Call) -> None:
        """Learn that the call is over; its record is final."""
        ...


class Call:
    """A call, from its first sign to its record. Implements `warmline.interfaces.channel.Telephone`.

    Events come as plain calls, which move the state, and begin and end the session, at once. What the
    network has to be told is told by `run`, one thing after another.

    What changes here: `state` and `_acts` in `happened`; the record's fields with what is told.
    """

    def __init__(
        self,
        details: CallDetails,
        network: Network,
        wire: MediaWire,
        house: CallHouse,
        clock: Clock,
        *,
        records_from_start: bool = False,
        machines: MachinePolicy | None = None,
    ) -> None:
        """Prepare; nothing is done before `run`.

        Args:
            details: What the network tells of it; its id is empty for a call that is to be dialled.
            network: Whose it is.
            wire: How its media stream is written.
            house: Its surroundings.
            clock: The process's.
            records_from_start: Whether the network records it from the answer on.
            machines: What is done where a machine takes a call of ours; None to talk to it.
        """
        self.id = new_id("call")
        self.details = details
        self.network = network
        self.figures = FigureKeeper()
        self.channel = TelephoneChannel(
            wire,
            clock,
            telephone=self,
            on_event=self.figures.see,
            holds_back=machines is not None and details.is_outgoing,
        )
        """The way to the caller's ear; there is no media stream yet."""

        self.without_stream = WithoutStream(
            network,
            self.channel,
            clock,
            state=lambda: self.state,
            on_failure=lambda reason: self.hang_up("server", reason),
            on_over=lambda: self.happened(CallEvent.HUNG_UP),
        )
        """What is done where none is to be had."""

        self.state = CallState.DIALLING if details.is_outgoing else CallState.RINGING
        self.session: Session | None = None
        self.ended_by = ""
        self.reason = ""
        self.machine = ""
        self.admission = Admission()
        self.streams = 0
        self._held: TurnSettings | None = None
        """How turns were taken before it was put on hold; None while it is not."""

        self._asked_again = 0
        self._was_told_to_end = False
        self.over = anyio.Event()
        """It is over, and its record is kept."""

        self._house = house
        self._clock = clock
        self._records_from_start = records_from_start
        self._machines = machines if details.is_outgoing else None
        self._is_machine_ready = anyio.Event()
        self._recordings: list[str] = []
        self._acts: deque[Act] = deque()
        self._changed = anyio.Event()
        self._began_at = utc_now()
        self._answered_at: str = ""
        self._answered_s: float | None = None
        self._ended_at: str = ""
        self._ended_s: float | None = None

    @property
    def record(self) -> CallRecord:
        """What is known of it by now."""
        until_s = self._clock.now_s() if self._ended_s is None else self._ended_s
        return CallRecord(
            id=self.id,
            network=self.network.name,
            network_id=self.details.network_id,
            direction="outgoing" if self.details.is_outgoing else "incoming",
            caller=self.details.caller,
            number=self.details.number,
            began_at=self._began_at.isoformat(timespec="milliseconds"),
            answered_at=self._answered_at,
            ended_at=self._ended_at,
            state=self.state.value,
            talked_s=0.0 if self._answered_s is None else round(until_s - self._answered_s, 3),
            ended_by=self.ended_by,
            reason=self.reason,
            refusal=self.admission.refusal.value if self.admission.refusal else "",
            machine=self.machine,
            streams=self.streams,
            without_stream=self.without_stream.was_begun,
            recordings=tuple(self._recordings),
            metadata=self.details.metadata,
            figures=self.figures.figures,
        )

    def happened(self, event: CallEvent, *, by: str = "", reason: str = "") -> None:
        """Take an event, in whatever order the network tells; what can't be is logged and changes nothing.

        Args:
            event: What happened.
            by: For an end: who ended it; the first to be told counts.
            reason: For an end: why.
        """
        try:
            state, acts = next_step(self.state, event)
        except InvalidTransition as problem:
            _log.warning("call.unexpected", extra={"call": self.id, **loggable(problem)})
            return
        if by and not self.ended_by:
            self.ended_by, self.reason = by, reason
        if event is CallEvent.ANSWERED or (event is CallEvent.STREAM_OPENED and state is CallState.TALKING):
            self._note_answer()
        if state is CallState.ENDED and self._ended_s is None:
            self._ended_at = utc_now().isoformat(timespec="milliseconds")
            self._ended_s = self._clock.now_s()
        if event is CallEvent.STREAM_OPENED:
            self.streams += 1
        _log.debug("call.moved", extra={"call": self.id, "state": state.value, "by": event.value})
        self.state = state
        for act in acts:
            if act is Act.BEGIN_SESSION:
                self.begin_session()
            elif act is Act.END_SESSION:
                self._end_session()
            elif act is not Act.STREAM_AGAIN or act not in self._acts:
                # That a stream was lost may be told twice, by its socket and by the network.
                self._acts.append(act)
        self._stir()

    def heard(self, text: str, *, is_final: bool) -> None:
        """Learn what the network wrote down of the caller's words; it counts where there is no stream."""
        if self._held is None:
            self.without_stream.heard(text, is_final=is_final)

    def recorded(self, url: str) -> None:
        """Note where the network keeps a recording."""
        self._recordings.append(url)

    def admit(self, admission: Admission) -> None:
        """Take the call, or refuse it."""
        self.admission = admission
        if admission.refusal is None:
            self.happened(CallEvent.ADMITTED)
        else:
            event = CallEvent.REFUSED_ALOUD if admission.text else CallEvent.REFUSED
            self.happened(event, by="server", reason=admission.refusal.value)

    def answered_by(self, result: str, *, is_human: bool) -> None:
        """Learn whether a person or a machine answered, in the network's word: the first to be told."""
        if self.machine:
            return
        self.machine = result
        self._stir()
        decision = on_answer(result, self._machines, is_human=is_human)
        if decision is OnAnswer.TALK:
            self.channel.let_in()
        elif decision is OnAnswer.HANG_UP:
            self.hang_up("agent", result)
        elif self.session is not None and self._machines is not None:
            self.session.leave_message(self._machines.message)
            if decision is OnAnswer.LEAVE_MESSAGE:
                self.machine_is_ready()

    def machine_is_ready(self) -> None:
        """Learn that an answering machine would take a message now."""
        self._is_machine_ready.set()
        self.channel.let_in()

    def hang_up(self, by: str, reason: str = "") -> None:
        """End it."""
        self.happened(CallEvent.HANG_UP_ASKED, by=by, reason=reason)

    async def transfer(self, number: str) -> None:
        """Connect the caller with somebody else; the agent leaves when the network takes it.

        Raises:
            ToolError: it is no call that could be handed over now, or the network does not take it.
        """
        self._need(CallState.TALKING, CallState.CONNECTED, CallState.WITHOUT_STREAM)
        await self._told(self.network.transfer(self.details.network_id, number))
        self.happened(CallEvent.TRANSFERRED, by="agent", reason="transferred")

    async def send_dtmf(self, digits: str) -> None:
        """Press keys.

        Raises:
            ToolError: as `transfer`'s.
        """
        self._need(CallState.TALKING, CallState.CONNECTED, CallState.WITHOUT_STREAM)
        await self._told(self.network.send_dtmf(self.details.network_id, digits))

    def hold(self, *, is_on: bool) -> None:
        """Have the agent be silent and deaf for a while, or listen again.

        Raises:
            ToolError: as `transfer`'s.
        """
        self._need(CallState.TALKING, CallState.WITHOUT_STREAM)
        assert self.session is not None
        if is_on == (self._held is not None):
            return
        if is_on:
            self._held = self.session.turns
            self.session.cancel_reply()
            self.session.configure(
                replace(self._held, detects_turns=False, replies_by_itself=False), self.session.instructions
            )
        else:
            turns, self._held = self._held, None
            assert turns is not None
            self.session.clear_audio()
            self.session.configure(turns, self.session.instructions)

    async def set_recording(self, *, is_on: bool) -> None:
        """Begin or end the network's recording.

        Raises:
            ToolError: as `transfer`'s.
        """
        self._need(CallState.TALKING, CallState.CONNECTED, CallState.WITHOUT_STREAM)
        await self._told(self.network.record(self.details.network_id, is_on=is_on))

    async def run(self) -> None:
        """Do what is to be done until the call is over; cancelling hangs up."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch_stream)
                tasks.start_soon(self._watch_end)
                tasks.start_soon(self._watch_machine)
                tasks.start_soon(self.without_stream.run)
                while self._acts or self.state is not CallState.ENDED:
                    if self._acts:
                        await self._do(self._acts.popleft())
                    else:
                        await self._changed.wait()
                tasks.cancel_scope.cancel()
        finally:
            if self.state is not CallState.ENDED:
                self.happened(CallEvent.HANG_UP_ASKED, by="server", reason="shutdown")
                if not self._was_told_to_end:
                    with (
                        anyio.CancelScope(shield=True),
                        anyio.move_on_after(_HANG_UP_S),
                        suppress(ProviderError),
                    ):
                        await self._hang_up()
                self.happened(CallEvent.HUNG_UP, by="server")
            self._end_session()
            with anyio.CancelScope(shield=True):
                await self._house.ended(self)
            self.over.set()

    async def _do(self, act: Act) -> None:
        try:
            match act:
                case Act.ANSWER | Act.REJECT:
                    await self._answer()
                case Act.AWAIT_END:
                    await self._until(lambda: self.state is not CallState.CONNECTED, _BROKEN_S)
                case Act.STREAM_AGAIN:
                    await self._stream_again()
                case Act.FALL_BACK:
                    await self._fall_back()
                case Act.HANG_UP:
                    await self._hang_up()
                case Act.SAY_REFUSAL:
                    await self.network.say(self.details.network_id, self.admission.text)
        except CallIsOver:
            self.happened(CallEvent.HUNG_UP)
        except ProviderError as problem:
            _log.warning(
                "call.command_failed", extra={"call": self.id, "act": act.value, **loggable(problem)}
            )
            if act is Act.STREAM_AGAIN:
                self.happened(CallEvent.STREAM_FAILED)
            elif act in (Act.ANSWER, Act.REJECT, Act.SAY_REFUSAL, Act.HANG_UP):
                # It can't be reached, so nothing is left to be done for it.
                self.happened(CallEvent.HUNG_UP, by="network", reason=str(problem))
            elif act is Act.FALL_BACK:
                self.hang_up("server", "no media stream")

    async def _answer(self) -> None:
        if self.admission.refusal is not None:
            await self.network.refuse(self.details, self.admission)
        else:
            await self.network.answer(self.details, self._house.place(self), records=self._records_from_start)

    async def _stream_again(self) -> None:
        if self.state is not CallState.CONNECTED:
            return
        if self._asked_again >= _STREAMS - 1:
            self.happened(CallEvent.STREAM_GIVEN_UP)
            return
        self._asked_again += 1
        self._stir()
        await self.network.stream_again(self.details.network_id, self._house.place(self))

    async def _fall_back(self) -> None:
        if self.state is CallState.WITHOUT_STREAM:
            await self.without_stream.begin(self.details.network_id)
            self._note_answer()

    async def _hang_up(self) -> None:
        self._was_told_to_end = True
        await self.network.hang_up(self.details.network_id)

    async def _watch_stream(self) -> None:
        """Ask again for a stream that does not come."""
        while True:
            await self._until(lambda: self.state is CallState.CONNECTED)
            asked = self._asked_again

            def is_moved(asked: int = asked) -> bool:
                return self.state is not CallState.CONNECTED or self._asked_again != asked

            if not await self._until(is_moved, _STREAM_S):
                self.happened(CallEvent.STREAM_FAILED)
                await self._until(is_moved)

    async def _watch_machine(self) -> None:
        """Go on where the network does not say who answered, or when a machine is ready."""
        if self._machines is None:
            return
        await self._until(lambda: self.state in (CallState.TALKING, CallState.WITHOUT_STREAM))
        if not await self._until(lambda: bool(self.machine), _MACHINE_S):
            self.answered_by("not_sure", is_human=False)
        with anyio.move_on_after(_GREETING_S):
            await self._is_machine_ready.wait()
        self.channel.let_in()

    async def _watch_end(self) -> None:
        """Take a call for ended of which the network does not say so."""
        await self._until(lambda: self.state in (CallState.ENDING, CallState.ENDED))
        if not await self._until(lambda: self.state is CallState.ENDED, _HANG_UP_S):
            self.happened(CallEvent.HUNG_UP)

    def _stir(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _until(self, is_so: Callable[[], bool], within_s: float | None = None) -> bool:
        """Wait for what `happened` brings about; return whether it did in time."""
        with anyio.move_on_after(within_s):
            while not is_so():
                await self._changed.wait()
        return is_so()

    def begin_session(self) -> None:
        """Begin its session, for which there is room; an incoming call's begins when it is admitted."""
        self.session = self._house.begin_session(self, self._session_ended)

    def _session_ended(self) -> None:
        if self.state not in (CallState.ENDING, CallState.ENDED, CallState.HANDED_OVER):
            reason = self.channel.end_reason or EndReason.FAILED
            by = "caller" if reason is EndReason.HUNG_UP else "agent"
            self.happened(CallEvent.SESSION_ENDED, by=by, reason=reason.value)

    def _end_session(self) -> None:
        if self.session is not None:
            self.session.hang_up()

    def _note_answer(self) -> None:
        if self._answered_s is None:
            self._answered_s = self._clock.now_s()
            self._answered_at = utc_now().isoformat(timespec="milliseconds")

    def _need(self, *states: CallState) -> None:
        if self.state not in states:
            raise ToolError(f"the call is {self.state.value}")

    async def _told(self, command: Awaitable[None]) -> None:
        try:
            await command
        except ProviderError as problem:
            raise ToolError(str(problem)) from problem

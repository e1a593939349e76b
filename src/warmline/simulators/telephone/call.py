"""One call, whichever network it goes through: who is on it, how far it has come, what is known of it."""

from __future__ import annotations

import io
import wave
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final, Literal, Protocol

import aiohttp
import anyio
import anyio.abc
import numpy as np

from warmline.core.clock import Clock
from warmline.core.ids import new_id
from warmline.errors import WarmlineError
from warmline.simulators.speech import Speech
from warmline.simulators.telephone.codec import RATE_HZ
from warmline.simulators.telephone.phone import Phone
from warmline.simulators.telephone.placing import Callee, CallFaults, HangUpAt, PlacedCall
from warmline.simulators.telephone.rehearsal import rehearsed
from warmline.simulators.telephone.report import CallReport, LoggedCommand, LoggedStream, SentWebhook
from warmline.simulators.telephone.states import CallEvent, CallState, next_state
from warmline.simulators.telephone.steps import Say

__all__ = ["Call", "Network"]

_WIND_UP_S: Final = 5.0
"""For a server to be told that a call is over, before its end is taken as told."""


class Network(Protocol):
    """What a call needs of the network that it goes through."""

    speech: Speech
    clock: Clock

    @property
    def client(self) -> aiohttp.ClientSession:
        """Asks servers."""
        ...

    def start(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Have work done for as long as the simulator runs, beyond the call's end."""
        ...


class Call(ABC):
    """A call from its first ring until everything about it has been told.

    What changes here: the state, and only in `answer` and `end`; the logs, where something happens.
    """

    def __init__(
        self,
        network: Network,
        person: PlacedCall | Callee,
        *,
        network_id: str,
        from_: str,
        to: str,
        seed: int = 0,
    ) -> None:
        self.id = new_id("call")
        self.network_id = network_id
        self.person = person
        self.faults: CallFaults = person.faults
        self.from_ = from_
        self.to = to
        self.state = CallState.RINGING
        self.phone: Phone | None = None
        self.cause = ""
        self.ended_by: Literal["", "person", "server"] = ""
        self.problem = ""
        self.webhooks: list[SentWebhook] = []
        self.commands: list[LoggedCommand] = []
        self.streams: list[LoggedStream] = []
        self.digits_heard = ""
        self.draw = Random(seed)
        self._network = network
        self._placed_at_s = network.clock.now_s()
        self._answered_at_s: float | None = None
        self._ended_at_s: float | None = None
        self._recordings: Mapping[Say, bytes] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._is_answered = anyio.Event()
        self._is_over = anyio.Event()
        self._is_told = anyio.Event()

    @property
    def is_incoming(self) -> bool:
        """Whether the person called the server, rather than the server the person."""
        return isinstance(self.person, PlacedCall)

    @property
    def report_is_final(self) -> bool:
        """Whether the call is over, and the server was told."""
        return self._is_told.is_set()

    @property
    def now_s(self) -> float:
        """Seconds since the call was placed."""
        return round(self._network.clock.now_s() - self._placed_at_s, 6)

    async def rehearse(self) -> None:
        """Have all that is going to be said ready.

        Raises:
            InputError: a recording can't be read.
        """
        self._recordings = await rehearsed(self.person.caller, self._network.speech)

    async def run(self) -> None:
        """Live; what was prepared by `rehearse` is said."""
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._guard, self.live)
                await self._is_over.wait()
                if self.phone is not None:
                    self.phone.put_down()
                with anyio.move_on_after(_WIND_UP_S):
                    await self._guard(self.wind_up)
                self._tasks.cancel_scope.cancel()
        finally:
            self._is_told.set()

    @abstractmethod
    async def live(self) -> None:
        """Tell the server of the call, and do what it says."""

    @abstractmethod
    async def wind_up(self) -> None:
        """End the streams, and tell the server that the call is over."""

    async def wait_answered(self) -> None:
        """Return when the call was answered, or is over."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancelling, tasks, self._is_over)
            tasks.start_soon(self._cancelling, tasks, self._is_answered)

    async def over(self) -> CallReport:
        """Return how it went, when it is over and the server was told."""
        await self._is_told.wait()
        return self.report()

    def answer(self) -> None:
        """Have the person on the line.

        Raises:
            InvalidTransition: it was answered, or is over.
        """
        self.state = next_state(self.state, CallEvent.ANSWERED)
        self._answered_at_s = self.now_s
        give_up = self.faults.hang_up_at
        self.phone = Phone(
            self.person.caller,
            self._recordings,
            self._network.clock,
            gives_up=give_up if give_up in ("speaking", "replying") else "",
            on_press=self.on_press,
            on_announced=self.on_announced,
        )
        self._is_answered.set()
        self.start(self._talk, self.phone)

    def end(self, cause: str, by: Literal["", "person", "server"]) -> None:
        """Hang up; nothing happens if it is over."""
        if self.state is CallState.ENDED:
            return
        self.state = next_state(self.state, CallEvent.HUNG_UP)
        self.cause, self.ended_by = cause, by
        self._ended_at_s = self.now_s
        self._is_over.set()

    def reached(self, point: HangUpAt) -> None:
        """Have the person hang up, if this is where they are to."""
        if self.faults.hang_up_at == point:
            self.end(self.hang_up_cause(), "person")

    @abstractmethod
    def hang_up_cause(self) -> str:
        """Return the network's word for a person's hanging up, as far as the call has come."""

    @abstractmethod
    def on_press(self, digit: str) -> None:
        """Take a key that the person pressed."""

    @abstractmethod
    def on_announced(self, mark: str) -> None:
        """Take a mark of what the network itself played."""

    def start(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Have work done for as long as the call lives."""
        if self._tasks is not None and not self._is_told.is_set():
            self._tasks.start_soon(self._guard, work, *arguments)

    def report(self) -> CallReport:
        """Return what is known so far."""
        phone = self.phone
        track = phone.line.stream if phone is not None else None
        return CallReport(
            id=self.id,
            network_id=self.network_id,
            direction="incoming" if self.is_incoming else "outgoing",
            state=self.state.value,
            from_=self.from_,
            to=self.to,
            answered_at_s=self._answered_at_s,
            ended_at_s=self._ended_at_s,
            cause=self.cause,
            ended_by=self.ended_by,
            problem=self.problem,
            webhooks=self.webhooks,
            commands=self.commands,
            streams=self.streams,
            digits_heard=self.digits_heard,
            turns=phone.turns if phone is not None else [],
            stretches=track.stretches if track is not None else [],
            underruns=track.underruns if track is not None else 0,
            longest_lead_s=round(track.longest_lead_s, 4) if track is not None else 0.0,
        )

    def heard_wav(self) -> bytes:
        """Return what the person heard, as a WAV file."""
        return _wav(self.phone.heard if self.phone is not None else b"", 1)

    def both_wav(self) -> bytes:
        """Return the call as a WAV file: the person on the left, the agent on the right."""
        if self.phone is None:
            return _wav(b"", 2)
        left, right = bytes(self.phone.spoken), self.phone.heard
        samples = np.zeros((max(len(left), len(right)) // 2, 2), np.int16)
        samples[: len(left) // 2, 0] = np.frombuffer(left, np.int16)
        samples[: len(right) // 2, 1] = np.frombuffer(right, np.int16)
        return _wav(samples.tobytes(), 2)

    async def _talk(self, phone: Phone) -> None:
        if await phone.run():
            self.end(self.hang_up_cause(), "person")

    async def _guard(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Do work; what can't be done ends the call, and no other."""
        try:
            await work(*arguments)
        except (aiohttp.ClientError, OSError, WarmlineError) as problem:
            self.problem = self.problem or f"{type(problem).__name__}: {problem}"
            self.end("unspecified", "")

    async def _cancelling(self, tasks: anyio.abc.TaskGroup, event: anyio.Event) -> None:
        await event.wait()
        tasks.cancel_scope.cancel()


def _wav(pcm: bytes, channels: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(2)
        recording.setframerate(RATE_HZ)
        recording.writeframes(pcm)
    return file.getvalue()

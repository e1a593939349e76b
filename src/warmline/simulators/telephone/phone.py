"""A telephone that is off the hook: a person, a loudspeaker, and a frame every 20 ms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import anyio

from warmline.core.clock import Clock
from warmline.simulators.telephone.caller import Caller, GivesUp
from warmline.simulators.telephone.codec import FRAME_S
from warmline.simulators.telephone.line import Line
from warmline.simulators.telephone.measuring import MeasuredTurn, measured_turns
from warmline.simulators.telephone.sound import SoundMeter
from warmline.simulators.telephone.steps import Say, Step

__all__ = ["Media", "Phone"]

_BEHIND_S: Final = 1.0
"""Frames are sent late rather than left out, unless the machine stood still for longer than this."""


class Media(Protocol):
    """A media stream of the network's, as far as a telephone is concerned."""

    async def carry(self, spoken: bytes, heard: bytes) -> None:
        """Take 20 ms of each direction, as pcm16 at 8 kHz."""
        ...

    async def press(self, digit: str) -> None:
        """Take a key that was pressed."""
        ...

    async def reach(self, mark: str) -> None:
        """Take a mark that was played."""
        ...


class Phone:
    """One side of a call from answering to hanging up.

    Time counts in seconds since it was answered; both sides' samples do as well.

    What changes here: the media streams, in `attach` and `detach`; all else once every 20 ms, in `run`.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        recordings: Mapping[Say, bytes],
        clock: Clock,
        *,
        gives_up: GivesUp = "",
        on_press: Callable[[str], None] = lambda digit: None,
        on_announced: Callable[[str], None] = lambda mark: None,
    ) -> None:
        """Prepare.

        Args:
            steps: What the person does.
            recordings: What their spoken steps sound like.
            clock: Tells the time.
            gives_up: When the person hangs up without asking the script.
            on_press: Told of every key that is pressed.
            on_announced: Told of the marks among the network's own announcements.
        """
        self.line = Line()
        self.agent = SoundMeter()
        self.caller = Caller(steps, recordings, self.agent, gives_up=gives_up)
        self.spoken = bytearray()
        """Every sample that the person sent."""

        self._clock = clock
        self._answered_at_s = clock.now_s()
        self._streams: list[Media] = []
        self._on_press = on_press
        self._on_announced = on_announced
        self._is_down = False

    @property
    def now_s(self) -> float:
        """For how long it has been off the hook."""
        return self._clock.now_s() - self._answered_at_s

    @property
    def heard(self) -> bytes:
        """Every sample that the person heard."""
        return bytes(self.line.heard)

    @property
    def turns(self) -> list[MeasuredTurn]:
        """How the call has gone so far."""
        return measured_turns(self.caller.utterances, self.agent, self.line.stream.stretches)

    def attach(self, media: Media) -> None:
        """Send a stream what is said from now on."""
        self._streams.append(media)

    def detach(self, media: Media) -> None:
        """Send a stream nothing more."""
        if media in self._streams:
            self._streams.remove(media)

    def put_down(self) -> None:
        """End the call from the other side; `run` returns at its next frame."""
        self._is_down = True

    async def run(self) -> bool:
        """Live until the call ends; return whether the person hung up, rather than the other side."""
        frames = 0
        while True:
            frames += 1
            due_s = frames * FRAME_S
            late_s = self.now_s - due_s
            if late_s > _BEHIND_S:
                self._answered_at_s += late_s
            await anyio.sleep(max(due_s - self.now_s, 0.0))
            if self._is_down:
                return False
            act = self.caller.next()
            if act.hangs_up:
                return True
            self.spoken += act.pcm
            played = self.line.play(max(due_s, self.now_s))
            self.agent.update(played.pcm)
            if act.pressed:
                self._on_press(act.pressed)
            for mark in played.announced:
                self._on_announced(mark)
            for stream in tuple(self._streams):
                await stream.carry(act.pcm, played.pcm)
                if act.pressed:
                    await stream.press(act.pressed)
                for mark in played.marks:
                    await stream.reach(mark)

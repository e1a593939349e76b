"""The loudspeaker of a telephone: a queue that is played in real time. No clock; instants are handed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from warmline.simulators.telephone.codec import RATE_HZ

__all__ = ["Line", "Played", "Stretch", "Track"]

_SAMPLE_BYTES: Final = 2
_SAME_REPLY_S: Final = 1.0
"""A queue that ran dry for less than this was late; for longer, the agent had said what it wanted to."""

_ROUNDING_SAMPLES: Final = 1e-3
"""Instants are sums of floats; a sample is due at its instant and not a rounding error later."""


class Stretch(msgspec.Struct, kw_only=True):
    """Audio that was played without a gap."""

    started_s: float
    ended_s: float
    is_underrun: bool = False
    """It came too late behind the stretch before it: between the two the listener heard nothing."""


class Track:
    """One source of sound on a line: a queue of audio, with marks between.

    What changes here: the queue, in `push`, `mark` and `clear`; what was played of it, in `play`, which
    all of them call first.
    """

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self.longest_lead_s = 0.0
        """The most that was ever queued ahead of its playing."""

        self._played_samples = 0
        self._untaken = bytearray()
        self._queue: deque[bytes | str] = deque()
        self._offset_bytes = 0
        """How much of the queue's first piece was played."""

        self._queued_bytes = 0
        self._reached: list[str] = []
        self._was_cleared = False

    @property
    def played_s(self) -> float:
        """How long the line has been up, as far as it was played."""
        return self._played_samples / RATE_HZ

    @property
    def lead_s(self) -> float:
        """How much is queued."""
        return self._queued_bytes / _SAMPLE_BYTES / RATE_HZ

    @property
    def underruns(self) -> int:
        """How often the queue ran dry inside a reply."""
        return sum(stretch.is_underrun for stretch in self.stretches)

    def push(self, pcm: bytes, now_s: float) -> None:
        """Queue audio; with an empty queue it is played from this instant on."""
        self._advance(now_s)
        if pcm:
            self._queue.append(pcm)
            self._queued_bytes += len(pcm)
            self.longest_lead_s = max(self.longest_lead_s, self.lead_s)

    def mark(self, name: str, now_s: float) -> None:
        """Have a name told when the audio before it was played; at the next `play` if there is none."""
        self._advance(now_s)
        self._queue.append(name)
        self._pass_marks()

    def clear(self, now_s: float) -> None:
        """Drop what is queued; the marks in it are told at the next `play`."""
        self._advance(now_s)
        self._reached += [item for item in self._queue if isinstance(item, str)]
        self._was_cleared = self._was_cleared or self._queued_bytes > 0
        self._queue.clear()
        self._offset_bytes = self._queued_bytes = 0

    def play(self, now_s: float) -> tuple[bytes, list[str]]:
        """Play up to an instant; return what was heard since the last time, and the marks that were passed.

        What is heard is silence where nothing was queued. Instants are seconds since the line began.
        """
        self._advance(now_s)
        heard, self._untaken = bytes(self._untaken), bytearray()
        reached, self._reached = self._reached, []
        return heard, reached

    def _advance(self, now_s: float) -> None:
        due_samples = int(now_s * RATE_HZ + _ROUNDING_SAMPLES) - self._played_samples
        due_bytes = due_samples * _SAMPLE_BYTES
        while due_bytes > 0:
            if not self._queue:
                self._hear(bytes(due_bytes))
                return
            piece = self._queue[0]
            assert isinstance(piece, bytes)  # marks at the front have been passed
            played = piece[self._offset_bytes : self._offset_bytes + due_bytes]
            self._sound(played)
            due_bytes -= len(played)
            self._offset_bytes += len(played)
            if self._offset_bytes >= len(piece):
                self._queue.popleft()
                self._offset_bytes = 0
                self._pass_marks()

    def _sound(self, pcm: bytes) -> None:
        began_s = self.played_s
        self._hear(pcm)
        self._queued_bytes -= len(pcm)
        last = self.stretches[-1] if self.stretches else None
        if last is not None and last.ended_s == began_s:
            last.ended_s = self.played_s
            return
        is_underrun = last is not None and not self._was_cleared and began_s - last.ended_s < _SAME_REPLY_S
        self._was_cleared = False
        self.stretches.append(Stretch(started_s=began_s, ended_s=self.played_s, is_underrun=is_underrun))

    def _hear(self, pcm: bytes) -> None:
        self._untaken += pcm
        self._played_samples += len(pcm) // _SAMPLE_BYTES

    def _pass_marks(self) -> None:
        while self._queue and isinstance(self._queue[0], str):
            self._reached.append(self._queue[0])
            self._queue.popleft()


@dataclass(frozen=True, slots=True)
class Played:
    """What a listener heard since the last time, and the marks that were passed."""

    pcm: bytes
    marks: tuple[str, ...] = ()
    announced: tuple[str, ...] = ()
    """Marks of the network's own announcements."""


@dataclass(slots=True)
class Line:
    """What one listener hears: the agent's stream, and what the network itself plays, mixed."""

    stream: Track = field(default_factory=Track)
    announcements: Track = field(default_factory=Track)
    heard: bytearray = field(default_factory=bytearray)
    """Every sample since the line began."""

    def play(self, now_s: float) -> Played:
        """Play up to an instant, in seconds since the line began."""
        # A push may have played one of the two a little further.
        until_s = max(now_s, self.stream.played_s, self.announcements.played_s)
        pcm, marks = self.stream.play(until_s)
        other, announced = self.announcements.play(until_s)
        if other.count(0) < len(other):
            mixed = np.frombuffer(pcm, np.int16).astype(np.int32) + np.frombuffer(other, np.int16)
            pcm = np.clip(mixed, -32_768, 32_767).astype(np.int16).tobytes()
        self.heard += pcm
        return Played(pcm, tuple(marks), tuple(announced))

"""Sound as files that a telephone network plays one behind the other. No I/O; instants are arguments.

A file costs a command's round trip before it sounds, and a gap behind it if the next one is not there in
time. So the first is short and leaves soon; the next is everything that came meanwhile, and leaves shortly
before it is needed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from warmline.core.formats import AudioFormat

__all__ = ["Gathering", "MarkPassed", "PlayFile", "SoundChanged", "Step"]

_FIRST_S: Final = 0.6
"""How much is gathered while nothing is played, and how long what is less is waited for."""

_NEXT_S: Final = 0.3
"""The shortest file behind another, unless a reply ends with it."""

_AHEAD_S: Final = 0.5
"""How long before a file ends the next one is handed over: time for a command, and for its file to be
fetched. Nothing more is handed over behind that."""

_MOST_S: Final = 10.0
"""The longest file: 80 kB of G.711, 107 kB in a command. Telnyx names no limit."""

_BEGIN_S: Final = 8.0
"""How long it may take to be told that a file is played: as long as its command may, and some more."""

_LATE_S: Final = 2.0
"""How long after its end by the clock it may take to be told of that."""

_ROUNDING_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class PlayFile:
    """Have a file played, behind the one that is."""

    audio: bytes
    burst: int
    """Counts rows of files without a pause between; what is told of another row is old news."""


@dataclass(frozen=True, slots=True)
class MarkPassed:
    """Everything in front of a mark was played."""

    name: str


@dataclass(frozen=True, slots=True)
class SoundChanged:
    """A file has begun to sound, or nothing sounds any more."""

    is_sounding: bool


Step = PlayFile | MarkPassed | SoundChanged


@dataclass(slots=True)
class _File:
    audio_s: float
    marks: deque[tuple[float, str]]
    """Where each stands in it, in seconds, and its name."""

    in_front_at_s: float
    """Since when nothing is to be played before it."""

    started_at_s: float | None = None

    @property
    def ends_at_s(self) -> float | None:
        return None if self.started_at_s is None else self.started_at_s + self.audio_s

    @property
    def given_up_at_s(self) -> float:
        if self.started_at_s is None:
            return self.in_front_at_s + self.audio_s + _BEGIN_S
        return self.started_at_s + self.audio_s + _LATE_S


@dataclass(slots=True)
class _Gathered:
    """What no file was made of yet."""

    audio: bytearray = field(default_factory=bytearray)
    marks: deque[tuple[int, str]] = field(default_factory=deque)
    """Behind how many bytes each stands."""

    since_s: float = 0.0
    is_whole: bool = False
    """The end of a reply is among it."""


class Gathering:
    """The files of one call: at most one that is played, and one behind it.

    The network tells of each file when it begins and when it has ended, a little late, and not always in
    that order. Between, the clock tells where its playing is.

    What changes here: what is gathered, in `add`, `mark` and `clear`; it moves to `_files` in `advance`,
    and is gone with `ended`, `clear`, or when nothing is told of a file for too long.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        """Prepare, for audio of one format."""
        self.burst = 0
        """Of the last file that was handed over."""

        self._format = audio_format
        self._gathered = _Gathered()
        self._files: deque[_File] = deque()
        self._is_sounding = False
        self._ends_to_pass_over = 0
        """Ends of files that were taken for played already."""

    @property
    def is_playing(self) -> bool:
        """Whether a file was handed over that is not known to have ended."""
        return bool(self._files)

    def add(self, audio: bytes, now_s: float) -> None:
        """Take whole samples that are to be played behind what came before."""
        if not self._gathered.audio:
            self._gathered.since_s = now_s
        self._gathered.audio += audio

    def mark(self, name: str, *, is_last: bool) -> None:
        """Note where something is to be told; with `is_last`, that a reply ends there."""
        if self._files and not self._gathered.audio:
            self._files[-1].marks.append((self._files[-1].audio_s, name))
            return
        self._gathered.marks.append((len(self._gathered.audio), name))
        self._gathered.is_whole = self._gathered.is_whole or is_last

    def clear(self) -> bool:
        """Forget everything; return whether something of it may be played, and is to be stopped."""
        was_playing = self.is_playing
        self._gathered = _Gathered()
        self._files.clear()
        self._is_sounding = False
        return was_playing

    def started(self, now_s: float) -> list[Step]:
        """Take the network's word that the next file has begun to sound."""
        steps: list[Step] = []
        if self._files and self._files[0].started_at_s is not None:
            if len(self._files) == 1:
                return []
            self._ends_to_pass_over += 1
            steps += self._end(now_s)
        if self._files:
            self._files[0].started_at_s = now_s
            self._is_sounding = True
            steps.append(SoundChanged(is_sounding=True))
        return steps + self.advance(now_s)

    def ended(self, now_s: float) -> list[Step]:
        """Take its word that a file was played to its end."""
        if self._ends_to_pass_over:
            self._ends_to_pass_over -= 1
            return []
        return self._end(now_s) + self.advance(now_s) if self._files else []

    def advance(self, now_s: float) -> list[Step]:
        """Return what is to be done and told by now, in order; for after `add` and `mark`, and when due."""
        now_s += _ROUNDING_S
        steps: list[Step] = []
        while self._files and now_s >= self._files[0].given_up_at_s:
            self._ends_to_pass_over += 1
            steps += self._end(now_s)
        if self._files:
            steps += self._passed(self._files[0], now_s)
        if not self._gathered.audio and not self._files:
            steps += [MarkPassed(name) for _, name in self._gathered.marks]
            self._gathered = _Gathered()
        elif self._gathered.audio and now_s >= self._cut_at_s():
            steps.append(self._cut(now_s))
        return steps

    def due_at_s(self) -> float | None:
        """When `advance` has something to do, if nothing happens before; None for never."""
        instants = [self._cut_at_s()] if self._gathered.audio else []
        if self._files:
            front = self._files[0]
            instants.append(front.given_up_at_s)
            if front.started_at_s is not None and front.marks and front.marks[0][0] < front.audio_s:
                instants.append(front.started_at_s + front.marks[0][0])
            if front.ends_at_s is not None and self._is_sounding and len(self._files) == 1:
                instants.append(front.ends_at_s)
        due_at_s = min(instants, default=float("inf"))
        return None if due_at_s == float("inf") else due_at_s

    def _cut_at_s(self) -> float:
        """When what is gathered becomes a file: in the past for at once, infinity while that is not known."""
        ends_at_s = self._files[0].ends_at_s if self._files else float("-inf")
        if len(self._files) > 1 or ends_at_s is None:
            return float("inf")
        gathered = self._gathered
        enough_s = _NEXT_S if self._files else _FIRST_S
        is_enough = gathered.is_whole or self._format.duration_s(len(gathered.audio)) >= enough_s
        return max(ends_at_s - _AHEAD_S, gathered.since_s + (0.0 if is_enough else _FIRST_S))

    def _cut(self, now_s: float) -> PlayFile:
        gathered = self._gathered
        size = min(len(gathered.audio), self._format.size_bytes(_MOST_S))
        audio = bytes(gathered.audio[:size])
        marks: deque[tuple[float, str]] = deque()
        while gathered.marks and gathered.marks[0][0] <= size:
            at, name = gathered.marks.popleft()
            marks.append((self._format.duration_s(at), name))
        del gathered.audio[:size]
        gathered.marks = deque((at - size, name) for at, name in gathered.marks)
        gathered.since_s = now_s
        gathered.is_whole = gathered.is_whole and bool(gathered.audio)
        if not self._files:
            self.burst += 1
            self._ends_to_pass_over = 0
        self._files.append(_File(self._format.duration_s(size), marks, now_s))
        return PlayFile(audio, self.burst)

    def _passed(self, front: _File, now_s: float) -> list[Step]:
        """Return the marks that lie behind in the file that is played; its end is the network's to tell."""
        steps: list[Step] = []
        if front.started_at_s is None:
            return steps
        played_s = now_s - front.started_at_s
        while front.marks and front.marks[0][0] <= played_s and front.marks[0][0] < front.audio_s:
            steps.append(MarkPassed(front.marks.popleft()[1]))
        if played_s >= front.audio_s and self._is_sounding and len(self._files) == 1:
            self._is_sounding = False
            steps.append(SoundChanged(is_sounding=False))
        return steps

    def _end(self, now_s: float) -> list[Step]:
        """Take the file in front for played."""
        file = self._files.popleft()
        steps: list[Step] = [MarkPassed(name) for _, name in file.marks]
        if self._files:
            self._files[0].in_front_at_s = now_s
        self._is_sounding = False
        return [*steps, SoundChanged(is_sounding=False)]

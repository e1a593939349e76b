"""A call's sound as files that its network plays, for where no media stream is to be had."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from warmline.audio.recordings import wav_file
from warmline.channels.telephone.gathering import Gathering, MarkPassed, PlayFile, SoundChanged, Step
from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat

__all__ = ["FileListener", "FilePlayer", "FileSink"]

_log = logging.getLogger(__name__)

_LEAD_S: Final = 4.0
"""How much is sent ahead: a few seconds are a file in which gaps are rare, and little is made in vain
when the person interrupts."""

_STATE: Final = "files "
"""What the state that goes with a file begins with."""


class FilePlayer(Protocol):
    """A network that plays files, in the order of these calls, which return at once."""

    def play_file(self, wav: bytes, state: str) -> None:
        """Play a WAV file behind the one that is played; `state` comes with what is told of it."""
        ...

    def stop_files(self) -> None:
        """Stop what is played, and drop what is behind it."""
        ...

    def files_over(self) -> None:
        """Play no more files: the call has a stream, or is over."""
        ...


class FileListener(Protocol):
    """Who is told what was played."""

    def mark_reached(self, name: str) -> None:
        """Everything in front of a mark was played."""
        ...

    def sound_changed(self, *, is_sounding: bool) -> None:
        """Playing goes on from here, or nothing sounds just now."""
        ...


class FileSink:
    """One call's files. Implements `warmline.channels.telephone.sinks.MediaSink`.

    What changes here: the gathering, and the timer for what is due next; all on the event loop.
    """

    least_lead_s = _LEAD_S

    def __init__(
        self, audio_format: AudioFormat, player: FilePlayer, listener: FileListener, clock: Clock
    ) -> None:
        """Prepare.

        Args:
            audio_format: Of what will be played.
            player: Who plays it.
            listener: Who is told of it.
            clock: The session's.
        """
        self._format = audio_format
        self._player = player
        self._listener = listener
        self._clock = clock
        self._gathering = Gathering(audio_format)
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def play(self, audio: bytes) -> None:
        """Gather it; some of it may be due."""
        if not self._is_closed:
            self._gathering.add(audio, self._clock.now_s())
            self._advance()

    def mark(self, name: str, *, is_last: bool) -> None:
        """Note where it stands."""
        if not self._is_closed:
            self._gathering.mark(name, is_last=is_last)
            self._advance()

    def clear(self) -> None:
        """Stop what is played, and forget what is not."""
        if self._gathering.clear():
            self._player.stop_files()
        self._schedule()

    def close(self, code: int, reason: str) -> None:
        """Stop for good."""
        if not self._is_closed:
            self._is_closed = True
            self.clear()
            self._player.files_over()

    def started(self, state: str) -> None:
        """Take the network's word that a file is played; `state` as it came with it, empty if it did not."""
        if self._is_current(state):
            self._take(self._gathering.started(self._clock.now_s()))

    def ended(self, state: str) -> None:
        """Take its word that a file was played to its end; `state` as above."""
        if self._is_current(state):
            self._take(self._gathering.ended(self._clock.now_s()))

    def _is_current(self, state: str) -> bool:
        return not self._is_closed and state in ("", f"{_STATE}{self._gathering.burst}")

    def _advance(self) -> None:
        self._take(self._gathering.advance(self._clock.now_s()))

    def _take(self, steps: list[Step]) -> None:
        self._schedule()
        # Files first: whoever is told of something may have everything stopped.
        for step in steps:
            if isinstance(step, PlayFile):
                _log.debug("file.sent", extra={"audio_s": self._format.duration_s(len(step.audio))})
                self._player.play_file(wav_file(step.audio, self._format), f"{_STATE}{step.burst}")
        for step in steps:
            match step:
                case MarkPassed(name=name):
                    self._listener.mark_reached(name)
                case SoundChanged(is_sounding=is_sounding):
                    self._listener.sound_changed(is_sounding=is_sounding)
                case PlayFile():
                    pass

    def _schedule(self) -> None:
        """Set the timer for what is due next, in place of the one before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_at_s = self._gathering.due_at_s()
        if due_at_s is not None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(due_at_s - self._clock.now_s(), 0.0), self._advance)

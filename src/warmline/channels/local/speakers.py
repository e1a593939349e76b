"""What a reply is played on: this machine's loudspeaker, or one that is only reckoned."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from warmline.audio.playout import Playout
from warmline.channels.local.devices import open_stream, sound_library
from warmline.core.clock import Clock
from warmline.core.formats import PCM_24K

__all__ = ["DeviceSpeaker", "ReckonedSpeaker", "Speaker"]


class Speaker(Protocol):
    """Plays 24 kHz pcm16; one reply at a time."""

    @property
    def played_s(self) -> float:
        """How much was played since the last `stop`."""
        ...

    def play(self, pcm: bytes) -> None:
        """Queue audio; never blocks."""
        ...

    def stop(self) -> None:
        """Be silent at once, drop what is queued, and count from zero again."""
        ...

    def close(self) -> None:
        """Let the device go."""
        ...


class ReckonedSpeaker:
    """A loudspeaker that makes no sound and takes as long as one that does, or a part of it.

    What changes here: what was played, in `play` and `stop`.
    """

    def __init__(self, clock: Clock, *, speed: float = 1.0) -> None:
        """Make one that plays at `speed` times real time."""
        self._clock = clock
        self._speed = speed
        self._playout = Playout()

    @property
    def played_s(self) -> float:
        """How much would have been heard."""
        return self._playout.heard_s(self._now_s())

    def play(self, pcm: bytes) -> None:
        """Queue audio."""
        self._playout.sent(PCM_24K.duration_s(len(pcm)), self._now_s())

    def stop(self) -> None:
        """Drop what is queued."""
        self._playout = Playout()

    def close(self) -> None:
        """Nothing is held."""

    def _now_s(self) -> float:
        return self._clock.now_s() * self._speed


class DeviceSpeaker:
    """This machine's default loudspeaker.

    What changes here: the queue and the count, under a lock: the device asks for audio on a thread
    of its own.
    """

    def __init__(self) -> None:
        """Open the device.

        Raises:
            InputError: there is none, or the library that reaches it is missing.
        """
        self._lock = threading.Lock()
        self._queue = bytearray()
        self._played_bytes = 0
        self._stream = open_stream(
            sound_library().RawOutputStream,
            samplerate=PCM_24K.rate_hz,
            channels=1,
            dtype="int16",
            latency="low",
            callback=self._fill,
        )

    @property
    def played_s(self) -> float:
        """How much was handed to the device, less what waits inside it."""
        with self._lock:
            return max(PCM_24K.duration_s(self._played_bytes) - float(self._stream.latency), 0.0)

    def play(self, pcm: bytes) -> None:
        """Queue audio."""
        with self._lock:
            self._queue += pcm

    def stop(self) -> None:
        """Drop what is queued."""
        with self._lock:
            self._queue.clear()
            self._played_bytes = 0

    def close(self) -> None:
        """Let the device go."""
        self._stream.close()

    def _fill(self, out: Any, _frames: int, _time: Any, _status: Any) -> None:
        with self._lock:
            piece = bytes(self._queue[: len(out)])
            del self._queue[: len(piece)]
            self._played_bytes += len(piece) if piece else 0
        out[: len(piece)] = piece
        out[len(piece) :] = bytes(len(out) - len(piece))

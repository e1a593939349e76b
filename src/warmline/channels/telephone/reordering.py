"""Chunks of audio in the order in which they were spoken. No I/O, and no clock: chunks tell the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmline.channels.telephone.media import MediaAudio
from warmline.core.formats import AudioFormat

__all__ = ["Reordering"]

_WAITING: Final = 3
"""Chunks behind a gap for which the gap is waited for: 60 ms."""

_WAITING_MS: Final = 60
"""The same for a chunk that lies further behind it than its number says."""

_FILLED_S: Final = 0.2
"""What of a gap is filled with silence; a longer one is no loss of packets but of the network."""

_RESTARTED: Final = 50
"""A number that lies so far back, 1 s, belongs to a new count."""


class Reordering:
    """One stream's chunks, put in order.

    What is in order goes through as it is. A chunk that lies behind a gap waits for what is missing, and
    what does not come is filled with silence, so that the samples keep their places.

    What changes here: the number that comes next, and the chunks that wait; in `push` and `flush`.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        """Prepare; the first chunk's number is 1, or 0."""
        self._format = audio_format
        self._next = 1
        self._due_ms: int | None = None
        """When the next one begins; None before the first."""

        self._frame_bytes = 0
        """The size of the last one."""

        self._waiting: dict[int, MediaAudio] = {}

    def push(self, chunk: MediaAudio) -> Sequence[bytes]:
        """Return the audio that can be heard now, in order; none if the chunk came before or too late."""
        if chunk.chunk == self._next and not self._waiting:
            return (self._take(chunk),)
        if chunk.chunk < self._next:
            if self._due_ms is not None and chunk.chunk > self._next - _RESTARTED:
                return ()
            waited = self.flush()
            self._due_ms = None
            return (*waited, self._take(chunk))
        self._waiting.setdefault(chunk.chunk, chunk)
        ready = self._in_order()
        while self._waiting and self._is_given_up():
            ready += self._filling(min(self._waiting))
            ready += self._in_order()
        return ready

    def flush(self) -> Sequence[bytes]:
        """Return what waits, in order; for when nothing more comes."""
        ready: list[bytes] = []
        while self._waiting:
            ready += self._filling(min(self._waiting))
            ready += self._in_order()
        return ready

    def _take(self, chunk: MediaAudio) -> bytes:
        self._next = chunk.chunk + 1
        self._frame_bytes = len(chunk.audio)
        self._due_ms = chunk.timestamp_ms + round(self._format.duration_s(self._frame_bytes) * 1000)
        return chunk.audio

    def _in_order(self) -> list[bytes]:
        ready: list[bytes] = []
        while (chunk := self._waiting.pop(self._next, None)) is not None:
            ready.append(self._take(chunk))
        return ready

    def _is_given_up(self) -> bool:
        """Whether what is missing is waited for no longer."""
        if len(self._waiting) >= _WAITING:
            return True
        last_ms = max(chunk.timestamp_ms for chunk in self._waiting.values())
        return self._due_ms is not None and last_ms - self._due_ms >= _WAITING_MS

    def _filling(self, until: int) -> list[bytes]:
        """Go on at the number `until`; return the silence in front of it."""
        missing_bytes = (until - self._next) * self._frame_bytes
        self._next = until
        filled_bytes = min(missing_bytes, self._format.size_bytes(_FILLED_S))
        return [self._format.encoding.silent_byte * filled_bytes] if filled_bytes else []

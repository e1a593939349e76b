"""Server-sent events: bytes in, the data of each event out (WHATWG HTML, 9.2.6). No I/O."""

from __future__ import annotations

from typing import Final

from warmline.errors import RemoteProtocolError

__all__ = ["EventStream"]

_EVENT_BYTES: Final = 1_048_576
"""No event of a language model is near as large."""


class EventStream:
    """Cuts a stream of any pieces into events; lines may end in LF, CRLF or CR.

    What changes here: `_rest`, the line that is not complete, and `_data`, the event that is not.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size_bytes = 0
        self._ended_in_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes, UTF-8 as it was sent.

        Raises:
            RemoteProtocolError: an event is larger than any could be.
        """
        if self._ended_in_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._ended_in_cr = piece.endswith(b"\r") if piece else self._ended_in_cr
        self._rest += piece
        self._size_bytes += len(piece)
        if self._size_bytes > _EVENT_BYTES and len(self._rest) > _EVENT_BYTES:
            raise RemoteProtocolError("an event is larger than 1 MiB", code="event_too_large")
        *lines, rest = bytes(self._rest).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = bytearray(rest)
        events = []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
                self._size_bytes = 0
        return events

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            if self._size_bytes > _EVENT_BYTES:
                raise RemoteProtocolError("an event is larger than 1 MiB", code="event_too_large")
            self._data.append(value.removeprefix(b" "))

"""Where a call's sound goes: a media stream as a rule."""

from __future__ import annotations

from typing import Protocol

from warmline.channels.telephone.media import MediaSocket, MediaWire

__all__ = ["MediaSink", "StreamSink"]


class MediaSink(Protocol):
    """What plays a call's sound, in order, and says what was played; all calls return at once."""

    @property
    def least_lead_s(self) -> float:
        """How much has to be sent ahead of its playing, at least, so that there are no gaps."""
        ...

    def play(self, audio: bytes) -> None:
        """Play whole samples, 20 ms or more of them, behind what was sent before."""
        ...

    def mark(self, name: str, *, is_last: bool) -> None:
        """Tell when everything sent before was played; with `is_last`, a reply ends here."""
        ...

    def clear(self) -> None:
        """Drop what is not played yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Play nothing more; the code is one of RFC 6455."""
        ...


class StreamSink:
    """A media stream, as a `MediaSink`."""

    least_lead_s = 0.0

    def __init__(self, wire: MediaWire, socket: MediaSocket) -> None:
        """Prepare.

        Args:
            wire: How its messages are written.
            socket: Where they go.
        """
        self._wire = wire
        self._socket = socket

    def play(self, audio: bytes) -> None:
        """Send it."""
        self._socket.send(self._wire.encode_audio(audio))

    def mark(self, name: str, *, is_last: bool) -> None:
        """Send it; all of them come back alike."""
        self._socket.send(self._wire.encode_mark(name))

    def clear(self) -> None:
        """Send that."""
        self._socket.send(self._wire.encode_clear())

    def close(self, code: int, reason: str) -> None:
        """Close the socket."""
        self._socket.close(code, reason)

"""Frames on the pipes between this process and its children, and the child's end of them.

A frame is a kind (one byte), a number (what it is about: an utterance, a request), a length and so
many bytes. Nothing here awaits: the parent feeds what came, the child reads until its parent is gone.
"""

from __future__ import annotations

import os
import signal
import struct
import threading
from collections.abc import Iterator
from typing import Final, NamedTuple

from warmline.errors import RemoteProtocolError

__all__ = ["ChildPipes", "Frame", "FrameSplitter", "pack_frame"]

_HEADER: Final = struct.Struct("<BqI")

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
"""A longer frame means that the far end is not speaking this protocol."""

_READ_BYTES: Final = 65_536


class Frame(NamedTuple):
    """One message."""

    kind: int
    number: int
    payload: bytes


def pack_frame(kind: int, number: int = 0, payload: bytes = b"") -> bytes:
    """Return a frame as it is written to a pipe."""
    return _HEADER.pack(kind, number, len(payload)) + payload


class FrameSplitter:
    """Cuts the bytes of a pipe into frames.

    What changes here: the bytes of a frame that is not whole yet, and only in `feed`.
    """

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes, in order.

        Raises:
            RemoteProtocolError: the bytes are no frames.
        """
        self._pending += data
        frames: list[Frame] = []
        start = 0
        while len(self._pending) - start >= _HEADER.size:
            kind, number, size = _HEADER.unpack_from(self._pending, start)
            if size > MAX_PAYLOAD_BYTES:
                raise RemoteProtocolError(
                    f"reading a pipe: a frame of {size} bytes, more than {MAX_PAYLOAD_BYTES}",
                    code="frame_too_long",
                )
            body = start + _HEADER.size
            if len(self._pending) < body + size:
                break
            frames.append(Frame(kind, number, bytes(self._pending[body : body + size])))
            start = body + size
        del self._pending[:start]
        return frames


class ChildPipes:
    """The child's standard input and output, taken over for frames.

    Afterwards a stray print, ours or a C library's, goes to standard error and cannot damage a
    frame. Ctrl-C is left to the parent: the child ends when its input does.
    """

    def __init__(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._output = os.dup(1)
        os.dup2(2, 1)
        self._splitter = FrameSplitter()
        self._writing = threading.Lock()

    def read(self) -> Iterator[list[Frame]]:
        """Yield what has come, several frames at a time if they waited, until the parent is gone.

        Raises:
            RemoteProtocolError: what came is no frames.
        """
        while data := os.read(0, _READ_BYTES):
            if frames := self._splitter.feed(data):
                yield frames

    def write(self, kind: int, number: int = 0, payload: bytes = b"") -> None:
        """Send a frame; blocks while the pipe is full. Any thread may call it."""
        data = memoryview(pack_frame(kind, number, payload))
        with self._writing:
            while data:
                data = data[os.write(self._output, data) :]

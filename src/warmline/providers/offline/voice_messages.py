"""What the voice's process is told, and what it says."""

from __future__ import annotations

import enum

import msgspec

__all__ = [
    "Command",
    "Report",
    "SpeakRequest",
    "Spoken",
    "decode_request",
    "decode_spoken",
    "encode_request",
    "encode_spoken",
]


class Command(enum.IntEnum):
    """To the child; a frame's number is the request's."""

    SPEAK = 1
    """A new request: a `SpeakRequest`. Two pieces are made at once."""

    MORE = 2
    """One piece has been used up: make another."""

    CANCEL = 3
    """Nothing more of it is wanted."""


class Report(enum.IntEnum):
    """From the child."""

    READY = 1
    """Loaded."""

    AUDIO = 2
    """More of a request: a `Spoken`."""

    PIECE_DONE = 3
    """A piece of it is complete."""

    DONE = 4
    """The request is complete."""

    FAILED = 5
    """The request, or with number 0 the whole process, cannot go on; the payload says why."""


class SpeakRequest(msgspec.Struct, array_like=True, frozen=True):
    """What to say, and how to write it down."""

    text: str
    encoding: str
    rate_hz: int


class Spoken(msgspec.Struct, array_like=True, frozen=True):
    """Audio, and the words that begin in it as (text_start, text_end, start_ms)."""

    audio: bytes
    words: tuple[tuple[int, int, int], ...] = ()


encode_request = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(SpeakRequest).decode
encode_spoken = msgspec.msgpack.Encoder().encode
decode_spoken = msgspec.msgpack.Decoder(Spoken).decode

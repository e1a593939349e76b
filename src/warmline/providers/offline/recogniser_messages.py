"""What a recogniser's process is told, and what it says."""

from __future__ import annotations

import enum

import msgspec

__all__ = ["Command", "Heard", "Report", "decode_heard", "encode_heard"]


class Command(enum.IntEnum):
    """To the child; a frame's number is the utterance's."""

    BEGIN = 1
    """An utterance begins."""

    AUDIO = 2
    """More of it: 16 kHz pcm16."""

    FINISH = 3
    """It is over; answered by `Report.FINAL`."""

    DISCARD = 4
    """It is over and not wanted."""

    RESET = 5
    """Another speaker comes; answered by `Report.READY`."""

    NARROWBAND = 6
    """This speaker is on a telephone; stands until `RESET`."""


class Report(enum.IntEnum):
    """From the child."""

    READY = 1
    """Loaded, or reset."""

    PARTIAL = 2
    """The utterance so far: a `Heard`."""

    FINAL = 3
    """All of the utterance: a `Heard`."""


class Heard(msgspec.Struct, array_like=True, frozen=True):
    """What was understood."""

    text: str
    alternatives: tuple[str, ...] = ()


encode_heard = msgspec.msgpack.Encoder().encode
decode_heard = msgspec.msgpack.Decoder(Heard).decode

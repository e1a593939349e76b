"""What goes over a media stream, whichever network it is of. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import msgspec

from warmline.core.formats import AudioFormat
from warmline.errors import RemoteProtocolError

__all__ = [
    "KeyPressed",
    "MarkReached",
    "MediaAudio",
    "MediaConnected",
    "MediaEvent",
    "MediaProblem",
    "MediaSocket",
    "MediaStarted",
    "MediaStopped",
    "MediaWire",
    "decode_event",
]

_Message = TypeVar("_Message")


@dataclass(frozen=True, slots=True)
class MediaConnected:
    """The far end is there; `MediaStarted` follows."""

    token: str = ""
    """The secret that it was given for this; empty where it was given none."""


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """Audio begins to flow."""

    stream_id: str
    call_id: str
    """The network's name for the call: `call_control_id`, or `CallSid`."""

    audio_format: AudioFormat
    """How the person's audio comes; what is sent may have another format."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """What we gave the stream along."""

    client_state: str = ""
    """What we gave the call along, decoded."""

    from_number: str = ""
    """Empty where the network does not say it here."""

    to_number: str = ""


@dataclass(frozen=True, slots=True)
class MediaAudio:
    """20 ms of the person's audio, as a rule; not always in order."""

    audio: bytes
    """In the stream's format."""

    chunk: int
    """Counts them, from 1 on."""

    timestamp_ms: int
    """When it begins, in milliseconds of the stream."""


@dataclass(frozen=True, slots=True)
class MarkReached:
    """All audio in front of a mark was played, or dropped by a clear."""

    name: str


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The person pressed a key of the telephone."""

    digit: str
    """0 to 9, `*`, `#`, or A to D."""


@dataclass(frozen=True, slots=True)
class MediaStopped:
    """No more audio comes: the call is over, or the stream was stopped."""


@dataclass(frozen=True, slots=True)
class MediaProblem:
    """The far end could not use what it was sent; the stream goes on."""

    code: str
    title: str
    detail: str = ""


MediaEvent = (
    MediaConnected | MediaStarted | MediaAudio | MarkReached | KeyPressed | MediaStopped | MediaProblem
)


class MediaWire(Protocol):
    """How one stream's messages are written; each is one text message of a WebSocket, as UTF-8."""

    @property
    def output_format(self) -> AudioFormat:
        """The audio that the far end takes."""
        ...

    def decode(self, message: bytes) -> MediaEvent | None:
        """Return what a message says; None if it is of a type that says nothing to us.

        Raises:
            RemoteProtocolError: it is no message of this wire; the code is `unsupported_codec` if the
                stream is in a format that nothing can be made of.
        """
        ...

    def encode_audio(self, audio: bytes) -> bytes:
        """Return the message that has `audio` played, in `output_format`, behind what was sent before.

        Raises:
            LocalProtocolError: the stream has not started, and this wire can't say where it goes.
        """
        ...

    def encode_mark(self, name: str) -> bytes:
        """Return the message that asks to be told when everything sent before it was played.

        Raises:
            LocalProtocolError: as above.
        """
        ...

    def encode_clear(self) -> bytes:
        """Return the message that drops what is not played yet; its marks come back at once.

        Raises:
            LocalProtocolError: as above.
        """
        ...


class MediaSocket(Protocol):
    """The way to the far end; both calls return at once."""

    def send(self, message: bytes) -> None:
        """Send one text message, UTF-8."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close with a code of RFC 6455."""
        ...


class _Named(msgspec.Struct):
    event: str


_NAMED: Final = msgspec.json.Decoder(_Named)


def decode_event(
    decode: Callable[[bytes], _Message], known: frozenset[str], message: bytes
) -> _Message | None:
    """Return what `decode` makes of a message; None if its type is not known.

    Args:
        decode: Of msgspec, for a union that is tagged by `event`.
        known: The union's tags.
        message: One text message.

    Raises:
        RemoteProtocolError: it is no message.
    """
    try:
        return decode(message)
    except msgspec.ValidationError as error:
        if _type_of(message) not in (None, *known):
            return None
        what, _, where = str(error).partition(" - at `$.")
        raise RemoteProtocolError(
            f"a media message is wrong: {what}", code="invalid_value", param=where.rstrip("`") or None
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"a media message is not JSON: {error}", code="invalid_json") from error


def _type_of(message: bytes) -> str | None:
    """Return what a message says it is, or None if it does not."""
    try:
        return _NAMED.decode(message).event
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

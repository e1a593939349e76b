"""Twilio's media stream: its messages, and ours, each of which names the stream. No I/O.

https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import binascii
from typing import Annotated, Final

import msgspec

from warmline.channels.telephone.media import (
    KeyPressed,
    MarkReached,
    MediaAudio,
    MediaConnected,
    MediaEvent,
    MediaStarted,
    MediaStopped,
    decode_event,
)
from warmline.core.formats import PCMU_8K, AudioFormat
from warmline.errors import LocalProtocolError, RemoteProtocolError

__all__ = ["TwilioMediaWire"]

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Connected(msgspec.Struct, tag_field="event", tag="connected"):
    pass


class _Format(msgspec.Struct, rename="camel"):
    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8_000
    channels: int = 1


class _Start(msgspec.Struct, rename="camel"):
    call_sid: str
    media_format: _Format = msgspec.field(default_factory=_Format)
    custom_parameters: dict[str, str] | None = None


class _Started(msgspec.Struct, tag_field="event", tag="start", rename="camel"):
    start: _Start
    stream_sid: str


class _Media(msgspec.Struct):
    payload: bytes
    chunk: _Count
    timestamp: _Count = 0
    track: str = "inbound"


class _Audio(msgspec.Struct, tag_field="event", tag="media"):
    media: _Media


class _Key(msgspec.Struct):
    digit: Annotated[str, msgspec.Meta(pattern="^[0-9A-Da-d*#]$")]


class _Pressed(msgspec.Struct, tag_field="event", tag="dtmf"):
    dtmf: _Key


class _Mark(msgspec.Struct):
    name: str


class _Reached(msgspec.Struct, tag_field="event", tag="mark"):
    mark: _Mark


class _Stopped(msgspec.Struct, tag_field="event", tag="stop"):
    pass


_DECODER: Final = msgspec.json.Decoder(
    _Audio | _Reached | _Pressed | _Connected | _Started | _Stopped, strict=False
)
_KNOWN: Final = frozenset({"media", "mark", "dtmf", "connected", "start", "stop"})


class TwilioMediaWire:
    """One stream, as a `MediaWire`: mu-law at 8 kHz both ways.

    What changes here: the stream's name, when it starts.
    """

    def __init__(self) -> None:
        self._stream = b""
        """Its name, as JSON; empty before it starts."""

    @property
    def output_format(self) -> AudioFormat:
        """Mu-law at 8 kHz."""
        return PCMU_8K

    def decode(self, message: bytes) -> MediaEvent | None:
        """Return what a message says; None if it says nothing to us."""
        found = decode_event(_DECODER.decode, _KNOWN, message)
        match found:
            case _Audio(media=media):
                is_heard = media.track != "outbound"
                return MediaAudio(media.payload, media.chunk, media.timestamp) if is_heard else None
            case _Reached(mark=mark):
                return MarkReached(mark.name)
            case _Pressed(dtmf=key):
                return KeyPressed(key.digit.upper())
            case _Connected():
                return MediaConnected()
            case _Started():
                return self._started(found)
            case _Stopped():
                return MediaStopped()
        return None

    def encode_audio(self, audio: bytes) -> bytes:
        """Return the message that has it played, of any length."""
        return (
            b'{"event":"media","streamSid":'
            + self._named()
            + b',"media":{"payload":"'
            + binascii.b2a_base64(audio, newline=False)
            + b'"}}'
        )

    def encode_mark(self, name: str) -> bytes:
        """Return the message that asks to be told."""
        return (
            b'{"event":"mark","streamSid":'
            + self._named()
            + b',"mark":{"name":'
            + msgspec.json.encode(name)
            + b"}}"
        )

    def encode_clear(self) -> bytes:
        """Return the message that drops what is queued."""
        return b'{"event":"clear","streamSid":' + self._named() + b"}"

    def _named(self) -> bytes:
        if not self._stream:
            raise LocalProtocolError("a message to Twilio names its stream, and none has started")
        return self._stream

    def _started(self, found: _Started) -> MediaStarted:
        media = found.start.media_format
        if (media.encoding.lower(), media.sample_rate, media.channels) != ("audio/x-mulaw", 8_000, 1):
            raise RemoteProtocolError(
                f"a stream came as {media.encoding}, {media.sample_rate} Hz, {media.channels} channels, "
                "and mu-law at 8 kHz of one channel is understood",
                code="unsupported_codec",
                param="start.mediaFormat",
            )
        self._stream = msgspec.json.encode(found.stream_sid)
        return MediaStarted(
            stream_id=found.stream_sid,
            call_id=found.start.call_sid,
            audio_format=PCMU_8K,
            parameters=found.start.custom_parameters or {},
        )

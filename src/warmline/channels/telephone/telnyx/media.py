"""Telnyx's media stream: its messages, and ours. No I/O.

Numbers come as strings, and as numbers. RTP packets come without their headers, and in no certain order.
https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from warmline.channels.telephone.media import (
    KeyPressed,
    MarkReached,
    MediaAudio,
    MediaConnected,
    MediaEvent,
    MediaProblem,
    MediaStarted,
    MediaStopped,
    decode_event,
)
from warmline.channels.telephone.telnyx.client_state import decode_client_state
from warmline.core.formats import PCMU_8K, AudioFormat, Encoding
from warmline.errors import RemoteProtocolError

__all__ = ["ByteOrder", "TelnyxMediaWire", "codec_name"]

ByteOrder = Literal["little", "big"]

_CODECS: Final[Mapping[str, Encoding]] = {
    "PCMU": Encoding.PCMU,
    "PCMA": Encoding.PCMA,
    "L16": Encoding.PCM16,
}
_NAMES: Final = {encoding: name for name, encoding in _CODECS.items()}
_RATES_HZ: Final = {
    Encoding.PCMU: (8_000,),
    Encoding.PCMA: (8_000,),
    Encoding.PCM16: (8_000, 16_000),
}
"""Which of them speech can be heard in without being resampled."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Connected(msgspec.Struct, tag_field="event", tag="connected"):
    token: str = msgspec.field(default="", name="x-telnyx-streaming-auth-token")


class _Format(msgspec.Struct):
    encoding: str
    sample_rate: int = 8_000
    channels: int = 1


class _Start(msgspec.Struct):
    call_control_id: str
    media_format: _Format
    from_number: str | None = msgspec.field(default=None, name="from")
    to_number: str | None = msgspec.field(default=None, name="to")
    client_state: str | None = None
    custom_parameters: Any = None
    """An object; a list of names and values is how they are given."""


class _Started(msgspec.Struct, tag_field="event", tag="start"):
    start: _Start
    stream_id: str


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


class _Problem(msgspec.Struct):
    code: int | str = ""
    title: str = ""
    detail: str = ""


class _Failed(msgspec.Struct, tag_field="event", tag="error"):
    payload: _Problem | None = None
    error: _Problem | None = None


_DECODER: Final = msgspec.json.Decoder(
    _Audio | _Reached | _Pressed | _Connected | _Started | _Stopped | _Failed, strict=False
)
_KNOWN: Final = frozenset({"media", "mark", "dtmf", "connected", "start", "stop", "error"})

_CLEAR: Final = b'{"event":"clear"}'


class TelnyxMediaWire:
    """One stream, as a `MediaWire`.

    What changes here: whether the person's audio is L16, when the stream starts.
    """

    def __init__(self, output_format: AudioFormat = PCMU_8K, *, l16_order: ByteOrder = "little") -> None:
        """Prepare.

        Args:
            output_format: What `stream_bidirectional_codec` asked for. The person's audio may come in
                another: in the call's own, where it can't be had as `stream_codec` asked for.
            l16_order: How L16 is written. RFC 3551 says `big`; Telnyx's own examples write `little`,
                and its documentation says nothing.
        """
        self._output_format = output_format
        self._is_swapped = l16_order == "big"
        self._hears_l16 = False

    @property
    def output_format(self) -> AudioFormat:
        """What it was asked to take."""
        return self._output_format

    def decode(self, message: bytes) -> MediaEvent | None:
        """Return what a message says; None if it says nothing to us."""
        found = decode_event(_DECODER.decode, _KNOWN, message)
        match found:
            case _Audio(media=media):
                if media.track == "outbound":
                    return None  # Our own voice.
                audio = self._samples(media.payload) if self._hears_l16 else media.payload
                return MediaAudio(audio, media.chunk, media.timestamp)
            case _Reached(mark=mark):
                return MarkReached(mark.name)
            case _Pressed(dtmf=key):
                return KeyPressed(key.digit.upper())
            case _Connected(token=token):
                return MediaConnected(token)
            case _Started():
                return self._started(found)
            case _Stopped():
                return MediaStopped()
            case _Failed():
                problem = found.payload or found.error or _Problem()
                return MediaProblem(str(problem.code), problem.title, problem.detail)
        return None

    def encode_audio(self, audio: bytes) -> bytes:
        """Return the message that has it played; 20 ms to 30 s of it."""
        if self._is_swapped and self._output_format.encoding is Encoding.PCM16:
            audio = _swapped(audio)
        return b'{"event":"media","media":{"payload":"' + binascii.b2a_base64(audio, newline=False) + b'"}}'

    def encode_mark(self, name: str) -> bytes:
        """Return the message that asks to be told."""
        return b'{"event":"mark","mark":{"name":' + msgspec.json.encode(name) + b"}}"

    def encode_clear(self) -> bytes:
        """Return the message that drops what is queued."""
        return _CLEAR

    def _started(self, found: _Started) -> MediaStarted:
        start = found.start
        audio_format = _audio_format(start.media_format)
        self._hears_l16 = audio_format.encoding is Encoding.PCM16
        return MediaStarted(
            stream_id=found.stream_id,
            call_id=start.call_control_id,
            audio_format=audio_format,
            parameters=_parameters(start.custom_parameters),
            client_state=decode_client_state(start.client_state),
            from_number=start.from_number or "",
            to_number=start.to_number or "",
        )

    def _samples(self, audio: bytes) -> bytes:
        if len(audio) & 1:
            raise RemoteProtocolError("L16 has half a sample", code="invalid_value", param="media.payload")
        return _swapped(audio) if self._is_swapped else audio


def codec_name(audio_format: AudioFormat) -> str:
    """Return what Telnyx calls an encoding; the rate is another of its parameters."""
    return _NAMES[audio_format.encoding]


def _audio_format(found: _Format) -> AudioFormat:
    encoding = _CODECS.get(found.encoding.upper())
    if encoding is None or found.sample_rate not in _RATES_HZ[encoding] or found.channels != 1:
        raise RemoteProtocolError(
            f"a media stream came as {found.encoding}, {found.sample_rate} Hz, {found.channels} channels, "
            "and PCMU, PCMA and L16 of one channel are understood: ask for one of them as stream_codec",
            code="unsupported_codec",
            param="start.media_format",
        )
    return AudioFormat(encoding, found.sample_rate)


def _parameters(found: Any) -> dict[str, str]:
    if isinstance(found, list):
        pairs = [(each.get("name"), each.get("value")) for each in found if isinstance(each, dict)]
    else:
        pairs = list(found.items()) if isinstance(found, dict) else []
    return {str(name): str(value) for name, value in pairs}


def _swapped(audio: bytes) -> bytes:
    """Return 16-bit samples in the other byte order."""
    return np.frombuffer(audio, np.int16).byteswap().tobytes()

"""Telnyx's media streaming: its WebSocket, message by message."""

from __future__ import annotations

import base64
import binascii
from random import Random
from typing import Any, Final, Protocol

import anyio.to_thread
import msgspec
import soundfile

from warmline.core.clock import utc_now
from warmline.simulators.recordings import pcm16
from warmline.simulators.telephone.codec import RATE_HZ, Codec
from warmline.simulators.telephone.media import MediaStream, StreamRefused
from warmline.simulators.telephone.phone import Phone
from warmline.simulators.telephone.placing import Callee, CallFaults, PlacedCall, codec_named
from warmline.simulators.telephone.report import LoggedStream
from warmline.simulators.telnyx.commands import StreamOptions

__all__ = ["USER_ID", "Streamed", "TelnyxStream"]

USER_ID: Final = "3e6f995f-85f7-4705-9741-53b116d28237"
"""The account's, as `start` and `stop` name it."""

_SHORTEST_S: Final = 0.02
_LONGEST_S: Final = 30.0
_ROUNDING_S: Final = 1e-6
_FILE_EVERY_S: Final = 1.0
"""In `mp3` mode a server may send one message a second."""

_TRACKS: Final = {
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
    "both_tracks": ("inbound", "outbound"),
}
_UNKNOWN: Final = 100002
_MALFORMED: Final = 100003
_INVALID: Final = 100004
_TOO_MANY: Final = 100005


class _Media(msgspec.Struct, frozen=True):
    payload: str


class _Mark(msgspec.Struct, frozen=True):
    name: str


class _MediaMessage(msgspec.Struct, frozen=True, tag_field="event", tag="media"):
    media: _Media


class _MarkMessage(msgspec.Struct, frozen=True, tag_field="event", tag="mark"):
    mark: _Mark


class _ClearMessage(msgspec.Struct, frozen=True, tag_field="event", tag="clear"):
    pass


_MESSAGE: Final = msgspec.json.Decoder(_MediaMessage | _MarkMessage | _ClearMessage)


class Streamed(Protocol):
    """What a stream tells of its call."""

    phone: Phone | None
    person: PlacedCall | Callee
    faults: CallFaults
    draw: Random
    network_id: str
    session_id: str
    client_state: str | None
    from_: str
    to: str

    @property
    def now_s(self) -> float:
        """Seconds since the call was placed."""
        ...


class TelnyxStream(MediaStream):
    """One stream of one call.

    What changes here: beyond what its base says, when the last file came.
    """

    def __init__(self, call: Streamed, log: LoggedStream, options: StreamOptions) -> None:
        assert call.phone is not None
        faults = call.faults
        super().__init__(
            call.phone,
            log,
            faults,
            call.draw,
            codec=_sent_codec(call, options),
            takes=Codec(
                options.stream_bidirectional_codec,
                # A sampling rate is of L16 alone; G.711 has its own.
                options.stream_bidirectional_sampling_rate
                if options.stream_bidirectional_codec == "L16"
                else RATE_HZ,
                is_big_endian=faults.big_endian,
            ),
            tracks=_TRACKS[options.stream_track],
        )
        self.options = options
        self._call = call
        self._codec = _sent_codec(call, options)
        self._file_at_s: float | None = None

    def log_now_s(self) -> float:
        """Return the instant as the call's log counts it."""
        return self._call.now_s

    def openings(self) -> list[dict[str, Any]]:
        """Return `connected` and `start`."""
        connected = {"event": "connected", "version": "1.0.0"}
        if self.options.auth_token:
            # That it is in the frame is documented, and by which name is not.
            connected["stream_auth_token"] = self.options.auth_token
        call = self._call
        start: dict[str, Any] = {
            "user_id": USER_ID,
            "call_control_id": call.network_id,
            "call_session_id": call.session_id,
            "from": call.from_,
            "to": call.to,
            "tags": [],
            "media_format": {"encoding": self._codec.name, "sample_rate": self._codec.rate_hz, "channels": 1},
        }
        if call.client_state is not None:
            start["client_state"] = call.client_state
        if self.options.parameters:
            start["custom_parameters"] = self.options.parameters
        return [connected, {"event": "start", **self._numbered(), "start": start}]

    def media(self, track: str, chunk: int, timestamp_ms: int, payload: str) -> dict[str, Any]:
        """Return the message of a frame."""
        media = {"track": track, "chunk": str(chunk), "timestamp": str(timestamp_ms), "payload": payload}
        return {"event": "media", **self._numbered(), "media": media}

    def mark(self, name: str) -> dict[str, Any]:
        """Return the message of a mark."""
        return {"event": "mark", **self._numbered(), "mark": {"name": name}}

    def dtmf(self, digit: str) -> dict[str, Any]:
        """Return the message of a key."""
        occurred_at = utc_now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        return {"event": "dtmf", **self._numbered(), "occurred_at": occurred_at, "dtmf": {"digit": digit}}

    def stop(self) -> dict[str, Any]:
        """Return the last message."""
        stop = {"user_id": USER_ID, "call_control_id": self._call.network_id}
        return {"event": "stop", **self._numbered(), "stop": stop}

    async def take(self, text: str) -> None:
        """Play, mark or clear.

        Raises:
            StreamRefused: the message, or its audio, is malformed.
        """
        try:
            message = _MESSAGE.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise StreamRefused(_MALFORMED, "malformed_frame", str(error)) from error
        match message:
            case _ClearMessage():
                self.clear()
            case _MarkMessage(mark):
                self.note_mark(mark.name)
            case _MediaMessage(media):
                try:
                    audio = base64.b64decode(media.payload, validate=True)
                except binascii.Error as error:
                    raise StreamRefused(
                        _INVALID, "invalid_media", f"the payload is no base64: {error}"
                    ) from error
                if self.options.stream_bidirectional_mode == "rtp":
                    self._take_frame(audio)
                else:
                    await self._take_file(audio)

    async def refuse(self, refused: StreamRefused) -> None:
        """Send an error; the stream goes on."""
        error = {"code": refused.code or _MALFORMED, "title": refused.title, "detail": str(refused)}
        await self.send({"event": "error", **self._numbered(), "payload": error})

    def _take_frame(self, audio: bytes) -> None:
        duration_s = self._takes.duration_s(len(audio))
        if not _SHORTEST_S - _ROUNDING_S <= duration_s <= _LONGEST_S + _ROUNDING_S:
            raise StreamRefused(
                _INVALID,
                "invalid_media",
                f"a frame has 20 ms to 30 s of audio, and this one {duration_s * 1000:g} ms",
            )
        self.play(audio)

    async def _take_file(self, file: bytes) -> None:
        """Play an mp3 file, which is what streams take unless they are asked to take frames."""
        now_s = self._phone.now_s
        if self._file_at_s is not None and now_s - self._file_at_s < _FILE_EVERY_S:
            raise StreamRefused(_TOO_MANY, "rate_limit_reached", "one message a second is taken in mp3 mode")
        self._file_at_s = now_s
        try:
            pcm = await anyio.to_thread.run_sync(pcm16, file, RATE_HZ)
        except soundfile.LibsndfileError:
            # Frames that are no files are dropped without a word.
            self.log.errors.append(
                "audio that is no mp3 file was dropped; the stream was not asked to be rtp"
            )
            return
        self.log.frames_received += 1
        self.log.received_s += len(pcm) / 2 / RATE_HZ
        self._phone.line.stream.push(pcm, self._phone.now_s)

    def _numbered(self) -> dict[str, str]:
        return {"sequence_number": self.sequence(), "stream_id": self.log.id}


def _sent_codec(call: Streamed, options: StreamOptions) -> Codec:
    """Return what the server is sent: the call's own codec, unless it asked for another."""
    faults = call.faults
    if faults.codec is not None:
        return codec_named(faults.codec, is_big_endian=faults.big_endian)
    if options.stream_codec == "default":
        return codec_named(call.person.codec, is_big_endian=faults.big_endian)
    # L16 is streamed as wideband; its rate can't be asked for, and `media_format` says it.
    rate_hz = 16_000 if options.stream_codec == "L16" else RATE_HZ
    return Codec(options.stream_codec, rate_hz, is_big_endian=faults.big_endian)

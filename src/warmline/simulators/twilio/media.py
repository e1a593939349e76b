"""Twilio's Media Streams: its WebSocket, message by message."""

from __future__ import annotations

import base64
import binascii
from random import Random
from typing import Any, Final, Protocol

import msgspec

from warmline.simulators.telephone.codec import PCMU
from warmline.simulators.telephone.media import MediaStream, StreamRefused
from warmline.simulators.telephone.phone import Phone
from warmline.simulators.telephone.placing import CallFaults
from warmline.simulators.telephone.report import LoggedStream
from warmline.simulators.twilio.twiml import Stream

__all__ = ["Streamed", "TwilioStream"]

_MALFORMED: Final = 31950


class Streamed(Protocol):
    """What a stream tells of its call."""

    phone: Phone | None
    faults: CallFaults
    draw: Random
    network_id: str
    account_sid: str

    @property
    def now_s(self) -> float:
        """Seconds since the call was placed."""
        ...


class _Media(msgspec.Struct, frozen=True):
    payload: str


class _Mark(msgspec.Struct, frozen=True):
    name: str


class _Message(msgspec.Struct, frozen=True, tag_field="event"):
    stream_sid: str = msgspec.field(name="streamSid")


class _MediaMessage(_Message, frozen=True, tag="media"):
    media: _Media


class _MarkMessage(_Message, frozen=True, tag="mark"):
    mark: _Mark


class _ClearMessage(_Message, frozen=True, tag="clear"):
    pass


_MESSAGE: Final = msgspec.json.Decoder(_MediaMessage | _MarkMessage | _ClearMessage)


class TwilioStream(MediaStream):
    """One stream of one call."""

    def __init__(self, call: Streamed, log: LoggedStream, stream: Stream, *, is_bidirectional: bool) -> None:
        assert call.phone is not None
        super().__init__(
            call.phone, log, call.faults, call.draw, codec=PCMU, takes=PCMU, tracks=stream.tracks
        )
        self.stream = stream
        self.refused = ""
        """Why the stream was ended by Twilio; empty if it was not."""

        self._call = call
        self._is_bidirectional = is_bidirectional

    def log_now_s(self) -> float:
        """Return the instant as the call's log counts it."""
        return self._call.now_s

    def openings(self) -> list[dict[str, Any]]:
        """Return `connected` and `start`."""
        start = {
            "accountSid": self._call.account_sid,
            "streamSid": self.log.id,
            "callSid": self._call.network_id,
            "tracks": list(self.stream.tracks),
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(self.stream.parameters),
        }
        return [
            {"event": "connected", "protocol": "Call", "version": "1.0.0"},
            {"event": "start", **self._numbered(), "start": start},
        ]

    def media(self, track: str, chunk: int, timestamp_ms: int, payload: str) -> dict[str, Any]:
        """Return the message of a frame."""
        media = {"track": track, "chunk": str(chunk), "timestamp": str(timestamp_ms), "payload": payload}
        return {"event": "media", **self._numbered(), "media": media}

    def mark(self, name: str) -> dict[str, Any]:
        """Return the message of a mark."""
        return {"event": "mark", **self._numbered(), "mark": {"name": name}}

    def dtmf(self, digit: str) -> dict[str, Any]:
        """Return the message of a key."""
        return {"event": "dtmf", **self._numbered(), "dtmf": {"track": "inbound_track", "digit": digit}}

    async def press(self, digit: str) -> None:
        """Tell of a key, where the stream goes both ways."""
        if self._is_bidirectional:
            await super().press(digit)

    def stop(self) -> dict[str, Any]:
        """Return the last message."""
        stop = {"accountSid": self._call.account_sid, "callSid": self._call.network_id}
        return {"event": "stop", **self._numbered(), "stop": stop}

    async def take(self, text: str) -> None:
        """Play, mark or clear.

        Raises:
            StreamRefused: the message is malformed, or is for another stream.
        """
        if not self._is_bidirectional:
            return
        try:
            message = _MESSAGE.decode(text)
            if message.stream_sid != self.log.id:
                raise StreamRefused(
                    _MALFORMED, "malformed message", f"{message.stream_sid} is another stream"
                )
            match message:
                case _ClearMessage():
                    self.clear()
                case _MarkMessage():
                    self.note_mark(message.mark.name)
                case _MediaMessage():
                    self.play(base64.b64decode(message.media.payload, validate=True))
        except (msgspec.DecodeError, msgspec.ValidationError, binascii.Error) as error:
            raise StreamRefused(_MALFORMED, "malformed message", str(error)) from error

    async def refuse(self, refused: StreamRefused) -> None:
        """End the stream. The code of the close is not documented."""
        self.refused = f"{refused.code or _MALFORMED} {refused}"
        self._phone.detach(self)
        await self.close()

    def _numbered(self) -> dict[str, str]:
        return {"sequenceNumber": self.sequence(), "streamSid": self.log.id}

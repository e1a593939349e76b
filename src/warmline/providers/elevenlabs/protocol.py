"""ElevenLabs's wires: requests, and the messages of its two sockets. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from warmline.core.formats import AudioFormat, Encoding
from warmline.errors import ProviderRejected, RemoteProtocolError
from warmline.pool.http import HttpRequest
from warmline.providers.elevenlabs.failures import PROVIDER
from warmline.providers.elevenlabs.settings import SpeechSettings

__all__ = [
    "INACTIVITY_S",
    "Alignment",
    "SocketMessage",
    "cancel_context",
    "context_text",
    "decode_message",
    "decode_timed",
    "end_utterance",
    "keep_context",
    "open_context",
    "open_utterance",
    "output_format",
    "socket_path",
    "speech_request",
    "utterance_text",
    "voice_request",
]

INACTIVITY_S: Final = 180
"""The longest that a socket or a context may be asked to wait without a word; the default is 20."""

_ENCODINGS: Final = {Encoding.PCM16: "pcm", Encoding.PCMU: "ulaw", Encoding.PCMA: "alaw"}


@dataclass(frozen=True, slots=True)
class Alignment:
    """When each character is spoken."""

    characters: tuple[str, ...]
    start_ms: tuple[float, ...]
    """From the first sample of the audio that the alignment came with."""


@dataclass(frozen=True, slots=True)
class SocketMessage:
    """What a socket says."""

    context_id: str = ""
    """Empty on a socket without contexts."""

    audio: bytes = b""
    alignment: Alignment | None = None
    is_final: bool = False
    """The context or the utterance is done."""

    error: str = ""
    """A code; the socket is closed after it."""

    message: str = ""


def output_format(audio_format: AudioFormat) -> str:
    """Return the name of a format, such as `pcm_24000`.

    Raises:
        ProviderRejected: there is none for it.
    """
    name = f"{_ENCODINGS[audio_format.encoding]}_{audio_format.rate_hz}"
    if audio_format.encoding is not Encoding.PCM16 and audio_format.rate_hz != 8_000:
        raise ProviderRejected(
            f"speaking by ElevenLabs: it has no {name}", provider=PROVIDER, phase="connect"
        )
    return name


def voice_request(settings: SpeechSettings) -> HttpRequest:
    """Return a request that costs nothing, and needs a valid key and voice."""
    return HttpRequest("GET", f"/v1/voices/{quote(settings.voice_id, safe='')}", is_idempotent=True)


def speech_request(text: str, settings: SpeechSettings, format_name: str, *, is_timed: bool) -> HttpRequest:
    """Return a request for a text's speech as it is made.

    Args:
        text: What to say.
        settings: By whom and how.
        format_name: Any of ElevenLabs's, such as `opus_48000_32`.
        is_timed: Whether the answer is JSON lines with alignment, or bare audio.
    """
    end = "/stream/with-timestamps" if is_timed else "/stream"
    body: dict[str, Any] = {
        "text": text,
        "model_id": settings.model,
        "voice_settings": settings.voice_settings.as_json(),
    }
    if settings.language_code:
        body["language_code"] = settings.language_code
    path = f"/v1/text-to-speech/{quote(settings.voice_id, safe='')}{end}?output_format={format_name}"
    return HttpRequest(
        "POST", path, (("content-type", "application/json"),), msgspec.json.encode(body), is_idempotent=True
    )


def socket_path(settings: SpeechSettings, audio_format: AudioFormat, *, has_contexts: bool) -> str:
    """Return the path and query of a socket for one voice and one format.

    `auto_mode` makes each phrase as soon as it is there, and `sync_alignment` sends each piece's
    alignment with the piece.
    """
    query = {
        "model_id": settings.model,
        "output_format": output_format(audio_format),
        "auto_mode": "true",
        "sync_alignment": "true",
        "inactivity_timeout": str(INACTIVITY_S),
    }
    if settings.language_code:
        query["language_code"] = settings.language_code
    end = "multi-stream-input" if has_contexts else "stream-input"
    return f"/v1/text-to-speech/{quote(settings.voice_id, safe='')}/{end}?{urlencode(query)}"


def open_context(context_id: str, settings: SpeechSettings) -> bytes:
    """Return the message that opens a context; voice settings may come with no later one."""
    return _encoded(text=" ", context_id=context_id, voice_settings=settings.voice_settings.as_json())


def context_text(context_id: str, text: str) -> bytes:
    """Return the message that has a text spoken at once; it has to end in a blank."""
    return _encoded(text=_ended(text), context_id=context_id, flush=True)


def keep_context(context_id: str) -> bytes:
    """Return the message that keeps a context open; an empty text ends the other kind of socket."""
    return _encoded(text="", context_id=context_id)


def cancel_context(context_id: str) -> bytes:
    """Return the message that closes a context: what is not made yet of its text is made first."""
    return _encoded(context_id=context_id, close_context=True)


def open_utterance(settings: SpeechSettings) -> bytes:
    """Return the first message of a socket without contexts."""
    return _encoded(text=" ", voice_settings=settings.voice_settings.as_json())


def utterance_text(text: str) -> bytes:
    """Return the message that has a text spoken at once."""
    return _encoded(text=_ended(text), flush=True)


def end_utterance() -> bytes:
    """Return the last message: the rest is made, and the socket closed."""
    return _encoded(text="")


class _Chars(msgspec.Struct):
    chars: list[str] = msgspec.field(default_factory=list)
    starts: list[float] = msgspec.field(default_factory=list, name="charStartTimesMs")


class _Message(msgspec.Struct):
    audio: bytes | None = None
    """Base64 on the wire."""

    alignment: _Chars | None = None
    is_final: bool | None = msgspec.field(default=None, name="isFinal")
    is_final_old: bool | None = msgspec.field(default=None, name="is_final")
    context: str | None = msgspec.field(default=None, name="contextId")
    context_old: str | None = msgspec.field(default=None, name="context_id")
    error: str | None = None
    message: str | None = None


class _Characters(msgspec.Struct):
    characters: list[str]
    starts: list[float] = msgspec.field(name="character_start_times_seconds")


class _Timed(msgspec.Struct):
    audio: bytes = msgspec.field(name="audio_base64")
    alignment: _Characters | None = None


_MESSAGE: Final = msgspec.json.Decoder(_Message)
_TIMED: Final = msgspec.json.Decoder(_Timed)


def decode_message(payload: bytes) -> SocketMessage:
    """Read a message of either socket; kinds that are not known say nothing.

    Raises:
        RemoteProtocolError: it is no message.
    """
    try:
        found = _MESSAGE.decode(payload)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise RemoteProtocolError(f"what is no message: {error}", code="bad_message") from error
    alignment = None
    if found.alignment is not None and len(found.alignment.chars) == len(found.alignment.starts):
        alignment = Alignment(tuple(found.alignment.chars), tuple(found.alignment.starts))
    return SocketMessage(
        context_id=found.context or found.context_old or "",
        audio=found.audio or b"",
        alignment=alignment,
        is_final=bool(found.is_final or found.is_final_old),
        error=found.error or "",
        message=found.message or "",
    )


def decode_timed(line: bytes) -> SocketMessage:
    """Read a line of the stream with timestamps.

    Raises:
        RemoteProtocolError: it is none.
    """
    try:
        found = _TIMED.decode(line)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise RemoteProtocolError(f"what is no line of speech: {error}", code="bad_message") from error
    alignment = None
    if found.alignment is not None and len(found.alignment.characters) == len(found.alignment.starts):
        starts_ms = tuple(start * 1000 for start in found.alignment.starts)
        alignment = Alignment(tuple(found.alignment.characters), starts_ms)
    return SocketMessage(audio=found.audio, alignment=alignment)


def _ended(text: str) -> str:
    return text if text.endswith(" ") else f"{text} "


def _encoded(**fields: object) -> bytes:
    return msgspec.json.encode(fields)

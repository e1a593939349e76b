"""Recordings at Deepgram: what is asked for, and the text of the answer. No I/O.

https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec

from warmline.errors import InputError, RemoteProtocolError
from warmline.pool.http import HttpRequest

__all__ = ["TranscriptionSettings", "transcript", "transcription_request"]

_MOST_BYTES: Final = 2 * 1024 * 1024 * 1024
_CONTENT: Final = (("content-type", "application/octet-stream"),)
"""What it is, Deepgram finds out from its first bytes."""

_LIVE_ONLY: Final = {"flux-general-en": ("nova-3", "en"), "flux-general-multi": ("nova-3", "multi")}
"""Models that hear streams and no recordings: which one hears those instead, and in which language."""


@dataclass(frozen=True, slots=True)
class TranscriptionSettings:
    """What every recording is asked for with."""

    model: str = "nova-3"
    language: str = "en"
    """ISO 639-1, or `multi`; empty to have it found out."""

    keyterms: tuple[str, ...] = ()
    has_smart_format: bool = True

    @classmethod
    def as_live(cls, model: str, language: str, keyterms: tuple[str, ...] = ()) -> TranscriptionSettings:
        """Return the settings that hear what a stream with these hears; Flux hears no recordings."""
        if model in _LIVE_ONLY:
            model, known = _LIVE_ONLY[model]
            language = language if known == "multi" and language else known
        return cls(model, language, keyterms)


class _Alternative(msgspec.Struct):
    transcript: str = ""


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative] = msgspec.field(default_factory=list)


class _Results(msgspec.Struct):
    channels: list[_Channel] = msgspec.field(default_factory=list)


class _Answer(msgspec.Struct):
    results: _Results


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def transcription_request(
    recording: bytes, name: str, language: str, settings: TranscriptionSettings
) -> HttpRequest:
    """Return the request for a recording's text; any container that Deepgram reads goes as it is.

    Args:
        recording: The file's content.
        name: The file's, for people.
        language: ISO 639-1; empty for that of the settings.
        settings: What every recording is asked for with.

    Raises:
        InputError: the recording is empty, or larger than Deepgram takes.
    """
    if not recording:
        raise InputError(f"transcribing {name}: it is empty")
    if len(recording) > _MOST_BYTES:
        raise InputError(f"transcribing {name}: it is larger than 2 GB; cut it into parts")
    wanted = language or settings.language
    query: list[tuple[str, str]] = [
        ("model", settings.model),
        ("language", wanted) if wanted else ("detect_language", "true"),
        ("smart_format", "true" if settings.has_smart_format else "false"),
        *(("keyterm", term) for term in settings.keyterms),
    ]
    return HttpRequest("POST", f"/v1/listen?{urlencode(query)}", _CONTENT, recording, is_idempotent=True)


def transcript(body: bytes) -> str:
    """Return the text of an answer; of several channels, one below the other.

    Raises:
        RemoteProtocolError: it is none.
    """
    try:
        channels = _ANSWER.decode(body).results.channels
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"what is no transcript: {error}", code="bad_message") from error
    texts = [channel.alternatives[0].transcript.strip() for channel in channels if channel.alternatives]
    return "\n".join(text for text in texts if text)

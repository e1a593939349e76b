"""Transcriptions: from a recording to a form that is uploaded, and from its answer to text. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from warmline.errors import InputError, RemoteProtocolError
from warmline.pool.forms import FormFile, form, form_type
from warmline.pool.http import HttpRequest

__all__ = ["TranscriptionSettings", "transcript", "transcription_request"]

_MOST_BYTES: Final = 25 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TranscriptionSettings:
    """What every request carries."""

    model: str


class _Answer(msgspec.Struct):
    text: str


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def transcription_request(
    recording: bytes, name: str, language: str, settings: TranscriptionSettings, *, boundary: str
) -> HttpRequest:
    """Return the request for a recording's text.

    Args:
        recording: The file's content.
        name: The file's; its ending tells OpenAI the format.
        language: ISO 639-1; empty for any.
        settings: What every request carries.
        boundary: Stands between the form's fields; up to 70 ASCII letters, digits and `_`, at random,
            since it may not occur in the recording.

    Raises:
        InputError: the recording is empty, or larger than OpenAI takes.
    """
    if not recording:
        raise InputError(f"transcribing {name}: it is empty")
    if len(recording) > _MOST_BYTES:
        raise InputError(
            f"transcribing {name}: it has {len(recording) / 1_048_576:.1f} MiB, and OpenAI takes 25 at most; "
            "cut it into parts, or save it as MP3 or Opus"
        )
    fields = {"model": settings.model, "response_format": "json"}
    if language:
        fields["language"] = language
    return HttpRequest(
        "POST",
        "/audio/transcriptions",
        (form_type(boundary),),
        form(fields, FormFile(recording, name), boundary=boundary),
        is_idempotent=True,
    )


def transcript(body: bytes) -> str:
    """Return the text of an answer.

    Raises:
        RemoteProtocolError: it is none.
    """
    try:
        return _ANSWER.decode(body).text.strip()
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"a transcript that is none: {error}", code="bad_transcript") from error

"""Recordings to text: really recognised, unless the script says what was heard."""

from __future__ import annotations

from typing import Final

import anyio.to_thread
import msgspec
import soundfile
from aiohttp import web

from warmline.core.formats import PCM_16K
from warmline.simulators.answers import tokens
from warmline.simulators.openai.errors import error_body
from warmline.simulators.openai.refused import Refused, no_model
from warmline.simulators.openai.replying import answered, headers
from warmline.simulators.outgoing import EVENT_GARBAGE, HttpOutgoing
from warmline.simulators.recordings import pcm16k
from warmline.simulators.script import Script
from warmline.simulators.simulator import fault_of
from warmline.simulators.speech import Speech

__all__ = ["TRANSCRIBERS", "transcribe"]

TRANSCRIBERS: Final = ("gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1")

_FILE_BYTES: Final = 25 * 1024 * 1024
_FILES: Final = frozenset("flac m4a mp3 mp4 mpeg mpga oga ogg wav webm".split())
_FORM: Final = frozenset(
    "file model language languages prompt response_format temperature stream chunking_strategy include[] "
    "keywords[] timestamp_granularities[] known_speaker_names[] known_speaker_references[]".split()
)


async def transcribe(request: web.Request, script: Script, speech: Speech) -> web.StreamResponse:
    """Answer `POST /v1/audio/transcriptions`.

    Raises:
        Refused: the form is not as it should be.
    """
    form = await request.post()
    for name in form:
        if name not in _FORM:
            raise Refused("unknown_parameter", f"Unknown parameter: '{name}'.", name)
    file, model = form.get("file"), form.get("model")
    if not isinstance(file, web.FileField):
        raise Refused("missing_required_parameter", "Missing required parameter: 'file'.", "file")
    if model is None:
        raise Refused("missing_required_parameter", "Missing required parameter: 'model'.", "model")
    if model not in TRANSCRIBERS:
        raise no_model(str(model))
    if form.get("response_format", "json") not in ("json", "text"):
        raise Refused("unsupported_value", "Only 'json' and 'text' are simulated.", "response_format")
    if file.filename.rpartition(".")[2].lower() not in _FILES:
        text = f"Unrecognized file format. Supported formats: {sorted(_FILES)}"
        raise Refused("invalid_value", text, "file")
    recording = file.file.read()
    if len(recording) > _FILE_BYTES:
        raise Refused("invalid_value", f"Maximum content size limit ({_FILE_BYTES}) exceeded", "file", 413)
    try:
        pcm = await anyio.to_thread.run_sync(pcm16k, recording)
    except soundfile.LibsndfileError:
        text = "Audio file might be corrupted or unsupported"
        raise Refused("invalid_value", text, "file") from None
    text = script.transcript or await speech.transcribed(pcm)
    seconds = PCM_16K.duration_s(len(pcm))
    usage = {"type": "duration", "seconds": round(seconds)}
    if form.get("stream") == "true":
        response = web.StreamResponse(headers={**headers(), "content-type": "text/event-stream"})
        outgoing = HttpOutgoing(
            request,
            response,
            fault_of(request),
            _event("error", **error_body("server_error")),
            EVENT_GARBAGE,
        )
        await outgoing.begin()
        await response.prepare(request)
        for delta in tokens(text):
            await outgoing.send(_event("transcript.text.delta", delta=delta))
        await outgoing.send(_event("transcript.text.done", text=text, usage=usage))
        await outgoing.end()
        return response
    if form.get("response_format") == "text":
        return web.Response(text=f"{text}\n", headers=headers())
    return answered({"text": text, "usage": usage})


def _event(kind: str, **fields: object) -> bytes:
    return b"data: " + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"

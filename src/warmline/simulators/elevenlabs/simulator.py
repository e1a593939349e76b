"""ElevenLabs's HTTP API: speech as a file, as a stream, with timestamps; voices; speech to text."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar, Final

import anyio.to_thread
import msgspec
import soundfile
from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.elevenlabs.catalogue import (
    MODELS,
    SETTINGS,
    models,
    subscription,
    voice,
    voices,
)
from warmline.simulators.elevenlabs.errors import problem, refusal, unprocessable, unreadable
from warmline.simulators.elevenlabs.messages import SPEECH_REQUEST, SpeechRequest
from warmline.simulators.elevenlabs.scribe import Scribe, timed_words
from warmline.simulators.elevenlabs.sockets import SpeechSockets
from warmline.simulators.elevenlabs.synthesis import OutputFormat, Piece, output_format, synthesise
from warmline.simulators.faults import FaultKind
from warmline.simulators.outgoing import HttpOutgoing
from warmline.simulators.recordings import pcm16k
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator, fault_of, json_response
from warmline.simulators.speech import Speech

__all__ = ["ElevenLabsSimulator"]

_TRANSCRIBERS: Final = ("scribe_v1", "scribe_v2")


class ElevenLabsSimulator(Simulator):
    """ElevenLabs, on one port; base URL `https://host:port`."""

    name: ClassVar[str] = "elevenlabs"

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self._sockets = SpeechSockets(self)
        self._scribe = Scribe(self)

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of ElevenLabs's API."""
        speech = "/v1/text-to-speech/{voice}"
        return [
            web.post(speech, self._speak_whole),
            web.post(f"{speech}/stream", self._speak_stream),
            web.post(f"{speech}/with-timestamps", self._speak_timed),
            web.post(f"{speech}/stream/with-timestamps", self._speak_stream_timed),
            web.get(f"{speech}/stream-input", self._sockets.single),
            web.get(f"{speech}/multi-stream-input", self._sockets.multi),
            web.get("/v1/voices/{voice}", self._show_voice),
            web.get("/v1/voices/{voice}/settings", self._show_voice_settings),
            web.get("/v2/voices", self._list_voices),
            web.get("/v1/models", self._list_models),
            web.get("/v1/user/subscription", self._subscription),
            web.post("/v1/speech-to-text", self._transcribe),
            web.get("/v1/speech-to-text/realtime", self._scribe.serve),
        ]

    def key(self, request: web.Request) -> str:
        """Return the key in `xi-api-key`, or a bearer token."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return request.headers.get("xi-api-key", "") or bearer

    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return ElevenLabs's error for a kind of failure."""
        return refusal(kind, retry_after)

    async def _speak_whole(self, request: web.Request) -> web.StreamResponse:
        text, wanted = await self._asked(request)
        audio = b"".join([piece.audio async for piece in self._pieces(text, wanted)])
        return web.Response(body=audio, headers=_headers(text), content_type=_content_type(wanted))

    async def _speak_stream(self, request: web.Request) -> web.StreamResponse:
        text, wanted = await self._asked(request, is_streamed=True)
        response = web.StreamResponse(headers={**_headers(text), "content-type": _content_type(wanted)})
        return await self._stream(request, response, text, wanted, is_timed=False)

    async def _speak_timed(self, request: web.Request) -> web.StreamResponse:
        text, wanted = await self._asked(request)
        pieces = [piece async for piece in self._pieces(text, wanted)]
        audio = b"".join(piece.audio for piece in pieces)
        return json_response(
            _timed(Piece(audio, pieces[0].alignment if pieces else None)), headers=_headers(text)
        )

    async def _speak_stream_timed(self, request: web.Request) -> web.StreamResponse:
        text, wanted = await self._asked(request, is_streamed=True)
        response = web.StreamResponse(headers={**_headers(text), "content-type": "application/json"})
        return await self._stream(request, response, text, wanted, is_timed=True)

    async def _stream(
        self,
        request: web.Request,
        response: web.StreamResponse,
        text: str,
        wanted: OutputFormat,
        *,
        is_timed: bool,
    ) -> web.StreamResponse:
        outgoing = HttpOutgoing(request, response, fault_of(request))
        await outgoing.begin()
        is_begun = False
        async for piece in self._pieces(text, wanted):
            if not is_begun:
                is_begun = True
                await response.prepare(request)
            await outgoing.send(msgspec.json.encode(_timed(piece)) + b"\n" if is_timed else piece.audio)
        if not is_begun:
            await response.prepare(request)
        await outgoing.end()
        return response

    def _pieces(self, text: str, wanted: OutputFormat) -> AsyncIterator[Piece]:
        return synthesise(self.speech, self.script, text, wanted)

    async def _asked(self, request: web.Request, *, is_streamed: bool = False) -> tuple[str, OutputFormat]:
        """Return a request's text and format.

        Raises:
            web.HTTPException: something in it is wrong.
        """
        try:
            body = SPEECH_REQUEST.decode(await request.read())
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _raised(unreadable(error)) from error
        name = request.query.get("output_format", "mp3_44100_128")
        wanted = output_format(name, is_streamed=is_streamed)
        refused = (
            self._no_voice(request)
            or _unfit(body)
            or (
                None
                if wanted
                else problem(400, "invalid_request", "invalid_output_format", f"No {name} here")
            )
        )
        if refused is not None:
            raise _raised(refused)
        assert wanted is not None
        return body.text, wanted

    def _no_voice(self, request: web.Request) -> web.Response | None:
        name = request.match_info["voice"]
        if name in self.script.voices:
            return None
        return problem(404, "not_found", "voice_not_found", f"A voice with voice_id {name} was not found.")

    async def _show_voice(self, request: web.Request) -> web.Response:
        found = json_response(voice(request.match_info["voice"]), headers=_headers(""))
        return self._no_voice(request) or found

    async def _show_voice_settings(self, request: web.Request) -> web.Response:
        return self._no_voice(request) or json_response(SETTINGS)

    async def _list_voices(self, _: web.Request) -> web.Response:
        return json_response(voices(self.script.voices))

    async def _list_models(self, _: web.Request) -> web.Response:
        return json_response(models())

    async def _subscription(self, _: web.Request) -> web.Response:
        return json_response(subscription(len(self.script.voices)))

    async def _transcribe(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            return unprocessable("file", "Field required")
        if form.get("model_id") not in _TRANSCRIBERS:
            return unprocessable("model_id", f"Must be one of {', '.join(_TRANSCRIBERS)}", "value_error")
        try:
            pcm = await anyio.to_thread.run_sync(pcm16k, file.file.read())
        except soundfile.LibsndfileError:
            return problem(400, "invalid_request", "invalid_audio", "The file could not be read as audio")
        text = self.script.transcript or await self.speech.transcribed(pcm)
        length_s = len(pcm) / 32_000
        words = timed_words(text, 0.0, length_s)
        body = {"language_code": "eng", "language_probability": 0.99, "text": text, "words": words}
        return json_response(body, headers=_headers(""))


def _unfit(asked: SpeechRequest) -> web.Response | None:
    """Return the refusal of what a model can't do."""
    model = asked.model_id
    if model not in MODELS:
        return problem(404, "not_found", "model_not_found", f"A model with model ID {model} does not exist")
    code, message = "unsupported_parameter", ""
    if len(asked.text) > MODELS[model]:
        code = "max_character_limit_exceeded"
        message = f"The text has {len(asked.text)} characters; {model} takes {MODELS[model]}"
    elif model == "eleven_v3" and (asked.previous_text or asked.next_text):
        message = "previous_text and next_text are not supported by eleven_v3"
    elif model.endswith("_v2_5") and asked.apply_text_normalization == "on":
        message = f"apply_text_normalization can't be on with {model}"
    return problem(400, "invalid_request", code, message) if message else None


def _timed(piece: Piece) -> dict[str, Any]:
    given = piece.alignment
    alignment = given and {
        "characters": given["chars"],
        "character_start_times_seconds": [start / 1000 for start in given["charStartTimesMs"]],
        "character_end_times_seconds": [
            (start + length) / 1000
            for start, length in zip(given["charStartTimesMs"], given["charDurationsMs"], strict=True)
        ],
    }
    audio = base64.b64encode(piece.audio).decode()
    return {"audio_base64": audio, "alignment": alignment, "normalized_alignment": alignment}


def _headers(text: str) -> dict[str, str]:
    return {
        "request-id": new_id("req"),
        "x-character-count": str(len(text)),
        "current-concurrent-requests": "1",
        "maximum-concurrent-requests": "10",
        "x-region": "simulated",
    }


def _content_type(wanted: OutputFormat) -> str:
    return {"mp3": "audio/mpeg", "ogg": "audio/ogg", "wav": "audio/wav"}.get(wanted.container, "audio/basic")


def _raised(response: web.Response) -> web.HTTPException:
    """Return an exception that carries a response out of a helper."""
    kinds = {400: web.HTTPBadRequest, 404: web.HTTPNotFound, 422: web.HTTPUnprocessableEntity}
    return kinds[response.status](text=response.text, content_type="application/json")

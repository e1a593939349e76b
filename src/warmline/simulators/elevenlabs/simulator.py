"""ElevenLabs's HTTP API: speech as a file, as a stream, with timestamps; voices; speech to text."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import anyio.to_thread
import msgspec
import soundfile
from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.elevenlabs.errors import problem, refusal
from warmline.simulators.elevenlabs.scribe import Scribe
from warmline.simulators.elevenlabs.sockets import SpeechSockets
from warmline.simulators.elevenlabs.synthesis import OutputFormat, Piece, output_format, synthesise
from warmline.simulators.faults import FaultKind
from warmline.simulators.outgoing import HttpOutgoing
from warmline.simulators.recordings import pcm16k
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator, fault_of, json_response
from warmline.simulators.speech import Speech

__all__ = ["ElevenLabsSimulator"]

_MODELS: Final[Mapping[str, int]] = {
    "eleven_flash_v2_5": 40_000,
    "eleven_flash_v2": 30_000,
    "eleven_turbo_v2_5": 40_000,
    "eleven_turbo_v2": 30_000,
    "eleven_multilingual_v2": 10_000,
    "eleven_v3": 5_000,
}
"""Characters in one request, by model."""


class ElevenLabsSimulator(Simulator):
    """ElevenLabs, on one port; base URL `https://host:port`."""

    name: ClassVar[str] = "elevenlabs"

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self._sockets = SpeechSockets(self, _MODELS)
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
        text, wanted = await self._asked(request)
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
        text, wanted = await self._asked(request)
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

    async def _asked(self, request: web.Request) -> tuple[str, OutputFormat]:
        """Return a request's text and format.

        Raises:
            web.HTTPException: something in it is wrong.
        """
        try:
            body = msgspec.json.decode(await request.read(), type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _raised(_unprocessable("body", str(error))) from error
        text = body.get("text")
        if not isinstance(text, str):
            raise _raised(_unprocessable("text", "Field required"))
        model = str(body.get("model_id", "eleven_multilingual_v2"))
        if model not in _MODELS:
            message = f"A model with model ID {model} does not exist"
            raise _raised(problem(404, "not_found", "model_not_found", message))
        if len(text) > _MODELS[model]:
            message = f"The text has {len(text)} characters; {model} takes {_MODELS[model]}"
            raise _raised(problem(400, "invalid_request", "max_character_limit_exceeded", message))
        if request.match_info["voice"] not in self.script.voices:
            message = f"A voice with voice_id {request.match_info['voice']} was not found."
            raise _raised(problem(404, "not_found", "voice_not_found", message))
        if model == "eleven_v3" and ("previous_text" in body or "next_text" in body):
            message = "previous_text and next_text are not supported by eleven_v3"
            raise _raised(problem(400, "invalid_request", "unsupported_parameter", message))
        name = request.query.get("output_format", "mp3_44100_128")
        wanted = output_format(name)
        if wanted is None:
            raise _raised(problem(400, "invalid_request", "invalid_output_format", f"Unknown format {name}"))
        return text, wanted

    async def _show_voice(self, request: web.Request) -> web.Response:
        name = request.match_info["voice"]
        if name not in self.script.voices:
            message = f"A voice with voice_id {name} was not found."
            return problem(404, "not_found", "voice_not_found", message)
        return json_response(_voice(name), headers=_headers(""))

    async def _show_voice_settings(self, _: web.Request) -> web.Response:
        return json_response(_SETTINGS)

    async def _list_voices(self, _: web.Request) -> web.Response:
        voices = [_voice(name) for name in self.script.voices]
        return json_response({"voices": voices, "has_more": False, "total_count": len(voices)})

    async def _list_models(self, _: web.Request) -> web.Response:
        return json_response([
            {
                "model_id": name,
                "name": name.replace("_", " ").title(),
                "can_do_text_to_speech": True,
                "maximum_text_length_per_request": limit,
                "languages": [{"language_id": "en", "name": "English"}],
            }
            for name, limit in _MODELS.items()
        ])

    async def _subscription(self, _: web.Request) -> web.Response:
        return json_response({
            "tier": "creator",
            "character_count": 0,
            "character_limit": 100_000,
            "max_character_limit_extension": None,
            "can_extend_character_limit": False,
            "allowed_to_extend_character_limit": False,
            "voice_limit": 30,
            "can_use_instant_voice_cloning": True,
            "can_use_professional_voice_cloning": True,
            "voice_slots_used": len(self.script.voices),
            "professional_voice_slots_used": 0,
            "professional_voice_limit": 1,
            "voice_add_edit_counter": 0,
            "status": "active",
        })

    async def _transcribe(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            return _unprocessable("file", "Field required")
        try:
            pcm = await anyio.to_thread.run_sync(pcm16k, file.file.read())
        except soundfile.LibsndfileError:
            return problem(400, "invalid_request", "invalid_audio", "The file could not be read as audio")
        text = self.script.transcript or await self.speech.transcribed(pcm)
        length_s = len(pcm) / 32_000
        step_s = length_s / max(len(text.split()), 1)
        words = [
            {
                "text": word,
                "type": "word",
                "start": index * step_s,
                "end": (index + 1) * step_s,
                "logprob": -0.1,
            }
            for index, word in enumerate(text.split())
        ]
        body = {"language_code": "eng", "language_probability": 0.99, "text": text, "words": words}
        return json_response(body, headers=_headers(""))


_SETTINGS: Final = {
    "stability": 0.5,
    "similarity_boost": 0.75,
    "style": 0.0,
    "use_speaker_boost": True,
    "speed": 1.0,
}


def _voice(name: str) -> dict[str, Any]:
    return {
        "voice_id": name,
        "name": "Simulated",
        "category": "premade",
        "labels": {"accent": "synthetic"},
        "description": "The voice of this machine",
        "preview_url": None,
        "available_for_tiers": [],
        "settings": _SETTINGS,
    }


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


def _unprocessable(field: str, message: str) -> web.Response:
    return json_response(
        {"detail": [{"loc": ["body", field], "msg": message, "type": "missing"}]}, status=422
    )


def _raised(response: web.Response) -> web.HTTPException:
    """Return an exception that carries a response out of a helper."""
    kinds = {400: web.HTTPBadRequest, 404: web.HTTPNotFound, 422: web.HTTPUnprocessableEntity}
    return kinds[response.status](text=response.text, content_type="application/json")

"""OpenAI's HTTP API: chat completions, models, embeddings, transcriptions; Responses next door."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import anyio.to_thread
import msgspec
import numpy as np
import soundfile
from aiohttp import web

from warmline.core.clock import unix_time_s
from warmline.core.formats import PCM_16K
from warmline.core.ids import new_id
from warmline.knowledge.minilm import MiniLm
from warmline.simulators.faults import FaultKind
from warmline.simulators.openai.answers import (
    PrefixCache,
    answer_text,
    last_user_text,
    spoken_tokens,
    token_count,
    tokens,
)
from warmline.simulators.openai.bodies import ChatBody, EmbeddingsBody, Refused, read_body
from warmline.simulators.openai.errors import error_body, refusal
from warmline.simulators.openai.responses import Responses
from warmline.simulators.openai.responses_socket import responses_socket
from warmline.simulators.outgoing import EVENT_GARBAGE, HttpOutgoing
from warmline.simulators.recordings import pcm16k
from warmline.simulators.script import Script
from warmline.simulators.simulator import Handler, Simulator, fault_of, json_response
from warmline.simulators.speech import Speech

__all__ = ["OpenAiSimulator"]

_MODELS: Final = ("gpt-6-sol", "gpt-5.6-sol", "gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano")
_EMBEDDINGS: Final = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
_TRANSCRIBERS: Final = ("gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1")
_TEXT_TOKENS: Final = 8192
_REQUEST_TOKENS: Final = 300_000
_FILE_BYTES: Final = 25 * 1024 * 1024
_FILES: Final = frozenset("flac m4a mp3 mp4 mpeg mpga oga ogg wav webm".split())
_FORM: Final = frozenset(
    "file model language languages prompt response_format temperature stream chunking_strategy include[] "
    "keywords[] timestamp_granularities[] known_speaker_names[] known_speaker_references[]".split()
)


class OpenAiSimulator(Simulator):
    """OpenAI, on one port; base URL `https://host:port/v1`."""

    name: ClassVar[str] = "openai"
    base_path: ClassVar[str] = "/v1"

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self._cache = PrefixCache()
        self._responses = Responses(self, self._cache)
        self._embedder: Callable[[list[str]], Any] | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of OpenAI's API."""
        return [
            web.get("/v1/models", self._list_models),
            web.get("/v1/models/{model}", self._show_model),
            web.post("/v1/chat/completions", _telling(self._chat)),
            web.post("/v1/embeddings", _telling(self._embed)),
            web.post("/v1/audio/transcriptions", _telling(self._transcribe)),
            web.post("/v1/responses", _telling(self._responses.over_http)),
            web.get("/v1/responses", self._answer_socket),
        ]

    def key(self, request: web.Request) -> str:
        """Return the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer ").strip()

    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return OpenAI's error for a kind of failure."""
        return refusal(kind, retry_after)

    def knows(self, model: str) -> bool:
        """Whether a language model by this name exists."""
        return model in self.script.models if self.script.models else model.startswith(("gpt-", "o"))

    async def _answer_socket(self, request: web.Request) -> web.StreamResponse:
        return await responses_socket(request, self._responses)

    async def _list_models(self, _: web.Request) -> web.Response:
        names = [*(self.script.models or _MODELS), *_EMBEDDINGS, *_TRANSCRIBERS]
        return _answered({"object": "list", "data": [_model(name) for name in names]})

    async def _show_model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if not self.knows(name) and name not in _EMBEDDINGS:
            return _no_model(name)
        return _answered(_model(name))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = read_body(await request.read(), ChatBody)
        model, messages = body["model"], body["messages"]
        if not self.knows(model):
            return _no_model(model)
        text = answer_text(self.script, last_user_text(messages))
        prompt = msgspec.json.encode(messages).decode()
        cached = self._cache.cached_tokens(str(body.get("prompt_cache_key", "")), prompt)
        usage = {
            "prompt_tokens": token_count(prompt),
            "completion_tokens": token_count(text),
            "total_tokens": token_count(prompt) + token_count(text),
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
        base = {"id": new_id("chatcmpl"), "created": unix_time_s(), "model": model, "service_tier": "default"}
        if body.get("stream"):
            return await self._chat_stream(request, body, base, text, usage)
        whole = "".join([token async for token in spoken_tokens(self.script, text)])
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": whole, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
        return _answered({**base, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def _chat_stream(
        self,
        request: web.Request,
        body: dict[str, Any],
        base: dict[str, Any],
        text: str,
        usage: dict[str, Any],
    ) -> web.StreamResponse:
        options = body.get("stream_options") or {}
        response = web.StreamResponse(
            headers={**_headers(), "content-type": "text/event-stream; charset=utf-8"}
        )
        outgoing = HttpOutgoing(
            request,
            response,
            fault_of(request),
            b"data: " + msgspec.json.encode(error_body("server_error")) + b"\n\n",
            EVENT_GARBAGE,
        )

        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            event = {**base, "object": "chat.completion.chunk", "choices": [choice], "usage": None}
            if options.get("include_obfuscation", True):
                event["obfuscation"] = "x" * (16 - len(str(delta.get("content", ""))) % 16)
            return b"data: " + msgspec.json.encode(event) + b"\n\n"

        await outgoing.begin()
        is_begun = False
        async for token in spoken_tokens(self.script, text):
            if not is_begun:
                await response.prepare(request)
                await outgoing.send(chunk({"role": "assistant", "content": ""}))
                is_begun = True
            await outgoing.send(chunk({"content": token}))
        await outgoing.send(chunk({}, "stop"))
        if options.get("include_usage"):
            last = {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}
            await outgoing.send(b"data: " + msgspec.json.encode(last) + b"\n\n")
        await outgoing.send(b"data: [DONE]\n\n")
        await outgoing.end()
        return response

    async def _embed(self, request: web.Request) -> web.Response:
        body = read_body(await request.read(), EmbeddingsBody)
        model = body["model"]
        if model not in _EMBEDDINGS:
            return _no_model(model)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        size = body.get("dimensions") or _EMBEDDINGS[model]
        if size > _EMBEDDINGS[model]:
            raise Refused(
                "invalid_value",
                f"Invalid value for 'dimensions': {model} has {_EMBEDDINGS[model]}.",
                "dimensions",
            )
        if not all(texts):
            raise Refused("invalid_value", "'$.input' is invalid: a text is empty.", "input")
        if any(token_count(text) > _TEXT_TOKENS for text in texts):
            raise Refused(
                "context_length_exceeded", f"This model's maximum context length is {_TEXT_TOKENS} tokens."
            )
        if sum(map(token_count, texts)) > _REQUEST_TOKENS:
            raise Refused(
                "max_tokens_per_request", f"Requested more than {_REQUEST_TOKENS} tokens per request."
            )
        vectors = await anyio.to_thread.run_sync(self._vectors, texts, size)
        as_base64 = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode() if as_base64 else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ]
        used = sum(map(token_count, texts))
        usage = {"prompt_tokens": used, "total_tokens": used}
        return _answered({"object": "list", "data": data, "model": model, "usage": usage})

    def _vectors(self, texts: list[str], size: int) -> Any:
        """Return real embeddings of length 1: this machine's 384 figures, and zeros for the rest."""
        if self._embedder is None:
            self._embedder = MiniLm.load().encode_all
        known = np.asarray(self._embedder(texts), dtype="<f4")
        vectors = np.zeros((len(texts), size), dtype="<f4")
        kept = min(size, known.shape[1])
        vectors[:, :kept] = known[:, :kept]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        for name in form:
            if name not in _FORM:
                raise Refused("unknown_parameter", f"Unknown parameter: '{name}'.", name)
        file, model = form.get("file"), form.get("model")
        if not isinstance(file, web.FileField):
            raise Refused("missing_required_parameter", "Missing required parameter: 'file'.", "file")
        if model is None:
            raise Refused("missing_required_parameter", "Missing required parameter: 'model'.", "model")
        if model not in _TRANSCRIBERS:
            return _no_model(str(model))
        if form.get("response_format", "json") not in ("json", "text"):
            raise Refused("unsupported_value", "Only 'json' and 'text' are simulated.", "response_format")
        if file.filename.rpartition(".")[2].lower() not in _FILES:
            text = f"Unrecognized file format. Supported formats: {sorted(_FILES)}"
            raise Refused("invalid_value", text, "file")
        recording = file.file.read()
        if len(recording) > _FILE_BYTES:
            raise Refused(
                "invalid_value", f"Maximum content size limit ({_FILE_BYTES}) exceeded", "file", 413
            )
        try:
            pcm = await anyio.to_thread.run_sync(pcm16k, recording)
        except soundfile.LibsndfileError:
            text = "Audio file might be corrupted or unsupported"
            raise Refused("invalid_value", text, "file") from None
        text = self.script.transcript or await self.speech.transcribed(pcm)
        seconds = PCM_16K.duration_s(len(pcm))
        usage = {"type": "duration", "seconds": round(seconds)}
        if form.get("stream") == "true":
            response = web.StreamResponse(headers={**_headers(), "content-type": "text/event-stream"})
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
            return web.Response(text=f"{text}\n", headers=_headers())
        return _answered({"text": text, "usage": usage})


def _telling(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as problem:
            return json_response(problem.body, status=problem.status, headers=_headers())

    return handle


def _headers() -> dict[str, str]:
    return {
        "x-request-id": new_id("req"),
        "openai-version": "2020-10-01",
        "openai-processing-ms": "42",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-reset-requests": "6ms",
    }


def _answered(body: object) -> web.Response:
    return json_response(body, headers=_headers())


def _event(kind: str, **fields: object) -> bytes:
    return b"data: " + msgspec.json.encode({"type": kind, **fields}) + b"\n\n"


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1_795_132_800, "owned_by": "openai"}


def _no_model(name: str) -> web.Response:
    text = f"The model `{name}` does not exist or you do not have access to it."
    return json_response(error_body("model_not_found", text), status=404, headers=_headers())

"""OpenAI's API: its paths, its models, and chat completions; the rest next door."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec
from aiohttp import web

from warmline.core.clock import unix_time_s
from warmline.core.ids import new_id
from warmline.simulators.answers import (
    PrefixCache,
    answer_text,
    last_user_text,
    spoken_tokens,
    token_count,
)
from warmline.simulators.faults import FaultKind
from warmline.simulators.openai.bodies import ChatBody, no_model, read_body
from warmline.simulators.openai.embeddings import EMBEDDERS, Embeddings
from warmline.simulators.openai.errors import error_body, refusal
from warmline.simulators.openai.replying import answered, headers, telling
from warmline.simulators.openai.responses import Responses
from warmline.simulators.openai.responses_socket import responses_socket
from warmline.simulators.openai.transcriptions import TRANSCRIBERS, transcribe
from warmline.simulators.outgoing import EVENT_GARBAGE, HttpOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator, fault_of
from warmline.simulators.speech import Speech

__all__ = ["OpenAiSimulator"]

_MODELS: Final = ("gpt-6-sol", "gpt-5.6-sol", "gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano")

_KNOWN: Final = re.compile(r"(gpt-|o)\d[\w.-]*")


class OpenAiSimulator(Simulator):
    """OpenAI, on one port; base URL `https://host:port/v1`."""

    name: ClassVar[str] = "openai"
    base_path: ClassVar[str] = "/v1"

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self._cache = PrefixCache()
        self._responses = Responses(self, self._cache)

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of OpenAI's API."""
        return [
            web.get("/v1/models", self._list_models),
            web.get("/v1/models/{model}", telling(self._show_model)),
            web.post("/v1/chat/completions", telling(self._chat)),
            web.post("/v1/embeddings", telling(Embeddings().answer)),
            web.post("/v1/audio/transcriptions", telling(self._transcribe)),
            web.post("/v1/responses", telling(self._responses.over_http)),
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
        return model in self.script.models if self.script.models else bool(_KNOWN.fullmatch(model))

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        return await transcribe(request, self.script, self.speech)

    async def _answer_socket(self, request: web.Request) -> web.StreamResponse:
        return await responses_socket(request, self._responses)

    async def _list_models(self, _: web.Request) -> web.Response:
        names = [*(self.script.models or _MODELS), *EMBEDDERS, *TRANSCRIBERS]
        return answered({"object": "list", "data": [_model(name) for name in names]})

    async def _show_model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if not self.knows(name) and name not in EMBEDDERS:
            raise no_model(name)
        return answered(_model(name))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = read_body(await request.read(), ChatBody)
        model, messages = body["model"], body["messages"]
        if not self.knows(model):
            raise no_model(model)
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
        return answered({**base, "object": "chat.completion", "choices": [choice], "usage": usage})

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
            headers={**headers(), "content-type": "text/event-stream; charset=utf-8"}
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


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1_795_132_800, "owned_by": "openai"}

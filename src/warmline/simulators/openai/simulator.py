"""OpenAI's API: its paths and its models; what answers is next door."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from aiohttp import web

from warmline.simulators.answers import PrefixCache
from warmline.simulators.faults import FaultKind
from warmline.simulators.openai.chat import ChatCompletions
from warmline.simulators.openai.embeddings import EMBEDDERS, Embeddings
from warmline.simulators.openai.errors import refusal
from warmline.simulators.openai.refused import no_model
from warmline.simulators.openai.replying import answered, telling
from warmline.simulators.openai.responses import Responses
from warmline.simulators.openai.responses_socket import responses_socket
from warmline.simulators.openai.transcriptions import TRANSCRIBERS, transcribe
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator
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
        cache = PrefixCache()
        self._chat = ChatCompletions(self, cache)
        self._responses = Responses(self, cache)

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of OpenAI's API."""
        return [
            web.get("/v1/models", self._list_models),
            web.get("/v1/models/{model}", telling(self._show_model)),
            web.post("/v1/chat/completions", telling(self._chat.answer)),
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

    def settings(self, base_url: str) -> dict[str, object]:
        """Return the base URL, and that all of it is OpenAI's own."""
        return {**super().settings(base_url), "openai.dialect": "openai"}

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


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 1_795_132_800, "owned_by": "openai"}

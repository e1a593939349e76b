"""Anthropic's HTTP API: messages, streamed or whole, and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec
from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.answers import answer_text, last_user_text, spoken_tokens, token_count, tokens
from warmline.simulators.anthropic.cache import BlockCache
from warmline.simulators.anthropic.errors import error_body, problem, refusal
from warmline.simulators.faults import FaultKind
from warmline.simulators.outgoing import HttpOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator, fault_of, json_response
from warmline.simulators.speech import Speech

__all__ = ["AnthropicSimulator"]

_MODELS: Final = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-4-5")
_INVALID: Final = "invalid_request_error"
_REQUIRED: Final = {"model": str, "max_tokens": int, "messages": list}


class AnthropicSimulator(Simulator):
    """Anthropic, on one port; base URL `https://host:port`."""

    name: ClassVar[str] = "anthropic"

    def __init__(self, script: Script, speech: Speech, *, seed: int = 0) -> None:
        super().__init__(script, speech, seed=seed)
        self._cache = BlockCache()

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the paths of Anthropic's API."""
        return [
            web.get("/v1/models", self._list_models),
            web.get("/v1/models/{model}", self._show_model),
            web.post("/v1/messages", self._messages),
        ]

    def key(self, request: web.Request) -> str:
        """Return the key: in a header of its own, or as the bearer token that newer SDKs send."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return request.headers.get("x-api-key", "") or bearer

    def refusal(self, kind: FaultKind, retry_after: str = "") -> web.Response:
        """Return Anthropic's error for a kind of failure."""
        return refusal(kind, retry_after)

    def knows(self, model: str) -> bool:
        """Whether a language model by this name exists."""
        return model in self.script.models if self.script.models else model.startswith("claude-")

    async def _list_models(self, request: web.Request) -> web.Response:
        names = list(self.script.models or _MODELS)
        after = request.query.get("after_id")
        rest = names[names.index(after) + 1 :] if after in names else names
        page = rest[: int(request.query.get("limit", "20"))]
        body = {
            "data": [_model(name) for name in page],
            "has_more": len(page) < len(rest),
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
        return json_response(body, headers=_headers())

    async def _show_model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if not self.knows(name):
            return problem(404, "not_found_error", f"model: {name}")
        return json_response(_model(name), headers=_headers())

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        try:
            body = msgspec.json.decode(await request.read(), type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return problem(400, _INVALID, f"The request body is not valid JSON: {error}")
        wrong = _what_is_wrong(request, body)
        if wrong:
            return problem(400, _INVALID, wrong)
        if not self.knows(body["model"]):
            return problem(404, "not_found_error", f"model: {body['model']}")
        whole = tokens(answer_text(self.script, last_user_text(body["messages"])))
        text = "".join(whole[: body["max_tokens"]])
        message = {
            "id": new_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**self._cache.prompt_usage(body), "output_tokens": 1, "service_tier": "standard"},
        }
        stop = {
            "stop_reason": "max_tokens" if len(whole) > body["max_tokens"] else "end_turn",
            "stop_sequence": None,
        }
        if body.get("stream"):
            return await self._stream(request, message, text, stop)
        said = "".join([token async for token in spoken_tokens(self.script, text)])
        usage = {**message["usage"], "output_tokens": token_count(text)}
        content = [{"type": "text", "text": said}]
        return json_response({**message, **stop, "content": content, "usage": usage}, headers=_headers())

    async def _stream(
        self, request: web.Request, message: dict[str, Any], text: str, stop: dict[str, Any]
    ) -> web.StreamResponse:
        headers = _headers()
        response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream; charset=utf-8"})
        error = error_body("overloaded_error", "Overloaded", headers["request-id"])
        outgoing = HttpOutgoing(request, response, fault_of(request), _sse(error))
        await outgoing.begin()
        is_begun = False
        async for token in spoken_tokens(self.script, text):
            if not is_begun:
                await response.prepare(request)
                await outgoing.send(_event("message_start", message=message))
                block = {"type": "text", "text": ""}
                await outgoing.send(_event("content_block_start", index=0, content_block=block))
                await outgoing.send(_event("ping"))
                is_begun = True
            delta = {"type": "text_delta", "text": token}
            await outgoing.send(_event("content_block_delta", index=0, delta=delta))
        await outgoing.send(_event("content_block_stop", index=0))
        usage = {"output_tokens": token_count(text)}
        await outgoing.send(_event("message_delta", delta=stop, usage=usage))
        await outgoing.send(_event("message_stop"))
        await outgoing.end()
        return response


def _what_is_wrong(request: web.Request, body: dict[str, Any]) -> str:
    """Return why a request for a message is refused; empty if it is not."""
    if not request.headers.get("anthropic-version"):
        return "anthropic-version: header is required"
    for name, kind in _REQUIRED.items():
        if not body.get(name) or not isinstance(body[name], kind):
            return f"{name}: Field required"
    messages = body["messages"]
    if messages[0].get("role") != "user":
        return 'messages: first message must use the "user" role'
    if messages[-1].get("role") != "user":
        return "This model does not support assistant message prefill; the last message must be the user's."
    if not all(_is_said(message.get("content")) for message in messages):
        return "messages: text content blocks must be non-empty"
    return ""


def _is_said(content: object) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    return isinstance(content, list) and all(block.get("text", "").strip() for block in content)


def _headers() -> dict[str, str]:
    return {
        "request-id": new_id("req"),
        "anthropic-organization-id": "8d1f8a2e-5b0c-4c8e-9a53-0d5a2a7d6f10",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
    }


def _event(kind: str, **fields: object) -> bytes:
    return _sse({"type": kind, **fields})


def _sse(event: dict[str, object]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n"


def _model(name: str) -> dict[str, object]:
    return {
        "id": name,
        "type": "model",
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-10-07T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }

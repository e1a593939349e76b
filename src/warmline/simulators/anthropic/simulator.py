"""Anthropic's HTTP API: messages, streamed or whole, and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec
from aiohttp import web

from warmline.core.ids import new_id
from warmline.simulators.answers import (
    TEXT,
    Answer,
    Asked,
    Piece,
    answer_to,
    asked_by,
    pieces_of,
    spoken,
    text_of,
    token_count,
)
from warmline.simulators.anthropic.cache import BlockCache
from warmline.simulators.anthropic.errors import error_body, problem, refusal
from warmline.simulators.anthropic.rules import blocks_of, what_is_wrong
from warmline.simulators.faults import FaultKind
from warmline.simulators.outgoing import HttpOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator, fault_of, json_response
from warmline.simulators.speech import Speech

__all__ = ["AnthropicSimulator"]

_MODELS: Final = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-4-5")
_INVALID: Final = "invalid_request_error"


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
        wrong = what_is_wrong(request.headers, body)
        if wrong:
            return problem(400, _INVALID, wrong)
        if not self.knows(body["model"]):
            return problem(404, "not_found_error", f"model: {body['model']}")
        answer = answer_to(self.script, _asked(body))
        pieces = pieces_of(answer)
        said = pieces[: body["max_tokens"]]
        reason = "max_tokens" if len(said) < len(pieces) else "tool_use" if answer.calls else "end_turn"
        stop = {"stop_reason": reason, "stop_sequence": None}
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
        # In the order of the answer: what is said, then the calls.
        blocks = {part: _block(answer, part) for part, _ in said}
        count = token_count("".join(token for _, token in said))
        if body.get("stream"):
            return await self._stream(request, message, blocks, said, stop, count)
        written = dict.fromkeys(blocks, "")
        async for part, token in spoken(self.script, said):
            written[part] += token
        content = [
            {**block, "text": written[part]} if part == TEXT else {**block, "input": _input(written[part])}
            for part, block in blocks.items()
        ]
        usage = {**message["usage"], "output_tokens": count}
        return json_response({**message, **stop, "content": content, "usage": usage}, headers=_headers())

    async def _stream(
        self,
        request: web.Request,
        message: dict[str, Any],
        blocks: dict[int, dict[str, Any]],
        said: list[Piece],
        stop: dict[str, Any],
        count: int,
    ) -> web.StreamResponse:
        headers = _headers()
        response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream; charset=utf-8"})
        error = error_body("overloaded_error", "Overloaded", headers["request-id"])
        outgoing = HttpOutgoing(request, response, fault_of(request), _sse(error))
        await outgoing.begin()
        index = -1
        current: int | None = None
        async for part, token in spoken(self.script, said):
            if current is None:
                await response.prepare(request)
                await outgoing.send(_event("message_start", message=message))
            if part != current:
                if current is not None:
                    await outgoing.send(_event("content_block_stop", index=index))
                index, current = index + 1, part
                await outgoing.send(_event("content_block_start", index=index, content_block=blocks[part]))
                await outgoing.send(_event("ping"))
            delta = {"type": "text_delta", "text": token}
            if part != TEXT:
                delta = {"type": "input_json_delta", "partial_json": token}
            await outgoing.send(_event("content_block_delta", index=index, delta=delta))
        await outgoing.send(_event("content_block_stop", index=index))
        await outgoing.send(_event("message_delta", delta=stop, usage={"output_tokens": count}))
        await outgoing.send(_event("message_stop"))
        await outgoing.end()
        return response


def _block(answer: Answer, part: int) -> dict[str, Any]:
    """Return a block as it begins."""
    if part == TEXT:
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": new_id("toolu"), "name": answer.calls[part][0], "input": {}}


def _asked(body: dict[str, Any]) -> Asked:
    said: list[tuple[str, str]] = []
    for message in body["messages"]:
        blocks = blocks_of(message["content"])
        results = [block for block in blocks if block["type"] == "tool_result"]
        said += [("tool", text_of(block.get("content"))) for block in results]
        if len(results) < len(blocks):
            said.append((message["role"], text_of(blocks)))
    choice = body.get("tool_choice") or {"type": "auto"}
    named = {"any": "required", "tool": choice.get("name", "")}
    return asked_by(
        said, [tool["name"] for tool in body.get("tools") or ()], named.get(choice["type"], choice["type"])
    )


def _input(arguments: str) -> dict[str, Any]:
    """Return a call's arguments as a whole message has them: an object, whatever the script says."""
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return {}


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

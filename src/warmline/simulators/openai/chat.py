"""Chat completions, streamed or whole."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from aiohttp import web

from warmline.core.clock import unix_time_s
from warmline.core.ids import new_id
from warmline.simulators.answers import (
    TEXT,
    Answer,
    Asked,
    PrefixCache,
    answer_to,
    asked_by,
    pieces_of,
    spoken,
    text_of,
    token_count,
)
from warmline.simulators.openai.bodies import ChatBody, read_body
from warmline.simulators.openai.errors import error_body
from warmline.simulators.openai.refused import no_model
from warmline.simulators.openai.replying import answered, headers
from warmline.simulators.openai.tool_rules import choice_of, tool_names
from warmline.simulators.outgoing import EVENT_GARBAGE, HttpOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import fault_of

__all__ = ["ChatCompletions", "ChatOwner"]


class ChatOwner(Protocol):
    """The simulator."""

    script: Script

    def knows(self, model: str) -> bool:
        """Whether a model by this name exists."""
        ...


class ChatCompletions:
    """Answers the messages of a request; keeps nothing but the prompt cache."""

    def __init__(self, owner: ChatOwner, cache: PrefixCache) -> None:
        self._owner = owner
        self._cache = cache

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /v1/chat/completions`."""
        body = read_body(await request.read(), ChatBody)
        model = body["model"]
        if not self._owner.knows(model):
            raise no_model(model)
        answer = answer_to(self._owner.script, _asked(body))
        usage = self._usage(body, answer)
        base = {"id": new_id("chatcmpl"), "created": unix_time_s(), "model": model, "service_tier": "default"}
        calls = [
            {"id": new_id("call"), "type": "function", "function": {"name": name, "arguments": arguments}}
            for name, arguments in answer.calls
        ]
        if body.get("stream"):
            return await self._stream(request, body, base, answer, calls, usage)
        text = "".join([
            token async for part, token in spoken(self._owner.script, pieces_of(answer)) if part == TEXT
        ])
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if calls:
            message |= {"content": text or None, "tool_calls": calls}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
        return answered({**base, "object": "chat.completion", "choices": [choice], "usage": usage})

    def _usage(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        # Tools stand before the messages in what the model reads, and in what is cached of it.
        prompt = msgspec.json.encode([body.get("tools") or [], *body["messages"]]).decode()
        cached = self._cache.cached_tokens(str(body.get("prompt_cache_key", "")), prompt)
        return {
            "prompt_tokens": token_count(prompt),
            "completion_tokens": answer.token_count,
            "total_tokens": token_count(prompt) + answer.token_count,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }

    async def _stream(
        self,
        request: web.Request,
        body: dict[str, Any],
        base: dict[str, Any],
        answer: Answer,
        calls: list[dict[str, Any]],
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
        begun: set[int] = set()
        async for part, token in spoken(self._owner.script, pieces_of(answer)):
            if not begun:
                await response.prepare(request)
                content = "" if part == TEXT else None
                await outgoing.send(chunk({"role": "assistant", "content": content}))
            if part != TEXT and part not in begun:
                function = {**calls[part]["function"], "arguments": ""}
                call = {"index": part, **calls[part], "function": function}
                await outgoing.send(chunk({"tool_calls": [call]}))
            begun.add(part)
            more = {"index": part, "function": {"arguments": token}}
            await outgoing.send(chunk({"content": token} if part == TEXT else {"tool_calls": [more]}))
        await outgoing.send(chunk({}, _finish(answer)))
        if options.get("include_usage"):
            last = {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}
            await outgoing.send(b"data: " + msgspec.json.encode(last) + b"\n\n")
        await outgoing.send(b"data: [DONE]\n\n")
        await outgoing.end()
        return response


def _asked(body: dict[str, Any]) -> Asked:
    said = [(message["role"], text_of(message.get("content"))) for message in body["messages"]]
    return asked_by(said, tool_names(body), choice_of(body))


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"

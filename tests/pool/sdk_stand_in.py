"""OpenAI and ElevenLabs as their SDKs see them."""

import json

import anyio
from aiohttp import web

__all__ = ["WORDS", "StandIn", "sound"]

WORDS = ["We ", "open ", "at ", "nine."]


def sound(word: str) -> bytes:
    """As many bytes as the SDK hands on at a time."""
    return word.encode().ljust(1024)


class StandIn:
    """Handlers for `far_end`; each piece of a stream is sent when `more` is released."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.refusals = 0
        self.more = anyio.Semaphore(0)

    @property
    def routes(self):
        return {
            "/v1/models": self.models,
            "/v1/chat/completions": self.completions,
            "/v1/text-to-speech/{voice}/stream": self.speech,
            "/v1/cut": self.cut,
        }

    async def models(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.refusals:
            self.refusals -= 1
            return web.json_response({"error": {}}, status=429, headers={"retry-after-ms": "20"})
        response = web.json_response({"object": "list", "data": []}, headers={"x-place": "Malmö"})
        response.enable_compression()
        return response

    async def completions(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for word in WORDS:
            await self.more.acquire()
            chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": word}}]}
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def speech(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        response = web.StreamResponse(headers={"content-type": "audio/mpeg"})
        await response.prepare(request)
        for word in (await request.json())["text"].split():
            await self.more.acquire()
            await response.write(sound(word))
        return response

    async def cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if "begun" in request.query:
            await response.prepare(request)
            await response.write(b"begun")
            await anyio.sleep(0.05)
        assert request.transport is not None
        request.transport.abort()
        return response

"""A small server that calls come to: it is told of them, and talks on their media sockets."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np
from aiohttp import WSMsgType, web

from warmline.audio import g711
from warmline.simulators.telephone.placing import PlacedCall
from warmline.simulators.telephone.steps import Say

__all__ = ["HELLO", "TelephoneServer", "over", "place", "say", "telephone_server", "tone", "wav"]

OnHook = Callable[["Hook"], Awaitable[web.Response | None]]
OnMessage = Callable[[web.WebSocketResponse, dict[str, Any]], Awaitable[None]]


def tone(seconds: float, level: int = 4000) -> bytes:
    """Return pcm16 at 8 kHz that is audible."""
    return np.full(round(seconds * 8000), level, np.int16).tobytes()


def wav(pcm: bytes, rate_hz: int = 8000) -> bytes:
    """Return pcm16 as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(rate_hz)
        recording.writeframes(pcm)
    return file.getvalue()


HELLO = Say(audio=wav(tone(0.5)))


@dataclass
class Hook:
    """A webhook as it came."""

    path: str
    headers: dict[str, str]
    text: str
    form: dict[str, str]
    url: str

    @property
    def event(self) -> str:
        return str(json.loads(self.text)["data"]["event_type"])

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self.text)["data"]["payload"]
        return payload


@dataclass
class TelephoneServer:
    """What it was told, and what it does about it."""

    on_hook: OnHook
    url: str = ""
    hooks: list[Hook] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    handshakes: list[dict[str, str]] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    close_codes: list[int | None] = field(default_factory=list)
    on_open: Callable[[], object] = lambda: None
    on_message: OnMessage | None = None
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def media_url(self) -> str:
        return self.url.replace("http:", "ws:") + "/media"

    @property
    def events(self) -> list[str]:
        return [hook.event for hook in self.hooks]

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the messages of one kind that came on media sockets."""
        return [message for message in self.messages if message["event"] == event]

    async def until(self, condition: Callable[[], object], within_s: float = 5.0) -> None:
        """Return when something is so."""
        with anyio.fail_after(within_s):
            while not condition():  # noqa: ASYNC110 - of what has no event
                await anyio.sleep(0.005)

    async def _hook(self, request: web.Request) -> web.Response:
        text = await request.text()
        is_form = request.content_type == "application/x-www-form-urlencoded"
        form = {name: str(value) for name, value in (await request.post()).items()} if is_form else {}
        headers = {name.lower(): value for name, value in request.headers.items()}
        hook = Hook(request.path, headers, text, form, str(request.url))
        self.hooks.append(hook)
        return await self.on_hook(hook) or web.Response()

    async def _media(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.handshakes.append({name.lower(): value for name, value in request.headers.items()})
        self.sockets.append(socket)
        self.on_open()
        try:
            async for message in socket:
                assert message.type is WSMsgType.TEXT
                self.messages.append(json.loads(message.data))
                if self.on_message is not None:
                    await self.on_message(socket, self.messages[-1])
        finally:
            self.close_codes.append(socket.close_code)
        return socket

    async def _file(self, request: web.Request) -> web.Response:
        if request.match_info["name"] not in self.files:
            raise web.HTTPNotFound
        return web.Response(body=self.files[request.match_info["name"]])

    def answering_after_silence(
        self, reply: bytes, *, frames: int = 10, clears: bool = False, **fields: Any
    ) -> Callable[[web.WebSocketResponse, dict[str, Any]], Awaitable[None]]:
        """Return what answers speech with a recording and a mark, when so many frames of silence followed.

        Args:
            reply: pcm16 at 8 kHz.
            frames: Of 20 ms.
            clears: Whether to fall silent when somebody speaks within the reply.
            fields: What every message carries beyond what the network demands.
        """
        quiet = -1
        has_replied = False

        async def on_message(socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
            nonlocal quiet, has_replied
            if message["event"] != "media":
                return
            audio = g711.decode_pcmu(base64.b64decode(message["media"]["payload"]))
            loud = bool((abs(np.frombuffer(audio, np.int16)) > 200).any())
            if loud and has_replied and clears:
                has_replied = False
                await socket.send_json({"event": "clear", **fields})
            quiet = 0 if loud else quiet + (quiet >= 0)
            if quiet == frames:
                quiet, has_replied = -1, True
                for begin in range(0, len(reply), 3200):
                    await say(socket, reply[begin : begin + 3200], **fields)
                await socket.send_json({"event": "mark", "mark": {"name": "said"}, **fields})

        return on_message


async def say(socket: web.WebSocketResponse, pcm: bytes, **fields: Any) -> None:
    """Send audio as mu-law."""
    payload = base64.b64encode(g711.encode_pcmu(pcm)).decode()
    await socket.send_json({"event": "media", "media": {"payload": payload}, **fields})


@asynccontextmanager
async def telephone_server(on_hook: OnHook) -> AsyncIterator[TelephoneServer]:
    """Run one on a free port, without TLS."""
    server = TelephoneServer(on_hook)
    application = web.Application()
    application.add_routes([
        web.post("/{name:hooks.*}", server._hook),
        web.get("/media", server._media),
        web.get("/files/{name}", server._file),
    ])
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


async def place(simulator: Any, server: TelephoneServer, *caller: Any, **fields: Any) -> Any:
    """Have somebody call a server."""
    return await simulator.place(PlacedCall(webhook_url=f"{server.url}/hooks", caller=caller, **fields))


async def over(call: Any, within_s: float = 8.0) -> Any:
    """Return a call's report, when it is over."""
    with anyio.fail_after(within_s):
        return await call.over()

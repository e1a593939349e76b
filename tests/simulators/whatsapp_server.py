"""A small server that WhatsApp tells of messages."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import anyio
from aiohttp import web

from warmline.simulators.running import Running
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID, signature

__all__ = ["ANN", "Api", "WhatsAppServer", "api", "whatsapp_server"]

ANN = Person(phone="447700900123", user_id="GB.91208655302741918")

OnMessage = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class WhatsAppServer:
    """What it was told, and what it does about messages."""

    secret: str
    verify_token: str
    url: str = ""
    on_message: OnMessage | None = None
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages, or the statuses, that came."""
        return [
            item
            for body in self.bodies
            for change in json.loads(body)["entry"][0]["changes"]
            for item in change["value"].get(kind, ())
        ]

    async def until(self, condition: Callable[[], object], within_s: float = 5.0) -> None:
        """Return when something is so."""
        with anyio.fail_after(within_s):
            while not condition():  # noqa: ASYNC110 - of what has no event
                await anyio.sleep(0.005)

    async def _verify(self, request: web.Request) -> web.Response:
        if request.query["hub.verify_token"] != self.verify_token:
            raise web.HTTPForbidden
        assert request.query["hub.mode"] == "subscribe"
        return web.Response(text=request.query["hub.challenge"])

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.headers["x-hub-signature-256"] == signature(self.secret, body)
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.status == 200 and self.on_message is not None:
            value = json.loads(body)["entry"][0]["changes"][0]["value"]
            for message in value.get("messages", ()):
                await self.on_message(message)
        return web.Response(status=self.status)


@asynccontextmanager
async def whatsapp_server(running: Running) -> AsyncIterator[WhatsAppServer]:
    """Run one on a free port, without TLS."""
    environment = running.environment
    server = WhatsAppServer(environment["WHATSAPP_APP_SECRET"], environment["WHATSAPP_VERIFY_TOKEN"])
    application = web.Application()
    application.add_routes([
        web.get("/{any:.*webhook}", server._verify),
        web.post("/{any:.*webhook}", server._take),
    ])
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
        yield server
    finally:
        await runner.cleanup()


@dataclass
class Api:
    """The Graph API as a plain client sees it."""

    client: aiohttp.ClientSession
    base_url: str
    control_url: str

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        async with self.client.request(method, f"{self.base_url}/{path}", **more) as response:
            return response.status, await response.json()

    async def send(self, **message: Any) -> tuple[int, Any]:
        """Send a message of the number's."""
        body = {"messaging_product": "whatsapp", **message}
        return await self.ask("POST", f"{PHONE_NUMBER_ID}/messages", json=body)

    async def upload(self, data: bytes, mime_type: str = "audio/ogg") -> tuple[int, Any]:
        """Upload a file."""
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": mime_type})
        form.add_field("file", data, filename="note.ogg", content_type=mime_type)
        return await self.ask("POST", f"{PHONE_NUMBER_ID}/media", data=form)

    async def control(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask the simulator's control address."""
        async with self.client.request(method, f"{self.control_url}/{path}", json=body) as response:
            return response.status, await response.json()


@asynccontextmanager
async def api(running: Running, key: str = "") -> AsyncIterator[Api]:
    """Make a client that trusts the simulators."""
    trusted = ssl.create_default_context(cafile=running.certificate)
    headers = {"authorization": f"Bearer {key or running.keys['whatsapp']}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted), headers=headers) as client:
        yield Api(client, running.base_urls["whatsapp"], running.control_urls["whatsapp"])

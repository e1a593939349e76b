"""A real server on a real port, with scripted or real providers, in the test's own loop."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.journeys.conversation import Stagehands
from warmline.knowledge.index import build_index
from warmline.knowledge.sample_library import EXAMPLE_QUESTIONS, SAMPLE_FOLDER
from warmline.server.services.knowledge import Knowledge
from warmline.server.serving import bind, serve
from warmline.server.settings import HistoryTable, LimitsTable, Secret, ServerTable, Settings
from warmline.session.settings import Providers
from warmline.testing.line import Line

KEY = "a-key-of-some-length"


@dataclass
class Server:
    """Where it is."""

    port: int
    stop: Callable[[], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, **options: Any) -> connect:
        """Return a client's connection with the key, unless told otherwise."""
        options.setdefault("additional_headers", {"Authorization": f"Bearer {KEY}"})
        return connect(f"ws://127.0.0.1:{self.port}/v1/realtime?model=test", max_size=None, **options)

    async def session_count(self) -> int:
        async with httpx2.AsyncClient() as client:
            health: dict[str, Any] = (await client.get(f"{self.url}/health")).json()
            return int(health["sessions"])

    async def has_no_session(self) -> None:
        """Wait until the last session has ended."""
        with anyio.fail_after(5):
            while await self.session_count():  # noqa: ASYNC110 - another process would poll as well
                await anyio.sleep(0.01)


def knowledge() -> Knowledge:
    index = build_index(SAMPLE_FOLDER, embeddings=False)
    return Knowledge(index, "Sample", EXAMPLE_QUESTIONS)


@asynccontextmanager
async def running_server(
    providers: Providers | None = None, *, limits: LimitsTable | None = None, port: int = 0, **tables: Any
) -> AsyncIterator[Server]:
    """Run a server; scripted providers unless others are given. It keeps no turns unless it is told to."""
    settings = replace(
        Settings(),
        server=ServerTable(port=port, api_key=Secret(KEY)),
        limits=limits or LimitsTable(),
        **{"history": HistoryTable(keep=False), **tables},
    )
    providers = providers or Stagehands(line=Line()).providers()
    listener = bind(settings)
    ready = anyio.Event()
    known = await anyio.to_thread.run_sync(knowledge)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, listener, settings, known, providers, ready.set)
        await ready.wait()
        yield Server(listener.getsockname()[1], tasks.cancel_scope.cancel)
        tasks.cancel_scope.cancel()


def close_code(error: ConnectionClosed) -> int:
    """Return the code that the server closed with."""
    assert error.rcvd is not None
    return error.rcvd.code


async def say(client: ClientConnection, kind: str, **fields: Any) -> None:
    """Send an event."""
    await client.send(json.dumps({"type": kind, **fields}))


async def speak(client: ClientConnection, pcm: bytes, frame_bytes: int = 960) -> None:
    """Send audio in frames of 20 ms, as fast as it goes."""
    for start in range(0, len(pcm), frame_bytes):
        audio = base64.b64encode(pcm[start : start + frame_bytes]).decode()
        await say(client, "input_audio_buffer.append", audio=audio)


async def until(client: ClientConnection, kind: str, within_s: float = 10) -> dict[str, Any]:
    """Return the next event of that type; others are dropped."""
    with anyio.fail_after(within_s):
        while True:
            event: dict[str, Any] = json.loads(await client.recv())
            if event["type"] == kind:
                return event

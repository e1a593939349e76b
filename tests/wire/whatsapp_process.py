"""A process that answers WhatsApp messages, and dies where it is told to.

All of it is the server's own, but for who listens, answers and speaks. Processes are forked from one that
has everything imported, so that a test can afford many of them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from starlette.applications import Starlette

from tests.wire.server import knowledge
from warmline.channels.whatsapp.client import GraphClient
from warmline.core.formats import AudioFormat
from warmline.interfaces.llm import LlmRequest
from warmline.interfaces.tts import SpeechChunk
from warmline.server.settings import Secret, Settings, StoreTable, WhatsAppTable
from warmline.server.settings.provider_tables import LinesTable
from warmline.server.whatsapp import opening
from warmline.server.whatsapp.engine import JobEngine
from warmline.session.settings import Providers, SessionSettings
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID
from warmline.testing.scripted import ScriptedDetector, ScriptedRecogniser, ScriptedRetriever

__all__ = ["Told", "started"]

HEARD = "when are you open"


@dataclass(frozen=True)
class Told:
    """What a process is told; plain values, since they cross to it."""

    port: int
    store_url: str
    base_url: str
    certificate: str
    environment: Mapping[str, str]
    worker: str = "worker"
    kill_job: str = ""
    """The job at one of whose places it dies; `first` for the first that it does."""

    kill_at: int = 0
    """Which; counted from 1."""

    kill_after_s: float = 0.0
    """For how long it stands still there before; its other threads go on."""

    places: str = ""
    """A file that gets a line for each place that is passed."""

    template: str = ""
    confirm_s: float = 1.0
    paid: str = ""
    """A file that gets a line for each thing that a provider does."""


def started(told: Told) -> ForkServerProcess:
    """Start a process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_serve, args=(told,), daemon=True)
    process.start()
    return process


def _serve(told: Told) -> None:
    _arm(told)
    anyio.run(_served, told)


async def _served(told: Told) -> None:
    table = WhatsAppTable(
        token=Secret(told.environment["WHATSAPP_TOKEN"]),
        app_secret=Secret(told.environment["WHATSAPP_APP_SECRET"]),
        verify_token=Secret(told.environment["WHATSAPP_VERIFY_TOKEN"]),
        base_urls=(told.base_url,),
        phone_number_id=PHONE_NUMBER_ID,
        look_ms=20,
        confirm_s=told.confirm_s,
        template=told.template,
    )
    settings = Settings(
        whatsapp=table,
        store=StoreTable(url=told.store_url, worker=told.worker),
        lines=LinesTable(certificate=Path(told.certificate)),
    )
    setattr(opening, "open_transcriber", lambda *_: _listening(told))  # noqa: B010 - it is not exported
    providers = Providers(
        vad=ScriptedDetector(),
        stt=ScriptedRecogniser(),
        retriever=ScriptedRetriever(),
        llm=_Model(told),
        tts=_Voice(told),
    )
    opened = opening.open_whatsapp(
        settings,
        knowledge(),
        providers,
        SessionSettings(),
        port=told.port,
        watching=lambda job_id: lambda event: None,
    )
    async with opened as routes:
        config = uvicorn.Config(
            Starlette(routes=list(routes)), host="127.0.0.1", port=told.port, log_config=None, lifespan="off"
        )
        server = _Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_when_told, server)
            await server.serve()
            tasks.cancel_scope.cancel()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop_when_told(server: uvicorn.Server) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            server.should_exit = True


@dataclass
class _Place:
    """Counts the places that one job passes."""

    told: Told
    job_id: str
    passed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_by(self, job_id: str, place: str) -> None:
        with self.lock:
            if self.job_id == "first":
                self.job_id = job_id
            if job_id != self.job_id:
                return
            self.passed += 1
            if self.told.places:
                with Path(self.told.places).open("a") as file:
                    file.write(f"{place}\n")
            if self.passed == self.told.kill_at:
                time.sleep(self.told.kill_after_s)
                os.kill(os.getpid(), signal.SIGKILL)


def _arm(told: Told) -> None:
    """Have this process die where it is told to."""
    place, here = _Place(told, told.kill_job), threading.local()
    run, step, send = JobEngine._run, JobEngine.step, GraphClient.send

    def armed_run(engine: JobEngine, job_id: str) -> None:
        here.job_id = job_id
        run(engine, job_id)

    def armed_step(engine: JobEngine, name: str, act: Callable[[], Any]) -> Any:
        job_id = here.job_id

        def inside() -> Any:
            result = act()
            place.pass_by(job_id, f"in {name}")
            return result

        place.pass_by(job_id, f"before {name}")
        result = step(engine, name, inside)
        place.pass_by(job_id, f"behind {name}")
        return result

    async def armed_send(client: GraphClient, phone_number_id: str, body: Mapping[str, Any]) -> str:
        job_id = str(body["biz_opaque_callback_data"]).partition("/")[0]
        place.pass_by(job_id, "before the call that sends")
        message_id = await send(client, phone_number_id, body)
        place.pass_by(job_id, "behind the call that sends")
        return message_id

    for owner, name, armed in (
        (JobEngine, "_run", armed_run),
        (JobEngine, "step", armed_step),
        (GraphClient, "send", armed_send),
    ):
        setattr(owner, name, armed)


@asynccontextmanager
async def _listening(told: Told) -> AsyncIterator[Any]:
    yield _Transcriber(told)


class _Paid:
    def __init__(self, told: Told) -> None:
        self._told = told

    def note(self, what: str) -> None:
        if self._told.paid:
            with Path(self._told.paid).open("a") as file:
                file.write(f"{what}\n")


class _Transcriber(_Paid):
    async def transcribe(self, recording: bytes, name: str, language: str = "") -> str:
        assert len(recording) > 500
        self.note("heard")
        return HEARD


class _Model(_Paid):
    @asynccontextmanager
    async def stream(self, request: LlmRequest, on_line: Any = None) -> AsyncIterator[AsyncIterator[str]]:
        self.note("answered")

        async def pieces() -> AsyncIterator[str]:
            said: Sequence[Any] = request.messages
            yield f"You asked: {said[-1].text}."

        yield pieces()


class _Voice(_Paid):
    def open(self, audio_format: AudioFormat | None = None) -> _Voice:
        return self

    @asynccontextmanager
    async def speak(
        self, clauses: AsyncIterator[str], audio_format: AudioFormat, on_line: Any = None
    ) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        self.note("spoken")

        async def chunks() -> AsyncIterator[SpeechChunk]:
            async for _ in clauses:
                yield SpeechChunk(audio_format.silence(1.0))

        yield chunks()

    async def aclose(self) -> None:
        """Hold nothing."""

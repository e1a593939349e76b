"""The recogniser's and the voice's processes are killed in the middle of a conversation."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.wire.server import Server, knowledge, running_server, say, speak, until
from warmline.audio.recordings import read_recording
from warmline.providers.offline.recogniser import OfflineRecogniser
from warmline.providers.offline.voice import OfflineVoice
from warmline.server.assembly import open_providers
from warmline.server.settings import LimitsTable, RecogniserTable, Settings, TurnsTable
from warmline.session.settings import Providers

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

QUESTION = Path(__file__).parents[2] / "examples" / "when-are-you-open.wav"
SILENCE = bytes(32_000)


@asynccontextmanager
async def offline_server(
    settings: Settings | None = None, limits: LimitsTable | None = None
) -> AsyncIterator[tuple[Server, Providers]]:
    known = await anyio.to_thread.run_sync(knowledge)
    async with (
        open_providers(settings or Settings(), known) as providers,
        running_server(providers, limits=limits) as server,
    ):
        yield server, providers


async def listens_at_16_khz(client) -> None:
    wire_format = {"type": "audio/pcm", "rate": 16_000}
    await say(
        client, "session.update", session={"type": "realtime", "audio": {"input": {"format": wire_format}}}
    )
    await until(client, "session.updated")


async def test_recogniser_killed_in_mid_utterance_is_replaced_and_hears_it_from_its_beginning():
    """Another process understands the question as one, and the person is told nothing."""
    question = await anyio.to_thread.run_sync(read_recording, QUESTION)
    settings = Settings(turns=TurnsTable(final_deadline_ms=30_000))
    async with offline_server(settings) as (server, providers), server.connect() as client:
        assert isinstance(providers.stt, OfflineRecogniser)
        await listens_at_16_khz(client)
        await speak(client, question[: len(question) // 2], frame_bytes=640)
        await until(client, "input_audio_buffer.speech_started")
        for process_id in providers.stt.process_ids:
            os.kill(process_id, signal.SIGKILL)
        await speak(client, question[len(question) // 2 :] + SILENCE, frame_bytes=640)
        event: dict[str, str] = {"type": ""}
        with anyio.fail_after(30):
            while event["type"] != "conversation.item.input_audio_transcription.completed":
                event = json.loads(await client.recv())
                assert event["type"] != "warmline.notice"
        assert event["transcript"] == "when are you open"
        assert (await until(client, "response.done", within_s=30))["response"]["status"] == "completed"


async def test_voice_killed_in_mid_reply_fails_that_reply_and_the_next_is_spoken():
    """By another process."""
    async with offline_server() as (server, providers), server.connect() as client:
        assert isinstance(providers.tts, OfflineVoice)
        await say(client, "warmline.text", text="Can I book a study room?")
        await until(client, "response.output_audio.delta")
        assert providers.tts.process_id is not None
        os.kill(providers.tts.process_id, signal.SIGKILL)
        await until(client, "response.done", within_s=30)
        await say(client, "warmline.text", text="When are you open?")
        await until(client, "response.created")
        await until(client, "response.output_audio.delta")
        assert (await until(client, "response.done", within_s=30))["response"]["status"] == "completed"


async def test_session_beyond_the_recognisers_processes_can_still_type():
    """It is told that it is not heard."""
    settings = Settings(recogniser=RecogniserTable(processes=1, spare=1))
    async with (
        offline_server(settings, LimitsTable(sessions=3)) as (server, _),
        server.connect() as first,
        server.connect() as second,
    ):
        await until(first, "session.created")
        assert (await until(second, "warmline.notice"))["code"] == "recogniser_failed"
        await say(second, "warmline.text", text="When are you open?")
        delta = (await until(second, "response.output_audio_transcript.delta"))["delta"]
        assert delta.startswith("We are open")

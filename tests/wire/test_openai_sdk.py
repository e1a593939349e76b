"""The official OpenAI SDK holds a spoken conversation with the offline providers, none of them scripted."""

import base64
import re
import sys
import wave
from pathlib import Path
from typing import Any

import anyio
import pytest
from openai import AsyncOpenAI

from tests.wire.server import KEY, knowledge, running_server
from warmline.audio.recordings import read_recording
from warmline.audio.resample import StreamResampler
from warmline.server.assembly import open_providers
from warmline.server.settings import Settings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

ROOT = Path(__file__).parents[2]
QUESTION = ROOT / "examples" / "when-are-you-open.wav"


async def test_realtime_connect_holds_a_spoken_conversation():
    """A recorded question in, the answer's words and sound out, interrupted by a second question."""
    resampler = StreamResampler(16_000, 24_000)
    question = resampler.convert(await anyio.to_thread.run_sync(read_recording, QUESTION)) + resampler.flush()
    known = await anyio.to_thread.run_sync(knowledge)
    heard: list[str] = []
    answers: list[str] = []
    statuses: list[tuple[str, str | None]] = []
    audio = bytearray()
    async with (
        open_providers(Settings(), known) as providers,
        running_server(providers) as server,
        AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1") as sdk,
        sdk.realtime.connect(model="warmline") as connection,
        anyio.create_task_group() as tasks,
    ):
        microphone: list[bytes] = [question]

        async def speak() -> None:
            """Send a frame every 20 ms: of the recording at hand, or of silence."""
            pcm = b""
            while True:
                if not pcm and microphone:
                    pcm = microphone.pop()
                frame, pcm = pcm[:960].ljust(960, b"\0"), pcm[960:]
                await connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())
                await anyio.sleep(0.02)

        await connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
        tasks.start_soon(speak)
        with anyio.fail_after(40):
            async for event in connection:
                if event.type == "error":
                    pytest.fail(event.error.message)
                if event.type == "conversation.item.input_audio_transcription.completed":
                    heard.append(event.transcript)
                elif event.type == "response.output_audio.delta":
                    audio += base64.b64decode(event.delta)
                    if not answers and len(audio) > 48_000:
                        answers.append("interrupted")
                        microphone.append(question)  # barge in after a second of the first answer
                elif event.type == "response.output_audio_transcript.done":
                    answers.append(event.transcript)
                elif event.type == "response.done":
                    details = event.response.status_details
                    statuses.append((event.response.status or "", details.reason if details else None))
                    if len(statuses) == 2:
                        break
        tasks.cancel_scope.cancel()
    assert heard == ["when are you open", "when are you open"]
    assert "from nine in the morning" in answers[-1]
    assert statuses == [("cancelled", "turn_detected"), ("completed", None)]
    assert len(audio) > 3 * 48_000
    assert max(audio) > 0


async def test_the_guides_example_runs_as_it_stands(tmp_path):
    """But for the key and the port."""
    guide = await anyio.Path(ROOT / "docs" / "guides" / "openai-sdk.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    known = await anyio.to_thread.run_sync(knowledge)
    async with open_providers(Settings(), known) as providers, running_server(providers) as server:
        code = code.replace("http://127.0.0.1:8080", server.url).replace("choose-a-long-secret", KEY)
        with anyio.fail_after(40):
            done = await anyio.run_process([sys.executable, "-c", code], cwd=tmp_path)
    assert "from nine in the morning" in done.stdout.decode()
    with wave.open(str(tmp_path / "answer.wav")) as answer:
        assert answer.getnframes() > 5 * 24_000


async def test_a_recording_sent_all_at_once_is_understood_as_if_it_were_spoken():
    """Most clients' first try: the whole file in one loop, and a second of silence."""
    pcm = await anyio.to_thread.run_sync(read_recording, QUESTION)
    known = await anyio.to_thread.run_sync(knowledge)
    async with (
        open_providers(Settings(), known) as providers,
        running_server(providers) as server,
        AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1") as sdk,
        sdk.realtime.connect(model="warmline") as connection,
    ):
        session: Any = {
            "type": "realtime",
            "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}},
        }
        await connection.session.update(session=session)
        for _ in range(2):
            audio = base64.b64encode(bytes(9_600) + pcm + bytes(32_000)).decode()
            await connection.input_audio_buffer.append(audio=audio)
            with anyio.fail_after(20):
                async for event in connection:
                    if event.type == "conversation.item.input_audio_transcription.completed":
                        assert event.transcript == "when are you open"
                    elif event.type == "response.done":
                        break

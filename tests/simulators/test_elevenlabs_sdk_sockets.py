"""The simulated ElevenLabs's sockets, as its official SDK sees them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
from elevenlabs import AudioFormat, CommitStrategy, RealtimeEvents, VoiceSettings
from elevenlabs.client import AsyncElevenLabs, ElevenLabs
from elevenlabs.core.api_error import ApiError

from warmline.core.formats import PCM_16K
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

VOICE = "21m00Tcm4TlvDq8ikWAM"
TEXT = "The library is open on Monday."


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    script = Script(key=KEY, speech_ms=1, speech_speed=1000, transcript_ms=1)
    async with simulators_running(
        only=["elevenlabs"], scripts={"elevenlabs": script}, sentences=[TEXT]
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def trusted(running, monkeypatch) -> None:
    """Sockets are opened without asking whom to trust; what the machine trusts is an environment variable."""
    monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))


@pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")
async def test_text_as_it_comes(running):
    """The SDK has this without async alone; its first message has no voice settings, but says so."""
    client = ElevenLabs(api_key=KEY, base_url=running.base_urls["elevenlabs"])

    def speak(**options: Any) -> bytes:
        words = (f"{word} " for word in TEXT.split())
        return b"".join(
            client.text_to_speech.convert_realtime(
                VOICE, text=words, model_id="eleven_flash_v2_5", output_format="pcm_16000", **options
            )
        )

    plain = await anyio.to_thread.run_sync(speak)
    assert 1.0 < PCM_16K.duration_s(len(plain)) < 6.0
    settings = VoiceSettings(stability=0.5, similarity_boost=0.8, style=0.0, use_speaker_boost=False)
    assert await anyio.to_thread.run_sync(lambda: speak(voice_settings=settings))
    wrong = VoiceSettings(stability=5)
    with pytest.raises(ApiError) as caught:
        await anyio.to_thread.run_sync(lambda: speak(voice_settings=wrong))
    assert caught.value.status_code == 1008


class Heard:
    """What a realtime connection of the SDK tells."""

    def __init__(self, connection) -> None:
        self.messages: list[dict[str, Any]] = []
        self._more = anyio.Event()
        for event in RealtimeEvents:
            if event not in {RealtimeEvents.OPEN, RealtimeEvents.CLOSE, RealtimeEvents.ERROR}:
                connection.on(event, self._take)

    def _take(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._more.set()
        self._more = anyio.Event()

    async def until(self, kind: str) -> dict[str, Any]:
        with anyio.fail_after(10):
            while not self.kinds or self.kinds[-1] != kind:
                await self._more.wait()
        return self.messages[-1]

    @property
    def kinds(self) -> list[str]:
        return [message["message_type"] for message in self.messages]


async def connected(running, **options: Any):
    client = AsyncElevenLabs(api_key=KEY, base_url=running.base_urls["elevenlabs"])
    wanted: Any = {
        "model_id": "scribe_v2_realtime",
        "audio_format": AudioFormat.PCM_16000,
        "sample_rate": 16_000,
        **options,
    }
    return await client.speech_to_text.realtime.connect(wanted)


@pytest.mark.parametrize("strategy", [CommitStrategy.MANUAL, CommitStrategy.VAD])
async def test_speech_is_recognised_as_it_comes(running, strategy):
    options = {"vad_silence_threshold_secs": 0.5, "include_timestamps": True}
    connection = await connected(running, commit_strategy=strategy, **options)
    heard = Heard(connection)
    speech = await running.simulators["elevenlabs"].speech.spoken(TEXT, PCM_16K)
    audio = speech.audio + bytes(32_000)
    for begin in range(0, len(audio), 6_400):
        chunk = base64.b64encode(audio[begin : begin + 6_400]).decode()
        await connection.send({"audio_base_64": chunk})
    if strategy is CommitStrategy.MANUAL:
        await connection.commit()
    timed = await heard.until("committed_transcript_with_timestamps")
    assert "library" in timed["text"]
    assert [word["text"] for word in timed["words"]] == timed["text"].split()
    assert heard.kinds[-2] == "committed_transcript"
    await connection.close()


async def test_a_commit_of_nothing_is_throttled(running):
    connection = await connected(running)
    heard = Heard(connection)
    await connection.commit()
    await heard.until("commit_throttled")
    await connection.send({"audio_base_64": "not base64"})
    await heard.until("input_error")
    await connection.close()


async def test_a_stream_that_cannot_be_had_is_refused(running):
    connection = await connected(running, vad_silence_threshold_secs=9.0)
    heard = Heard(connection)
    assert "between 0.3 and 3" in (await heard.until("invalid_request"))["error"]
    await connection.close()

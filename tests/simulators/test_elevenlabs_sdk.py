"""The simulated ElevenLabs, as its official SDK sees it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import soundfile
from elevenlabs import VoiceSettings
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError

from warmline.pool.dialling import ssl_context
from warmline.simulators.elevenlabs.simulator import ElevenLabsSimulator
from warmline.simulators.faults import HEADER, Fault, FaultKind
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

VOICE = "21m00Tcm4TlvDq8ikWAM"
TEXT = "The library is open on Monday."
FLASH = "eleven_flash_v2_5"


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    script = Script(key=KEY, speech_ms=1, speech_speed=1000, transcript_ms=1)
    async with simulators_running(
        only=["elevenlabs"], scripts={"elevenlabs": script}, sentences=[TEXT]
    ) as running:
        yield running


@pytest.fixture
def simulator(running) -> Iterator[ElevenLabsSimulator]:
    yield running.simulators["elevenlabs"]
    running.simulators["elevenlabs"].faults.clear()


@pytest.fixture
async def client(running, simulator) -> AsyncIterator[AsyncElevenLabs]:
    async with httpx.AsyncClient(verify=ssl_context(str(running.certificate))) as trusting:
        yield AsyncElevenLabs(api_key=KEY, base_url=running.base_urls["elevenlabs"], httpx_client=trusting)


def fault(text: str) -> dict[str, object]:
    return {"additional_headers": {HEADER: text}, "max_retries": 0}


async def collected(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_speech_is_an_mp3_unless_said_otherwise(client):
    audio = await collected(client.text_to_speech.convert(VOICE, text=TEXT))
    samples, rate_hz = soundfile.read(io.BytesIO(audio))
    assert rate_hz == 44_100
    assert 1.0 < len(samples) / rate_hz < 4.0


@pytest.mark.parametrize(
    ("name", "kind"), [("opus_48000_64", "OGG"), ("wav_22050", "WAV"), ("mp3_24000_48", "MP3")]
)
async def test_containers_can_be_read(client, name, kind):
    audio = await collected(client.text_to_speech.convert(VOICE, text=TEXT, output_format=name))
    with soundfile.SoundFile(io.BytesIO(audio)) as file:
        assert (file.format, file.samplerate) == (kind, int(name.split("_")[1]))


async def test_streamed_samples_can_be_understood(client, simulator):
    pcm = await collected(
        client.text_to_speech.stream(
            VOICE,
            text=TEXT,
            model_id=FLASH,
            output_format="pcm_16000",
            voice_settings=VoiceSettings(stability=0.4, speed=1.1),
        )
    )
    assert "library" in await simulator.speech.transcribed(pcm)


async def test_each_character_has_its_time(client):
    pieces = client.text_to_speech.stream_with_timestamps(VOICE, text=TEXT, output_format="pcm_16000")
    found = [piece async for piece in pieces]
    aligned = [piece.alignment for piece in found if piece.alignment is not None]
    assert "".join(character for each in aligned for character in each.characters) == TEXT
    starts_s = aligned[0].character_start_times_seconds
    assert starts_s == sorted(starts_s)
    whole = await client.text_to_speech.convert_with_timestamps(VOICE, text=TEXT, output_format="pcm_16000")
    assert "".join(whole.alignment.characters) == TEXT


async def test_voices_and_models(client):
    found = await client.voices.get(VOICE)
    assert (found.voice_id, found.settings.stability) == (VOICE, 0.5)
    assert (await client.voices.settings.get(VOICE)).speed == 1.0
    assert [voice.voice_id for voice in (await client.voices.search()).voices] == [VOICE]
    assert FLASH in [model.model_id for model in await client.models.list()]
    assert (await client.user.subscription.get()).status == "active"


async def test_a_recording_is_understood(client):
    recording = await collected(client.text_to_speech.convert(VOICE, text=TEXT, output_format="wav_16000"))
    heard = await client.speech_to_text.convert(model_id="scribe_v2", file=("a.wav", recording, "audio/wav"))
    assert "library" in heard.text
    assert [word.text for word in heard.words] == heard.text.split()
    with pytest.raises(ApiError) as caught:
        await client.speech_to_text.convert(model_id="scribe_v2", file=b"no recording")
    assert caught.value.body["detail"]["code"] == "invalid_audio"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("quota", 401, "quota_exceeded"),
        ("429", 429, "concurrent_limit_exceeded"),
        ("500", 500, "internal_error"),
        ("503", 503, "system_busy"),
    ],
)
async def test_each_refusal_has_the_status_and_the_code_of_2026(client, kind, status, code):
    with pytest.raises(ApiError) as caught:
        await collected(client.text_to_speech.convert(VOICE, text=TEXT, request_options=fault(kind)))
    assert caught.value.status_code == status
    detail = caught.value.body["detail"]
    assert detail["code"] == code
    assert detail["request_id"] == (caught.value.headers or {})["request-id"]


async def test_a_refusal_in_the_shape_that_was_before(client):
    with pytest.raises(ApiError) as caught:
        await collected(client.text_to_speech.convert(VOICE, text=TEXT, request_options=fault("429_old")))
    detail = caught.value.body["detail"]
    assert (caught.value.status_code, set(detail)) == (429, {"status", "message"})
    assert detail["status"] == "too_many_concurrent_requests"


async def test_a_key_that_is_wrong(running, client):
    stranger = AsyncElevenLabs(
        api_key="wrong",
        base_url=running.base_urls["elevenlabs"],
        httpx_client=client._client_wrapper.httpx_client.httpx_client,
    )
    with pytest.raises(ApiError) as caught:
        await stranger.voices.get(VOICE)
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("voice", "change", "status", "code"),
    [
        ("nobody", {}, 404, "voice_not_found"),
        (VOICE, {"model_id": "eleven_v9"}, 404, "model_not_found"),
        (VOICE, {"output_format": "mp3_44100_1"}, 400, "invalid_output_format"),
        (VOICE, {"model_id": "eleven_v3", "previous_text": "So."}, 400, "unsupported_parameter"),
        (VOICE, {"model_id": FLASH, "apply_text_normalization": "on"}, 400, "unsupported_parameter"),
        (VOICE, {"text": "a" * 10_001}, 400, "max_character_limit_exceeded"),
    ],
)
async def test_what_the_real_one_would_not_take_is_refused(client, voice, change, status, code):
    with pytest.raises(ApiError) as caught:
        await collected(client.text_to_speech.convert(voice, **{"text": TEXT, **change}))
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (status, code)


async def test_a_wav_cannot_be_streamed(client):
    with pytest.raises(ApiError) as caught:
        await collected(client.text_to_speech.stream(VOICE, text=TEXT, output_format="wav_16000"))
    assert caught.value.body["detail"]["code"] == "invalid_output_format"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"text": 7}, ["body", "text"]),
        ({"voice_settings": {"stability": 3}}, ["body", "voice_settings", "stability"]),
    ],
)
async def test_a_field_that_does_not_fit_is_named(client, body, place):
    options = {"additional_body_parameters": body}
    with pytest.raises(ApiError) as caught:
        await collected(client.text_to_speech.convert(VOICE, text=TEXT, request_options=options))
    assert (caught.value.status_code, caught.value.body["detail"][0]["loc"]) == (422, place)


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR])
async def test_the_sdk_tries_again_and_is_answered(client, simulator, kind):
    """It waits for a second at least, unless it is told otherwise in whole seconds."""
    before = len(simulator.requests)
    simulator.faults.add(Fault(kind=kind))
    assert (await client.voices.get(VOICE)).voice_id == VOICE
    assert [each.status for each in list(simulator.requests)[before:]] == [
        429 if kind is FaultKind.RATE_LIMITED else 500,
        200,
    ]


async def test_a_stream_is_not_tried_again(client, simulator):
    simulator.faults.add(Fault(kind=FaultKind.SERVER_ERROR))
    with pytest.raises(ApiError):
        await collected(client.text_to_speech.stream(VOICE, text=TEXT))


async def test_a_stream_that_is_cut(client):
    with pytest.raises(httpx.TransportError):
        await collected(
            client.text_to_speech.stream(
                VOICE, text=TEXT, output_format="pcm_16000", request_options=fault("cut;after=2")
            )
        )

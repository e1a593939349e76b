"""The simulated Deepgram, as its official SDK sees it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx
import pytest
import soundfile
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import ListenV1Results
from deepgram.listen.v2.types import ListenV2Configure, ListenV2ConfigureThresholds, ListenV2TurnInfo

from warmline.audio.voice_notes import encode
from warmline.core.formats import PCM_16K
from warmline.pool.dialling import ssl_context
from warmline.simulators.faults import Fault, FaultKind
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator
from warmline.simulators.speech import Spoken

pytestmark = [
    pytest.mark.wire,
    pytest.mark.anyio,
    # The SDK uses the old half of its library for sockets.
    pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning"),
]

TEXT = "The library is open on Monday."
RAW: dict[str, Any] = {"encoding": "linear16", "sample_rate": 16_000}
NOVA: dict[str, Any] = {"model": "nova-3", "interim_results": True, "vad_events": True, **RAW}
FLUX: dict[str, Any] = {"model": "flux-general-en", **RAW}


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    async with simulators_running(
        only=["deepgram"], scripts={"deepgram": Script(key=KEY, transcript_ms=1)}, sentences=[TEXT]
    ) as running:
        yield running


@pytest.fixture
def simulator(running) -> Iterator[Simulator]:
    yield running.simulators["deepgram"]
    running.simulators["deepgram"].faults.clear()


@pytest.fixture
async def make_client(running, simulator, monkeypatch):
    """Make clients that trust the simulator; sockets look for whom to trust in the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))
    base = running.base_urls["deepgram"]
    sockets = base.replace("https:", "wss:")
    environment = DeepgramClientEnvironment(base=base, production=sockets, agent=sockets, agent_rest=base)
    async with httpx.AsyncClient(verify=ssl_context(str(running.certificate))) as trusting:
        yield lambda key=KEY: AsyncDeepgramClient(api_key=key, environment=environment, httpx_client=trusting)


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture(scope="module")
async def speech(running) -> bytes:
    """A sentence between silences, 16 kHz pcm16."""
    spoken: Spoken = await running.simulators["deepgram"].speech.spoken(TEXT, PCM_16K)
    return bytes(8_000) + spoken.audio + bytes(48_000)


async def play(socket, audio: bytes, speed: float = 4.0) -> None:
    for begin in range(0, len(audio), 2_560):
        await socket.send_media(audio[begin : begin + 2_560])
        await anyio.sleep(0.08 / speed)


async def rest(socket) -> list[Any]:
    with anyio.fail_after(10):
        return [message async for message in socket]


async def test_nova_says_what_it_thinks_then_what_it_knows_and_that_the_utterance_is_over(client, speech):
    async with client.listen.v1.connect(**NOVA, endpointing=300, utterance_end_ms=1000) as socket:
        await play(socket, speech)
        await socket.send_close_stream()
        messages = await rest(socket)
    kinds = [message.type for message in messages]
    assert kinds[0] == "SpeechStarted"
    assert kinds[-1] == "Metadata"
    assert "UtteranceEnd" in kinds
    results = [message for message in messages if isinstance(message, ListenV1Results)]
    assert not results[0].is_final
    (final,) = [each for each in results if each.is_final]
    assert final.speech_final
    alternative = final.channel.alternatives[0]
    assert "library" in alternative.transcript
    assert [word.punctuated_word for word in alternative.words] == alternative.transcript.split()
    assert messages[-1].duration == pytest.approx(PCM_16K.duration_s(len(speech)), abs=0.01)


async def test_nova_can_be_asked_for_the_final(client, speech):
    """And is kept open by messages without audio."""
    async with client.listen.v1.connect(**NOVA, endpointing="false") as socket:
        await play(socket, speech[:-46_000])
        await socket.send_keep_alive()
        await socket.send_finalize()
        with anyio.fail_after(10):
            final = await socket.recv()
            while not (isinstance(final, ListenV1Results) and final.is_final):
                final = await socket.recv()
        assert (final.from_finalize, final.speech_final) == (True, False)
        assert "library" in final.channel.alternatives[0].transcript
        await socket.send_close_stream()
        assert [message.type for message in await rest(socket)][-1:] == ["Metadata"]


async def test_nova_takes_other_key_terms(client):
    async with client.listen.v1.connect(**NOVA, keyterm=["Malmö", "Ystad"]) as socket:
        for keyterms, kind in [(["Lund"], "ConfigureSuccess"), (["word"] * 501, "ConfigureFailure")]:
            await socket._send({"type": "Configure", "keyterms": keyterms})
            answer = await socket.recv()
            assert (answer.type, bool(answer.request_id)) == (kind, True)
    assert answer.code == "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"


async def test_flux_says_when_turns_begin_and_end(client, speech):
    messages: list[Any] = []
    async with client.listen.v2.connect(**FLUX, eager_eot_threshold=0.5) as socket:
        connected = await socket.recv()
        async with anyio.create_task_group() as tasks:
            # The pause goes on for as long as the recogniser takes.
            tasks.start_soon(play, socket, speech + bytes(320_000))
            with anyio.fail_after(20):
                while not messages or messages[-1].event != "EndOfTurn":
                    messages.append(await socket.recv())
            tasks.cancel_scope.cancel()
    assert connected.type == "Connected"
    assert all(isinstance(message, ListenV2TurnInfo) for message in messages)
    assert [message.sequence_id for message in messages] == list(range(1, len(messages) + 1))
    events = [message.event for message in messages if message.event != "Update"]
    assert events == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    eager, end = (message for message in messages if message.event.endswith("EndOfTurn"))
    assert "library" in end.transcript
    assert eager.transcript == end.transcript
    assert (end.trigger, eager.trigger) == ("model", None)
    assert end.end_of_turn_confidence >= 0.7


async def test_flux_is_configured_while_it_listens(client):
    async with client.listen.v2.connect(**FLUX, keyterm=["Malmö"]) as socket:
        assert (await socket.recv()).sequence_id == 0
        thresholds = ListenV2ConfigureThresholds(eot_threshold=0.9, eager_eot_threshold=0.4)
        await socket.send_configure(ListenV2Configure(thresholds=thresholds))
        done = await socket.recv()
        assert (done.type, done.thresholds.eot_threshold, done.keyterms) == (
            "ConfigureSuccess",
            0.9,
            ["Malmö"],
        )
        for wrong in (
            ListenV2Configure(thresholds=ListenV2ConfigureThresholds(eot_threshold=0.3)),
            ListenV2Configure(thresholds=ListenV2ConfigureThresholds(eager_eot_threshold=0.95)),
            ListenV2Configure(language_hints=["sv"]),
        ):
            await socket.send_configure(wrong)
            assert (await socket.recv()).type == "ConfigureFailure"
        await socket.send_configure(ListenV2Configure(keyterms=[]))
        done = await socket.recv()
        assert (done.thresholds.eager_eot_threshold, done.keyterms) == (0.4, [])


async def test_flux_ends_a_turn_when_it_is_told_to(client, speech):
    async with client.listen.v2.connect(**FLUX, eot_threshold=1.0) as socket:
        await socket.send_force_end_turn()
        assert (await socket.recv()).type == "Connected"
        assert (await socket.recv()).code == "FORCE_END_TURN_NO_ACTIVE_TURN"
        await play(socket, speech)
        await socket.send_force_end_turn()
        with anyio.fail_after(10):
            message = await socket.recv()
            while message.event != "EndOfTurn":
                message = await socket.recv()
        assert message.trigger == "manual"
        assert "library" in message.transcript


async def test_recordings(client, speech):
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 16_000, 1, "PCM_16", format="WAV") as recording:
        recording.buffer_write(speech, "int16")
    answer = await client.listen.v1.media.transcribe_file(
        request=file.getvalue(), model="nova-3", smart_format=True, utterances=True
    )
    assert "library" in answer.results.channels[0].alternatives[0].transcript
    assert answer.metadata.duration == pytest.approx(PCM_16K.duration_s(len(speech)), abs=0.01)
    assert "library" in answer.results.utterances[0].transcript
    note = await client.listen.v1.media.transcribe_file(
        request=encode(speech, 16_000), model="nova-3", detect_language=True, keyterm=["library"]
    )
    assert "library" in note.results.channels[0].alternatives[0].transcript
    assert note.results.channels[0].detected_language == "en"
    with pytest.raises(ApiError) as caught:
        await client.listen.v1.media.transcribe_file(request=b"no recording", model="nova-3")
    assert (caught.value.status_code, caught.value.body.get("err_code")) == (400, "Bad Request")


async def test_the_sdk_tries_again_and_is_answered(client, simulator):
    simulator.faults.add(Fault(kind=FaultKind.RATE_LIMITED))
    answer = await client.manage.v1.projects.list()
    assert answer.projects[0].project_id
    assert [each.status for each in list(simulator.requests)[-2:]] == [429, 200]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("key", "fault", "change", "status"),
    [
        ("wrong", None, {}, 401),
        (KEY, FaultKind.RATE_LIMITED, {}, 429),
        (KEY, FaultKind.QUOTA, {}, 402),
        (KEY, FaultKind.OVERLOADED, {}, 503),
        (KEY, None, {"model": "none"}, 400),
        (KEY, None, {"encoding": "mp3"}, 400),
        (KEY, None, {"keyterm": ["Malmö", " "]}, 400),
        (KEY, None, {"profanity_filter": "perhaps"}, 400),
    ],
)
async def test_a_handshake_is_refused(make_client, simulator, version, key, fault, change, status):
    if fault is not None:
        simulator.faults.add(Fault(kind=fault))
    listen = getattr(make_client(key).listen, version)
    with pytest.raises(ApiError) as caught:
        async with listen.connect(**{**(NOVA if version == "v1" else FLUX), **change}):
            pass
    assert caught.value.status_code == status

"""The rules of ElevenLabs's sockets, as the simulator holds clients to them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from tests.simulators.raw_sockets import InvalidStatus, RawSocket, raw_socket
from warmline.core.formats import PCM_16K
from warmline.simulators.faults import parse_fault
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.simulator import Simulator

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

VOICE = "21m00Tcm4TlvDq8ikWAM"
TEXT = "We open at nine. "
SETTINGS = {"stability": 0.5, "similarity_boost": 0.75}
HEADERS = {"xi-api-key": KEY}
WANTED = "model_id=eleven_flash_v2_5&output_format=pcm_16000"


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    async with simulators_running(only=["elevenlabs"]) as running:
        yield running


@pytest.fixture
def simulator(running) -> Iterator[Simulator]:
    """The simulator with a script of its own for each test, whose idle limit is soon reached."""
    simulator = running.simulators["elevenlabs"]
    simulator.script.update({"speech_ms": 1.0, "speech_speed": 1000.0, "idle_s": 2.0, "concurrency": 0})
    yield simulator
    simulator.faults.clear()


@pytest.fixture
def single(running, simulator):
    return lambda query=WANTED, voice=VOICE: raw_socket(
        running, "elevenlabs", f"/v1/text-to-speech/{voice}/stream-input?{query}", HEADERS
    )


@pytest.fixture
def multi(running, simulator):
    return lambda query=WANTED, voice=VOICE: raw_socket(
        running, "elevenlabs", f"/v1/text-to-speech/{voice}/multi-stream-input?{query}", HEADERS
    )


@pytest.fixture
def sockets(single, multi):
    return {"single": single, "multi": multi}


async def refused(socket: RawSocket, error: str) -> str:
    """Expect an error and then the close code 1008; return what the error says."""
    message = (await socket.rest())[-1]
    assert (message["error"], message["code"], socket.close_code) == (error, 1008, 1008)
    return str(message["message"])


async def test_a_sixth_context_is_one_too_many(multi):
    async with multi() as socket:
        for number in range(5):
            await socket.say(text=" ", context_id=f"{number}", voice_settings=SETTINGS)
        await socket.say(text="Still here. ", context_id="0", flush=True)
        await socket.until(contextId="0")
        await socket.say(text=" ", context_id="5")
        assert "(5)" in await refused(socket, "max_active_conversations")


async def test_a_context_that_is_done_makes_room(multi):
    async with multi() as socket:
        for number in range(8):
            await socket.say(text=TEXT, context_id=f"{number}")
            await socket.say(context_id=f"{number}", close_context=True)
            found = await socket.until(contextId=f"{number}", isFinal=True)
            assert any(message["audio"] for message in found)
        await socket.say(close_socket=True)
        assert await socket.rest() == []
        assert socket.close_code == 1000


@pytest.mark.parametrize("first", [{"voice_settings": SETTINGS}, {}, {"voice_settings": None}])
async def test_voice_settings_may_not_change_within_a_context(multi, first):
    async with multi() as socket:
        await socket.say(text=" ", context_id="1", **first)
        await socket.say(text=TEXT, context_id="2", voice_settings={"speed": 1.1})
        await socket.say(text=TEXT, context_id="1", voice_settings={"stability": 0.9})
        assert "voice_settings" in await refused(socket, "invalid_input_message")


async def test_a_keep_alive_that_is_a_contexts_first_message_settles_its_settings(multi):
    async with multi() as socket:
        await socket.say(text="", context_id="1")
        await socket.say(text=" ", context_id="1", voice_settings=SETTINGS)
        await refused(socket, "invalid_input_message")


async def test_voice_settings_may_be_repeated(multi):
    async with multi() as socket:
        await socket.say(text=" ", context_id="1", voice_settings=SETTINGS)
        await socket.say(text=TEXT, context_id="1", voice_settings=SETTINGS, flush=True)
        await socket.until(contextId="1")


async def test_a_context_that_nobody_uses_is_dropped_and_the_socket_stays(multi, simulator):
    simulator.script.idle_s = 0.3
    async with multi() as socket:
        for number in range(5):
            await socket.say(text=" ", context_id=f"{number}")
        for _ in range(6):
            await anyio.sleep(0.1)
            await socket.say(text="", context_id="0")
        await socket.say(text=" ", context_id="5")
        await socket.say(text=TEXT, context_id="0", flush=True)
        assert (await socket.next() or {})["contextId"] == "0"


@pytest.mark.parametrize("kind", ["single", "multi"])
async def test_a_socket_that_nobody_uses_is_closed(sockets, simulator, kind):
    simulator.script.idle_s = 0.3
    async with sockets[kind]() as socket:
        await socket.say(text=" ")
        assert "0.3 seconds" in await refused(socket, "input_timeout_exceeded")


async def test_a_blank_keeps_the_socket_of_one_utterance_and_an_empty_text_ends_it(single, simulator):
    simulator.script.idle_s = 0.3
    async with single() as socket:
        for _ in range(4):
            await socket.say(text=" ")
            await anyio.sleep(0.15)
        await socket.say(text=TEXT)
        await socket.say(text="")
        *pieces, last = await socket.rest()
        assert last == {"audio": None, "isFinal": True}
        assert pieces
        assert socket.close_code == 1000


async def test_a_flush_is_spoken_and_has_no_final_marker(single):
    async with single() as socket:
        await socket.say(text=" ")
        await socket.say(text="Hello. ", flush=True)
        assert (await socket.next() or {})["audio"]
        with pytest.raises(TimeoutError):
            await socket.until(within_s=0.3, isFinal=True)


@pytest.mark.parametrize(("schedule", "is_spoken"), [([50, 500], True), ([60, 500], False)])
async def test_text_is_spoken_when_there_is_as_much_as_the_schedule_says(single, schedule, is_spoken):
    async with single() as socket:
        await socket.say(text=" ", generation_config={"chunk_length_schedule": schedule})
        await socket.say(text="This text has a few more than fifty letters in it. ")
        if is_spoken:
            await socket.until(isFinal=None)
        else:
            with pytest.raises(TimeoutError):
                await socket.next(0.3)


@pytest.mark.parametrize("query", [f"{WANTED}&sync_alignment=true", WANTED], ids=["each", "first"])
async def test_every_character_has_a_time_that_never_runs_back(single, query):
    text = f"{TEXT}We close at five. "
    async with single(query) as socket:
        await socket.say(text=" ")
        await socket.say(text=text, flush=True)
        await socket.say(text="")
        characters, starts_ms, since_ms = "", [], 0.0
        for message in (await socket.rest())[:-1]:
            if (alignment := message["alignment"]) is not None:
                assert message["normalizedAlignment"] == alignment
                characters += "".join(alignment["chars"])
                starts_ms += [since_ms + start for start in alignment["charStartTimesMs"]]
                assert len(alignment["charDurationsMs"]) == len(alignment["chars"])
            length_ms = PCM_16K.duration_s(len(base64.b64decode(message["audio"]))) * 1000
            since_ms += length_ms if "sync" in query else 0.0
        assert characters.strip() == text.strip()
        assert starts_ms == sorted(starts_ms)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"query": "model_id=eleven_v3"}, "model_not_supported"),
        ({"query": "model_id=eleven_v4"}, "model_not_supported"),
        ({"query": "output_format=wav_16000"}, "invalid_output_format"),
        ({"query": "inactivity_timeout=181"}, "invalid_inactivity_timeout"),
        ({"query": "inactivity_timeout=long"}, "invalid_inactivity_timeout"),
        ({"query": "auto_mode=perhaps"}, "invalid_query"),
        ({"voice": "nobody"}, "voice_id_does_not_exist"),
    ],
)
@pytest.mark.parametrize("kind", ["single", "multi"])
async def test_a_socket_that_cannot_be_had_is_closed_with_an_error(sockets, kind, change, error):
    async with sockets[kind](**change) as socket:
        await refused(socket, error)


@pytest.mark.parametrize(
    "message",
    [
        '"Hello"',
        "{text: 1}",
        '{"text": 7}',
        '{"text": " ", "voice_settings": {"stability": 2}}',
        '{"text": " ", "voice_settings": {"speed": 2}}',
        '{"text": " ", "generation_config": {"chunk_length_schedule": [10]}}',
        '{"text": " ", "flush": "yes"}',
    ],
)
@pytest.mark.parametrize("kind", ["single", "multi"])
async def test_a_message_that_fits_no_schema_closes_the_socket(sockets, kind, message):
    async with sockets[kind]() as socket:
        await socket.say_text(message)
        await refused(socket, "invalid_input_message")


async def test_the_first_text_of_an_utterance_is_a_blank(single):
    async with single() as socket:
        await socket.say(text="Hello. ")
        await refused(socket, "invalid_input_message")


async def test_audio_is_not_what_a_voice_takes(multi):
    async with multi() as socket:
        await socket.say_bytes(b"\0\0")
        await refused(socket, "invalid_input_message")


async def test_a_fault_meets_the_reply_and_not_the_opening(multi, simulator):
    simulator.faults.add(parse_fault("error_mid_stream;after=1"))
    async with multi() as socket:
        await socket.say(text=" ", context_id="1")
        assert simulator.faults.waiting
        await socket.say(text=TEXT, context_id="1", flush=True)
        *_, last = await socket.rest()
        assert (last["error"], socket.close_code) == ("internal_error", 1011)


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("quota", 401), ("401", 401), ("503", 503)])
async def test_a_handshake_can_be_refused(multi, simulator, kind, status):
    simulator.faults.add(parse_fault(kind))
    with pytest.raises(InvalidStatus) as caught:
        await multi().__aenter__()
    assert caught.value.response.status_code == status

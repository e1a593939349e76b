"""The rules of Deepgram's sockets, as the simulator holds clients to them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import aiohttp
import anyio
import pytest
from websockets.exceptions import ConnectionClosed

from tests.simulators.raw_sockets import InvalidStatus, RawSocket, raw_socket
from warmline.core.formats import PCM_16K
from warmline.pool.dialling import ssl_context
from warmline.simulators.faults import parse_fault
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SENTENCES = ("The library is open on Monday.", "My name is Robert and I need a room.")
HEADERS = {"authorization": f"Token {KEY}"}
RAW = "encoding=linear16&sample_rate=16000"
NOVA = f"/v1/listen?model=nova-3&interim_results=true&endpointing=300&utterance_end_ms=1000&{RAW}"
FLUX = f"/v2/listen?model=flux-general-en&{RAW}"
SECOND = bytes(32_000)


@pytest.fixture(scope="module")
async def running(anyio_backend) -> AsyncIterator[Running]:
    async with simulators_running(
        only=["deepgram"], scripts={"deepgram": Script(transcript_ms=1)}, sentences=SENTENCES
    ) as running:
        yield running


@pytest.fixture
def simulator(running) -> Iterator[Simulator]:
    simulator = running.simulators["deepgram"]
    yield simulator
    simulator.faults.clear()
    simulator.script.update({"idle_s": 0.0, "concurrency": 0})


@pytest.fixture
def opened(running, simulator):
    return lambda path: raw_socket(running, "deepgram", path, HEADERS)


@pytest.fixture(scope="module")
async def speeches(running) -> list[bytes]:
    speech = running.simulators["deepgram"].speech
    return [(await speech.spoken(sentence, PCM_16K)).audio for sentence in SENTENCES]


async def closed(socket: RawSocket) -> int | None:
    await socket.rest()
    return socket.close_code


@pytest.mark.parametrize("audio", [b"", bytes(3_200)], ids=["nothing", "some audio"])
async def test_nova_hangs_up_on_a_client_that_says_nothing(opened, simulator, audio):
    simulator.script.idle_s = 0.4
    async with opened(NOVA) as socket:
        if audio:
            await socket.say_bytes(audio)
        assert await closed(socket) == 1011


async def test_messages_keep_nova_open_once_there_was_audio(opened, simulator):
    simulator.script.idle_s = 0.4
    async with opened(NOVA) as early, opened(NOVA) as socket:
        await socket.say_bytes(bytes(3_200))
        for _ in range(6):
            await anyio.sleep(0.15)
            with suppress(ConnectionClosed):
                await early.say(type="KeepAlive")
            await socket.say(type="KeepAlive")
        assert early.close_code == 1011
        await socket.say(type="CloseStream")
        assert (await socket.rest())[-1]["type"] == "Metadata"


@pytest.mark.parametrize("by", ["an empty frame", "a message"])
async def test_nova_gives_the_last_final_and_then_metadata_when_it_is_closed(opened, speeches, by):
    async with opened(NOVA) as socket:
        await socket.say_audio(speeches[0])
        if by == "a message":
            await socket.say(type="CloseStream")
        else:
            await socket.say_bytes(b"")
        *_, final, metadata = await socket.rest()
        assert "library" in final["channel"]["alternatives"][0]["transcript"]
        assert (final["is_final"], metadata["type"], socket.close_code) == (True, "Metadata", 1000)


async def test_nova_that_misses_the_endpoint_tells_of_the_utterances_end(opened, simulator, speeches):
    simulator.faults.add(parse_fault("no_endpoint"))
    async with opened(NOVA) as socket:
        await socket.say_audio(speeches[0] + SECOND + SECOND)
        await socket.say(type="CloseStream")
        messages = await socket.rest()
        results = [message for message in messages if message["type"] == "Results"]
        assert any(result["is_final"] for result in results)
        assert not any(result["speech_final"] for result in results)
        (end,) = [message for message in messages if message["type"] == "UtteranceEnd"]
        assert 1.0 < end["last_word_end"] < PCM_16K.duration_s(len(speeches[0])) + 0.5


async def test_nova_answers_finalize_when_there_is_nothing_to_say(opened):
    async with opened(NOVA) as socket:
        await socket.say_bytes(bytes(3_200))
        await socket.say(type="Finalize")
        (answer,) = await socket.until(from_finalize=True)
        assert answer["channel"]["alternatives"][0]["transcript"] == ""


@pytest.mark.parametrize(
    "message", ["hello", "[]", '{"type": "Flush"}', '{"type": "Finalize", "channel": "x"}']
)
async def test_nova_says_which_message_it_could_not_read(opened, message):
    async with opened(NOVA) as socket:
        await socket.say_text(message)
        answer = await socket.next() or {}
        assert (answer["type"], answer["variant"], answer["message"]) == ("Error", "SchemaError", message)
        await socket.say(type="CloseStream")
        assert await closed(socket) == 1000


@pytest.mark.parametrize(
    "message", ["hello", '{"type": "KeepAlive"}', '{"type": "Configure", "thresholds": []}']
)
async def test_flux_hangs_up_on_a_message_that_it_cannot_read(opened, message):
    async with opened(FLUX) as socket:
        await socket.say_text(message)
        *_, error = await socket.rest()
        assert (error["type"], error["code"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE")
        assert socket.close_code == 1008


async def test_flux_ends_no_turn_and_gives_no_code_when_it_is_closed(opened, speeches):
    async with opened(FLUX) as socket:
        await socket.say_audio(speeches[0])
        await socket.say(type="CloseStream")
        connected, *messages = await socket.rest()
        assert connected["type"] == "Connected"
        assert {message["event"] for message in messages} == {"Update", "StartOfTurn"}
        assert "library" in messages[-1]["transcript"]
        assert socket.close_code == 1005


async def test_flux_that_is_told_to_end_no_turn_only_warns(opened):
    async with opened(FLUX) as socket:
        await socket.say_bytes(bytes(3_200))
        await socket.say(type="ForceEndTurn")
        await socket.until(type="Warning", code="FORCE_END_TURN_NO_ACTIVE_TURN")
        await socket.say(type="CloseStream")
        assert await closed(socket) == 1005


async def test_flux_keeps_to_its_grammar_through_guesses_that_were_wrong(opened, speeches):
    """Two sentences with a pause that is long enough to guess, and too short to be sure."""
    first, second = speeches
    path = f"{FLUX}&eager_eot_threshold=0.35&eot_threshold=0.95"
    letters = {"Update": "u", "StartOfTurn": "S", "EagerEndOfTurn": "G", "TurnResumed": "R", "EndOfTurn": "E"}
    async with opened(path) as socket:
        async with anyio.create_task_group() as tasks:
            audio = first + bytes(11_200) + second + SECOND * 10
            tasks.start_soon(lambda: socket.say_audio(audio, speed=1.0))
            messages = await socket.until(within_s=20, event="EndOfTurn")
            tasks.cancel_scope.cancel()
        turn = [message for message in messages if message["type"] == "TurnInfo"]
        assert re.fullmatch("u*S(u|GR)*GE", "".join(letters[message["event"]] for message in turn))
        *_, guess, end = turn
        assert guess["transcript"] == end["transcript"]
        assert {"library", "robert"} & set(end["transcript"].lower().split())
        assert {message["turn_index"] for message in turn} == {0}
        assert [message["sequence_id"] for message in messages] == list(range(len(messages)))


@pytest.mark.parametrize("path", [NOVA, FLUX], ids=["nova", "flux"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("&keyterm=%20", "keyterm is blank"),
        ("&numerals=perhaps", "numerals must be true or false"),
        ("&interim=true", "Unknown query parameter"),
    ],
)
async def test_a_query_that_is_wrong_refuses_the_handshake_and_says_why(opened, path, change, says):
    with pytest.raises(InvalidStatus) as caught:
        await opened(path + change).__aenter__()
    assert caught.value.response.status_code == 400
    assert says in caught.value.response.headers["dg-error"]
    assert caught.value.response.headers["dg-request-id"]


@pytest.mark.parametrize(
    "path",
    [
        f"{NOVA}&keywords=library",
        f"/v1/listen?model=nova-2&keyterm=library&{RAW}",
        f"/v1/listen?model=flux-general-en&{RAW}",
        f"/v1/listen?model=nova-3&utterance_end_ms=1000&{RAW}",
        f"/v1/listen?model=nova-3&interim_results=true&utterance_end_ms=500&{RAW}",
        f"/v1/listen?model=nova-3&endpointing=soon&{RAW}",
        "/v1/listen?model=nova-3&encoding=linear16",
        f"/v2/listen?model=nova-3&{RAW}",
        f"{FLUX}&eot_threshold=nan",
        f"{FLUX}&eager_eot_threshold=0.8&eot_threshold=0.7",
        f"{FLUX}&eot_timeout_ms=100",
        f"{FLUX}&language_hint=sv",
        "/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=11025",
    ],
)
async def test_what_does_not_go_together_is_refused(opened, path):
    with pytest.raises(InvalidStatus) as caught:
        await opened(path).__aenter__()
    assert caught.value.response.status_code == 400


async def test_streams_beyond_the_limit_are_refused_at_the_handshake(opened, simulator):
    simulator.script.concurrency = 1
    async with opened(NOVA):
        with pytest.raises(InvalidStatus) as caught:
            await opened(NOVA).__aenter__()
        assert caught.value.response.status_code == 429


@pytest.mark.parametrize("name", ["Token", "bearer"])
async def test_the_key_may_come_as_a_token_or_as_a_bearer(running, simulator, name):
    url = f"{running.base_urls['deepgram']}/v1/projects"
    trusting = ssl_context(str(running.certificate))
    async with aiohttp.ClientSession() as client:
        for authorization, status in ((f"{name} key", 200), (f"{name} ", 401), ("key", 401)):
            headers = {"authorization": authorization}
            async with client.get(url, headers=headers, ssl=trusting) as answer:
                assert answer.status == status
                assert status == 200 or (await answer.json())["err_code"] == "INVALID_AUTH"

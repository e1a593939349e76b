"""The server over real sockets: conversations, limits, garbage, and people who leave."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.journeys.conversation import Stagehands
from tests.wire.server import KEY, close_code, running_server, say, speak, until
from warmline.server.settings import LimitsTable
from warmline.testing.scripted import ScriptedModel, Utterance

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SPEECH = b"\x10\x10" * 24_000  # 1 s at 24 kHz that the scripted detector takes for speech
SILENCE = bytes(48_000)


def hands(*utterances, reply="It is open.") -> Stagehands:
    stage = Stagehands(model=ScriptedModel([reply]))
    stage.recogniser.script = [Utterance(text) for text in utterances]
    return stage


async def test_spoken_turn_over_a_socket_is_recognised_answered_and_measured():
    """The scripted far ends behind the real server."""
    async with running_server(hands("when do you open").providers()) as server, server.connect() as client:
        assert (await until(client, "session.created"))["session"]["model"] == "test"
        await speak(client, SPEECH + SILENCE)
        assert (await until(client, "conversation.item.input_audio_transcription.completed"))[
            "transcript"
        ] == "when do you open"
        done = await until(client, "response.done")
        assert done["response"]["status"] == "completed"
        turn = (await until(client, "warmline.turn"))["turn"]
        assert turn["status"] == "completed"
        assert sum(part["duration_us"] for part in turn["contributions"]) == turn["response_us"]


async def test_health_counts_sessions_and_tasks_and_says_how_late_the_loop_is():
    async with running_server() as server, httpx2.AsyncClient() as http:
        before = (await http.get(f"{server.url}/health")).json()
        async with server.connect() as client:
            await until(client, "session.created")
            during = (await http.get(f"{server.url}/health")).json()
    assert (before["status"], before["sessions"], during["sessions"]) == ("ok", 0, 1)
    assert during["tasks"] > before["tasks"]
    assert 0 <= during["loop_lag_p95_ms"] <= during["loop_lag_max_ms"]


async def test_page_is_served_with_a_token_that_admits_it_and_strict_headers():
    """And without the token nobody is admitted."""
    async with running_server() as server:
        async with httpx2.AsyncClient() as http:
            page = await http.get(server.url)
            assert "default-src 'self'" in page.headers["content-security-policy"]
            told = page.text.split('id="warmline-session">')[1].split("</script>")[0]
            session = json.loads(told)
            assert session["documents"]["files"] == 7
            assert len(session["example_questions"]) >= 4
            for name in ("app.js", "style.css"):
                assert (await http.get(f"{server.url}/page/{name}")).status_code == 200
            assert (await http.get(f"{server.url}/page/../pages.py")).status_code == 404
            elsewhere = await http.get(server.url, headers={"Host": "evil.example"})
            assert elsewhere.status_code == 421
        page_headers = {
            "origin": server.url,
            "subprotocols": ["realtime", f"warmline-token.{session['token']}"],
            "additional_headers": {},
        }
        async with server.connect(**page_headers) as client:
            assert client.subprotocol == "realtime"
            await until(client, "session.created")
        wrongs: list[dict[str, Any]] = [
            {"additional_headers": {}},
            {"additional_headers": {"Authorization": "Bearer wrong"}},
            {**page_headers, "origin": "https://evil.example"},
            {**page_headers, "subprotocols": ["realtime", "warmline-token.1.2"]},
        ]
        for wrong in wrongs:
            with pytest.raises(InvalidStatus) as refused:
                await server.connect(**wrong).__aenter__()
            assert refused.value.response.status_code in (401, 403)
            assert json.loads(refused.value.response.body)["error"]["message"]
        await server.has_no_session()


async def test_another_path_is_not_found():
    """With a word on where the socket is."""
    async with running_server() as server:
        connecting = server.connect()
        connecting.uri = connecting.uri.replace("realtime", "nothing")
        with pytest.raises(InvalidStatus) as refused:
            await connecting.__aenter__()
        assert refused.value.response.status_code == 404
        assert b"/v1/realtime" in refused.value.response.body


async def test_too_large_a_message_is_refused_with_an_error_and_closed():
    """Whether it comes in one frame or in many; one far too large is not even read."""
    limits = LimitsTable(message_bytes=65_536)
    async with running_server(limits=limits) as server:
        for message in ("x" * 70_000, ["y" * 30_000] * 4):
            async with server.connect() as client:
                await until(client, "session.created")
                await client.send(message)
                assert (await until(client, "error"))["error"]["code"] == "message_too_large"
                with pytest.raises(ConnectionClosed) as closed:
                    await client.recv()
                assert close_code(closed.value) == 1009
        async with server.connect() as client:
            with suppress(ConnectionClosed):  # while sending, or after it
                await client.send("z" * 40_000_000)
            with pytest.raises(ConnectionClosed):
                await until(client, "never")
        await server.has_no_session()


async def test_endless_fragments_are_dropped_at_the_limit():
    """Memory is not theirs to fill."""
    async with running_server(limits=LimitsTable(message_bytes=65_536)) as server, server.connect() as client:

        async def endless():
            while True:
                yield "x" * 1000

        with pytest.raises(ConnectionClosed):
            await client.send(endless())
        await server.has_no_session()


async def test_sessions_beyond_the_limit_are_turned_away_with_an_error_and_let_in_later():
    """The ones inside are not disturbed."""
    async with running_server(limits=LimitsTable(sessions=2)) as server:
        async with server.connect() as first, server.connect() as second:
            await until(first, "session.created")
            await until(second, "session.created")
            async with server.connect() as third:
                assert (await until(third, "error"))["error"]["code"] == "too_many_sessions"
                with pytest.raises(ConnectionClosed) as closed:
                    await third.recv()
                assert close_code(closed.value) == 1013
            await say(first, "warmline.text", text="still there?")
            await until(first, "response.done")
        await server.has_no_session()
        async with server.connect() as fourth:
            await until(fourth, "session.created")


async def test_session_ends_at_its_limit_with_the_protocols_error():
    """Said before the socket is closed."""
    limits = replace(LimitsTable(), session_s=0.3)
    async with running_server(limits=limits) as server, server.connect() as client:
        assert (await until(client, "error"))["error"]["code"] == "session_expired"
        assert (await until(client, "warmline.session.ended"))["reason"] == "expired"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert close_code(closed.value) == 1000


async def test_garbage_is_answered_and_the_conversation_goes_on():
    """Text that is no JSON, JSON that is no event, events that make no sense."""
    async with running_server(hands("hello there").providers()) as server, server.connect() as client:
        for garbage in (
            "",
            "{",
            "[]",
            '"x"',
            "\x00",
            '{"type": 1}',
            '{"type":"warmline.text"}',
            "null" * 1000,
        ):
            await client.send(garbage)
            assert (await until(client, "error"))["error"]["code"] in ("invalid_json", "invalid_value")
        await speak(client, SPEECH + SILENCE)
        assert (await until(client, "response.done"))["response"]["status"] == "completed"


async def test_binary_messages_are_refused():
    """Audio comes as base64 in this protocol."""
    async with running_server() as server, server.connect() as client:
        await client.send(b"\x00\x01")
        with pytest.raises(ConnectionClosed) as closed:
            await until(client, "never")
        assert close_code(closed.value) == 1003


@pytest.mark.parametrize(
    "after", ["session.created", "input_audio_buffer.speech_started", "response.created"]
)
async def test_client_that_vanishes_leaves_no_session(after):
    """Without a goodbye, in any state."""
    stage = hands("when do you open", reply="word " * 200)
    async with running_server(stage.providers()) as server:
        async with server.connect() as client:
            await until(client, "session.created")
            if after != "session.created":
                await speak(client, SPEECH)
                if after == "response.created":
                    await speak(client, SILENCE)
                await until(client, after)
            client.transport.abort()
        await server.has_no_session()
    assert stage.recogniser.opened == stage.recogniser.closed


async def test_stopping_the_server_tells_its_clients_and_leaves_nothing_running():
    """They hear that it was a shutdown."""
    stage = hands("when do you open", reply="word " * 200)
    async with running_server(stage.providers()) as server, server.connect() as client:
        await speak(client, SPEECH + SILENCE)
        await until(client, "response.created")
        server.stop()
        assert (await until(client, "warmline.session.ended"))["reason"] == "shutdown"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert close_code(closed.value) == 1012
    assert stage.recogniser.opened == stage.recogniser.closed


async def test_a_bearer_of_the_key_needs_no_origin():
    """As the official SDK connects."""
    async with running_server() as server:
        headers = {"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "realtime=v1"}
        async with server.connect(additional_headers=headers) as client:
            await until(client, "session.created")


async def test_twenty_clients_at_once_are_all_answered():
    """Each its own conversation."""
    async with running_server(hands(*["hello"] * 20).providers(), limits=LimitsTable(sessions=20)) as server:
        answered = []

        async def one():
            async with server.connect() as client:
                await speak(client, SPEECH + SILENCE)
                answered.append((await until(client, "response.done"))["response"]["status"])

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)
        assert answered == ["completed"] * 20
        await server.has_no_session()

"""Calls through the simulated Telnyx: a server in the test answers them with the official SDK."""

from __future__ import annotations

import base64
import io
import ssl
import wave
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import anyio
import httpx
import msgspec
import numpy as np
import pytest
import telnyx

from tests.simulators.telephone_server import HELLO, over, place, say, telephone_server, tone, wav
from tests.simulators.telnyx_running import sdk_client, telnyx_running
from warmline.simulators.telephone.placing import CallFaults, PlacedCall
from warmline.simulators.telephone.report import CallReport
from warmline.simulators.telephone.steps import HangUp, Interrupt, Press, Stay, Wait, WaitForReply

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

STREAM: dict[str, Any] = {"stream_bidirectional_mode": "rtp", "stream_bidirectional_codec": "PCMU"}


@pytest.fixture(scope="module")
async def running(anyio_backend):
    async with telnyx_running() as found:
        yield found


@pytest.fixture
async def client(running):
    async with sdk_client(running) as made:
        yield made


@asynccontextmanager
async def serving(client, **answer):
    """Run a server that answers every call, and streams it."""

    async def on_hook(hook):
        event = client.webhooks.unwrap(hook.text, headers=hook.headers)
        assert event.data.event_type == hook.event
        if hook.event == "call.initiated" and hook.payload["direction"] == "incoming":
            options = {"stream_url": far_end.media_url, **STREAM, **answer}
            try:
                await client.calls.actions.answer(hook.payload["call_control_id"], **options)
            except telnyx.UnprocessableEntityError as problem:
                if "90018" not in str(problem.body):  # the caller gave up
                    raise

    async with telephone_server(on_hook) as far_end:
        yield far_end


@pytest.fixture
async def server(client):
    async with serving(client) as found:
        yield found


@pytest.fixture
def simulator(running):
    return running.simulators["telnyx"]


async def test_a_call_is_answered_heard_and_measured(simulator, server):
    """What comes over HTTP is the same as what comes in Python."""
    server.on_message = server.answering_after_silence(tone(0.4))
    report = await over(
        await place(simulator, server, HELLO, WaitForReply(silence_ms=300), HangUp(), from_="+48123")
    )
    assert sorted(server.events) == [
        "call.answered",
        "call.hangup",
        "call.initiated",
        "streaming.started",
        "streaming.stopped",
    ]
    assert server.events[0] == "call.initiated"
    assert server.events[-1] == "call.hangup"
    assert server.hooks[-1].payload["hangup_cause"] == "normal_clearing"
    assert server.hooks[-1].payload["hangup_source"] == "caller"
    connected, start, *media, mark, stop = [
        message for index, message in enumerate(server.messages) if index < 3 or message["event"] != "media"
    ]
    assert connected == {"event": "connected", "version": "1.0.0"}
    assert start["start"]["media_format"] == {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
    assert (start["start"]["from"], start["start"]["call_control_id"]) == ("+48123", report.network_id)
    assert media[0]["media"].keys() == {"track", "chunk", "timestamp", "payload"}
    assert (mark["mark"], stop["event"]) == ({"name": "said"}, "stop")
    numbers = [int(message["sequence_number"]) for message in server.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    frames = server.of("media")
    assert {len(base64.b64decode(frame["media"]["payload"])) for frame in frames} == {160}
    assert [int(frame["media"]["timestamp"]) for frame in frames] == [20 * n for n in range(len(frames))]
    _, turn = report.turns
    assert turn.response_ms == pytest.approx(215, abs=30)
    assert turn.reply_ended_s - turn.reply_began_s == pytest.approx(0.4, abs=0.006)
    (stream,) = report.streams
    assert stream.marks[0].returned_at_s - stream.marks[0].at_s == pytest.approx(0.4, abs=0.05)
    assert (report.ended_by, report.underruns) == ("person", 0)
    assert [command.name for command in report.commands] == ["answer"]


async def test_a_call_is_placed_and_heard_over_http(running, server):
    server.on_message = server.answering_after_silence(tone(0.2))
    url = f"{running.control_urls['telnyx']}/calls"
    audio = base64.b64encode(wav(tone(0.3))).decode()
    steps = [{"step": "say", "audio": audio}, {"step": "wait_for_reply", "silence_ms": 200}]
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=running.certificate)) as http:
        placed = await http.post(url, json={"webhook_url": f"{server.url}/hooks", "caller": steps})
        assert placed.status_code == 201
        name = placed.json()["id"]
        await server.until(lambda: "call.hangup" in server.events)
        report = msgspec.convert((await http.get(f"{url}/{name}")).json(), CallReport)
        assert report.state == "ended"
        assert report.turns[1].response_ms == pytest.approx(215, abs=30)
        assert any(each["id"] == name for each in (await http.get(url)).json())
        with wave.open(io.BytesIO((await http.get(f"{url}/{name}/heard.wav")).content)) as heard:
            assert (heard.getframerate(), heard.getnchannels()) == (8000, 1)
            samples = np.frombuffer(heard.readframes(heard.getnframes()), np.int16)
        first = int(np.flatnonzero(samples)[0])
        assert np.count_nonzero(samples) == 1600
        assert first / 8000 == pytest.approx(report.turns[1].reply_began_s, abs=0.006)
        with wave.open(io.BytesIO((await http.get(f"{url}/{name}/both.wav")).content)) as both:
            left = np.frombuffer(both.readframes(both.getnframes()), np.int16)[::2]
            assert (both.getnchannels(), int(np.count_nonzero(left))) == (2, 2400)
        wrong = await http.post(url, json={"webhook_url": "http://x", "caller": [{"step": "sing"}]})
        assert (wrong.status_code, "sing" in wrong.json()["problem"]) == (400, True)
        missing = {"webhook_url": "http://x", "caller": [{"step": "say", "recording": "/no/such.wav"}]}
        assert "such.wav" in (await http.post(url, json=missing)).json()["problem"]
        assert (await http.get(f"{url}/nobody")).status_code == 404


async def test_an_interruption_is_measured_until_the_agent_is_silent(simulator, server):
    """The server clears when it hears the caller: its mark comes back at once."""
    server.on_message = server.answering_after_silence(tone(5), clears=True)
    stop = Interrupt(audio=wav(tone(0.3)), after_ms=300)
    report = await over(await place(simulator, server, HELLO, stop, Wait(wait_s=0.1)))
    _, _, interrupted = report.turns
    assert interrupted.was_interruption
    assert interrupted.silenced_after_ms == pytest.approx(25, abs=25)
    (stream,) = report.streams
    assert stream.clears == 1
    assert stream.marks[0].returned_at_s - stream.marks[0].at_s < 1
    assert report.longest_lead_s > 4.9


async def test_what_comes_too_late_is_an_underrun(simulator, server):
    async def on_message(socket, message):
        if message["event"] == "start":
            await say(socket, tone(0.2))
            await anyio.sleep(0.3)
            await say(socket, tone(0.2))

    server.on_message = on_message
    report = await over(await place(simulator, server, WaitForReply(silence_ms=300)))
    (greeting,) = report.turns
    assert greeting.longest_gap_ms == pytest.approx(100, abs=30)
    assert (greeting.underruns, report.underruns) == (1, 1)


async def test_keys_and_custom_words_reach_the_server_on_both_ways(client, simulator, server):
    state = base64.b64encode(b"whatever").decode()
    call = await place(simulator, server, Wait(wait_s=0.3), Press(digits="5#"), Wait(wait_s=0.1))
    await server.until(lambda: server.of("start"))
    await client.calls.actions.update_client_state(call.network_id, client_state=state)
    await client.calls.actions.send_dtmf(call.network_id, digits="1w2", duration_millis=100)
    report = await over(call)
    assert [message["dtmf"]["digit"] for message in server.of("dtmf")] == ["5", "#"]
    pressed = [hook.payload for hook in server.hooks if hook.event == "call.dtmf.received"]
    assert [each["digit"] for each in pressed] == ["5", "#"]
    assert pressed[0]["client_state"] == server.hooks[-1].payload["client_state"] == state
    assert report.digits_heard in ("1", "12")


async def test_a_second_stream_has_a_token_parameters_and_another_codec(client, simulator):
    """Streams can be started and stopped, and stopping one does not end the call."""
    async with serving(client, stream_url=telnyx.NOT_GIVEN) as server:
        call = await place(simulator, server, Stay(), codec="PCMA")
        await call.wait_answered()
        await client.calls.actions.start_streaming(
            call.network_id,
            stream_url=server.media_url,
            stream_track="both_tracks",
            stream_auth_token="sesame",
            custom_parameters=[{"name": "agent", "value": "7"}],
        )
        await server.until(lambda: len(server.of("media")) >= 4)
        assert server.handshakes[0]["x-telnyx-streaming-auth-token"] == "sesame"
        assert "sesame" in server.messages[0].values()
        start = server.of("start")[0]["start"]
        assert start["custom_parameters"] == {"agent": "7"}
        assert start["media_format"]["encoding"] == "PCMA"
        assert {frame["media"]["track"] for frame in server.of("media")} == {"inbound", "outbound"}
        assert base64.b64decode(server.of("media")[0]["media"]["payload"]) == b"\xd5" * 160
        with pytest.raises(telnyx.UnprocessableEntityError):
            await client.calls.actions.start_streaming(call.network_id, stream_url=server.media_url)
        await client.calls.actions.stop_streaming(call.network_id)
        await server.until(lambda: "streaming.stopped" in server.events)
        assert server.of("stop")
        await client.calls.actions.start_streaming(
            call.network_id, stream_url=server.media_url, stream_codec="L16"
        )
        await server.until(lambda: len(server.of("start")) == 2)
        assert server.of("start")[1]["start"]["media_format"]["sample_rate"] == 16_000
        await server.sockets[1].close()
        await server.until(lambda: server.events.count("streaming.stopped") == 2)
        assert call.state.value == "answered"
        await client.calls.actions.hangup(call.network_id)
        report = await over(call)
        assert (report.ended_by, server.hooks[-1].payload["hangup_source"]) == ("server", "callee")


async def test_malformed_media_is_answered_with_errors_and_the_stream_goes_on(simulator, server):
    async def on_message(socket, message):
        if message["event"] != "start":
            return
        await socket.send_str("{not a message")
        await socket.send_json({"event": "sing"})
        await socket.send_bytes(b"\xff" * 160)
        await socket.send_json({"event": "media", "media": {"payload": "###"}})
        await say(socket, tone(0.019))
        await say(socket, tone(30.02))
        await say(socket, tone(0.02))

    server.on_message = on_message
    call = await place(simulator, server, Stay())
    await server.until(lambda: len(server.of("error")) == 6)
    await server.until(lambda: call.streams[0].frames_received == 1)
    errors = [(error["payload"]["code"], error["payload"]["title"]) for error in server.of("error")]
    assert errors == [(100003, "malformed_frame")] * 3 + [(100004, "invalid_media")] * 3
    call.end("normal_clearing", "person")
    assert len((await over(call)).streams[0].errors) == 6


async def test_frames_are_dropped_without_a_word_unless_the_stream_takes_them(client, simulator):
    """Its default is to take mp3 files."""
    async with serving(client, stream_bidirectional_mode="mp3") as server:
        server.on_message = server.answering_after_silence(tone(0.2))
        report = await over(await place(simulator, server, HELLO, WaitForReply(within_s=0.5)))
        assert report.turns[1].response_ms is None
        assert "no mp3 file" in report.streams[0].errors[0]


@pytest.mark.parametrize("order", [("socket", "streaming", "answered"), ("streaming", "socket", "answered")])
async def test_an_answers_consequences_come_in_any_order(simulator, server, order):
    def seen():
        things = {"answered": "call.answered", "streaming": "streaming.started"}
        return [name for name, event in things.items() if event in server.events]

    before = []
    server.on_open = lambda: before.append(seen())
    call = await place(simulator, server, Stay(), start_order=order)
    await server.until(lambda: len(seen()) == 2)
    assert [event for event in server.events if event in ("call.answered", "streaming.started")] == [
        "streaming.started",
        "call.answered",
    ]
    assert before[0] == (["streaming"] if order[0] == "streaming" else [])
    call.end("normal_clearing", "person")
    await over(call)


async def test_a_call_can_be_rejected_and_be_left_ringing(client, simulator):
    async def on_hook(hook):
        if hook.event == "call.initiated" and hook.payload["to"] == "+1":
            await client.calls.actions.reject(hook.payload["call_control_id"], cause="USER_BUSY")

    async with telephone_server(on_hook) as server:
        rejected = await over(await place(simulator, server, to="+1"))
        left = await over(await place(simulator, server, to="+2", ring_s=0.2))
        assert [hook.payload["hangup_cause"] for hook in server.hooks if hook.event == "call.hangup"] == [
            "user_busy",
            "originator_cancel",
        ]
    assert (rejected.ended_by, left.ended_by) == ("server", "person")
    assert (rejected.answered_at_s, rejected.turns) == (None, [])


@pytest.mark.parametrize(
    ("faults", "check"),
    [
        (CallFaults(duplicate_webhooks=True), "duplicates"),
        (CallFaults(reorder_webhooks=True), "order"),
        (CallFaults(lose_hangup=True), "hangup"),
        (CallFaults(lose_stop=True), "stop"),
        (CallFaults(streaming_failed=True), "failed"),
    ],
)
async def test_a_fault_of_webhooks_or_of_the_stream(simulator, server, faults, check):
    report = await over(await place(simulator, server, Wait(wait_s=0.3), faults=faults))
    match check:
        case "duplicates":
            await server.until(lambda: len(server.hooks) == 2 * len(report.webhooks))
            ids = [msgspec.json.decode(hook.text)["data"]["id"] for hook in server.hooks]
            assert sorted(ids) == sorted([sent.id for sent in report.webhooks] * 2)
        case "order":
            await server.until(lambda: len(server.events) == 5)
            assert server.events == [
                "call.initiated",
                "streaming.started",
                "call.answered",
                "call.hangup",
                "streaming.stopped",
            ]
            happened = [sent.event for sent in sorted(report.webhooks, key=lambda sent: sent.at_s)]
            assert happened[1:3] == ["call.answered", "streaming.started"]
        case "hangup":
            assert "call.hangup" not in server.events
            assert server.of("stop")
        case "stop":
            await server.until(lambda: server.close_codes)
            assert server.of("stop") == []
            assert server.close_codes[0] in (None, 1006)
            assert "call.hangup" in server.events
        case "failed":
            assert server.handshakes == []
            (failed,) = [hook.payload for hook in server.hooks if hook.event == "streaming.failed"]
            assert failed["stream_params"]["stream_url"] == server.media_url
            assert failed["failure_reason"]


@pytest.mark.parametrize(
    ("fault", "says"), [("stale_webhooks", "too old"), ("forge_webhooks", "Signature verification failed")]
)
async def test_a_webhook_that_must_not_be_believed_is_not_believed_by_the_sdk(client, simulator, fault, says):
    problems = []

    async def on_hook(hook):
        try:
            client.webhooks.unwrap(hook.text, headers=hook.headers)
        except ValueError as problem:
            problems.append(str(problem))

    async with telephone_server(on_hook) as server:
        await over(
            await place(simulator, server, ring_s=0.1, faults=msgspec.convert({fault: True}, CallFaults))
        )
    assert len(problems) == 2
    assert all(says in problem for problem in problems)


@pytest.mark.parametrize("point", ["initiated", "answered", "streaming", "speaking", "replying"])
async def test_a_caller_hangs_up_at_a_point(simulator, server, point):
    server.on_message = server.answering_after_silence(tone(1))
    steps = [HELLO, Stay()]
    report = await over(await place(simulator, server, *steps, faults=CallFaults(hang_up_at=point)))
    assert (report.state, report.ended_by) == ("ended", "person")
    assert ("call.answered" in server.events) is (point != "initiated")
    assert bool(server.of("media")) is (point in ("speaking", "replying"))
    spoke = [turn for turn in report.turns if turn.said]
    assert bool(spoke) is (point in ("speaking", "replying"))
    if point == "replying":
        assert report.ended_at_s - report.answered_at_s == pytest.approx(
            spoke[0].reply_began_s + 0.3, abs=0.05
        )


async def test_frames_are_lost_doubled_and_swapped(simulator, server):
    faults = CallFaults(
        drop_media_percent=20, duplicate_media=True, reorder_media=True, codec="PCMA", hang_up_at=None
    )
    report = await over(await place(simulator, server, Wait(wait_s=2), faults=faults))
    chunks = [int(frame["media"]["chunk"]) for frame in server.of("media")]
    assert server.of("start")[0]["start"]["media_format"]["encoding"] == "PCMA"
    assert 100 * (1 - len(set(chunks)) / max(chunks)) == pytest.approx(20, abs=12)
    assert len(set(chunks)) == report.streams[0].frames_sent
    steps = {after - before for before, after in pairwise(chunks)}
    assert 0 in steps
    assert min(steps) < 0


async def test_a_webhook_that_fails_is_sent_again_and_then_elsewhere(simulator):
    async def on_hook(hook):
        from aiohttp import web

        return web.Response(status={"/hooks/bad": 500, "/hooks/refused": 403}.get(hook.path, 200))

    async with telephone_server(on_hook) as server:
        fields: dict[str, Any] = {"ring_s": 0.2, "webhook_retry_s": (0.05, 0.1)}
        failing = PlacedCall(
            webhook_url=f"{server.url}/hooks/bad", webhook_failover_url=f"{server.url}/hooks/good", **fields
        )
        call = await simulator.place(failing)
        await server.until(lambda: sum(hook.path == "/hooks/good" for hook in server.hooks) == 2)
        initiated = call.webhooks[0]
        assert [attempt.status for attempt in initiated.attempts] == [500, 500, 500, 200]
        meta = [msgspec.json.decode(hook.text)["meta"] for hook in server.hooks]
        assert sorted(each["attempt"] for each in meta) == [1, 1, 2, 2, 3, 3, 4, 4]
        assert {each["delivered_to"] for each in meta} == {
            f"{server.url}/hooks/bad",
            f"{server.url}/hooks/good",
        }
        refusing = await simulator.place(PlacedCall(webhook_url=f"{server.url}/hooks/refused", **fields))
        await over(refusing)
        assert [len(sent.attempts) for sent in refusing.webhooks] == [1, 1]

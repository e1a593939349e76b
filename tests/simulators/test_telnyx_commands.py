"""The simulated Telnyx's commands, as its official SDK gives them; and what is refused."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager

import anyio
import pytest
import telnyx

from tests.simulators.telephone_server import over, place, telephone_server, tone, wav
from tests.simulators.telnyx_running import sdk_client, telnyx_running
from warmline.simulators.faults import parse_fault
from warmline.simulators.telephone.placing import Callee
from warmline.simulators.telephone.steps import HangUp, Press, Say, Stay, Wait
from warmline.simulators.telnyx.webhooks import SigningKey

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

FROM_AND_TO = {"connection_id": "1", "from_": "+15550002222"}


@pytest.fixture(scope="module")
async def running(anyio_backend):
    async with telnyx_running() as found:
        yield found


@pytest.fixture
async def client(running):
    async with sdk_client(running) as made:
        yield made


@pytest.fixture
def simulator(running):
    return running.simulators["telnyx"]


@asynccontextmanager
async def listening():
    """Run a server that is told of calls, and does nothing of its own accord."""

    async def on_hook(hook):
        return None

    async with telephone_server(on_hook) as server:
        yield server


@pytest.fixture
async def server(client):
    async with listening() as found:
        yield found


@pytest.fixture
async def call(client, simulator, server):
    """A call that was answered, without a stream."""
    call = await place(simulator, server, Stay())
    await server.until(lambda: server.hooks)
    await client.calls.actions.answer(call.network_id)
    await server.until(lambda: "call.answered" in server.events)
    yield call
    call.end("normal_clearing", "person")
    await over(call)


def error_of(caught):
    (error,) = caught.value.body["errors"]
    return error


def code_of(caught):
    error = error_of(caught)
    assert error["title"]
    assert error["detail"]
    return caught.value.status_code, error["code"]


def ended(server, kind):
    return [hook.payload for hook in server.hooks if hook.event == f"call.{kind}.ended"]


async def test_a_call_that_is_over_takes_no_command_and_one_that_never_was_is_not_found(
    client, simulator, server
):
    call = await place(simulator, server, Stay())
    with pytest.raises(telnyx.UnprocessableEntityError) as caught:
        await client.calls.actions.speak(call.network_id, payload="Hello", voice="Telnyx.KokoroTTS.af")
    assert code_of(caught) == (422, "10015")
    await client.calls.actions.answer(call.network_id)
    with pytest.raises(telnyx.UnprocessableEntityError) as caught:
        await client.calls.actions.answer(call.network_id)
    await client.calls.actions.hangup(call.network_id)
    await over(call)
    for command in (client.calls.actions.hangup, client.calls.actions.answer):
        with pytest.raises(telnyx.UnprocessableEntityError) as caught:
            await command(call.network_id)
        assert code_of(caught) == (422, "90018")
    with pytest.raises(telnyx.NotFoundError) as missed:
        await client.calls.actions.hangup("v3:nobody")
    assert code_of(missed) == (404, "10005")
    assert [command.status for command in call.report().commands] == [422, 200, 422, 200, 422, 422]
    shown = await client.calls.retrieve_status(call.network_id)
    assert shown.data.is_alive is False


async def test_what_is_wrong_with_a_command_is_named(client, call):
    actions, name = client.calls.actions, call.network_id
    for command, pointer, code in (
        (actions.transfer(name, to=telnyx.omit), "/to", "10004"),
        (actions.speak(name, payload="", voice="x"), "/payload", "10015"),
        (actions.speak(name, payload="Hi", voice="x", extra_body={"loudness": 3}), "/loudness", "10015"),
        (actions.start_playback(name), "/audio_url", "10015"),
        (actions.update_client_state(name, client_state="no base64!"), "/client_state", "10015"),
        (actions.send_dtmf(name, digits="hello"), "/digits", "10015"),
        (actions.start_streaming(name, stream_url="https://x"), "/stream_url", "10015"),
        (actions.start_streaming(name, stream_url="wss://x", stream_codec="OPUS"), "/stream_codec", "10015"),
        (actions.start_transcription(name, transcription_engine="Azure"), "/transcription_engine", "10015"),
        (actions.start_transcription(name, transcription_tracks="both"), "/transcription_tracks", "10015"),
        (actions.bridge(name, call_control_id_to_bridge_with="v3:x"), "/call_control_id", "10005"),
    ):
        with pytest.raises((telnyx.UnprocessableEntityError, telnyx.NotFoundError)) as caught:
            await command
        assert error_of(caught)["source"]["pointer"] == pointer
        assert code_of(caught)[1] == code


async def test_keys_and_limits(running, client, simulator):
    with pytest.raises(telnyx.AuthenticationError) as caught:
        await client.with_options(api_key="wrong").calls.actions.hangup("v3:x")
    assert code_of(caught) == (401, "10009")
    simulator.faults.add(parse_fault("429"))
    with pytest.raises(telnyx.RateLimitError) as limited:
        await client.calls.actions.hangup("v3:x")
    assert code_of(limited) == (429, "10011")
    assert limited.value.response.headers["x-ratelimit-remaining"] == "0"


async def test_the_same_command_id_is_done_once(client, call, server):
    for _ in range(2):
        await client.calls.actions.send_dtmf(call.network_id, digits="1", duration_millis=100, command_id="a")
    await client.calls.actions.send_dtmf(call.network_id, digits="2", duration_millis=100, command_id="b")
    await server.until(lambda: len(call.digits_heard) == 2)
    assert sorted(call.digits_heard) == ["1", "2"]
    assert [command.was_repeated for command in call.commands[1:]] == [False, True, False]


async def test_a_file_and_a_text_are_played_one_after_the_other(client, call, server):
    server.files["hold.wav"] = wav(tone(0.3, 5000), 8000)
    url = f"{server.url}/files/hold.wav"
    await client.calls.actions.start_playback(call.network_id, audio_url=url)
    await client.calls.actions.speak(call.network_id, payload="Hi.", voice="Telnyx.KokoroTTS.af")
    await server.until(lambda: ended(server, "speak"))
    events = [sent.event for sent in call.webhooks]
    assert [event for event in events if "speak" in event or "playback" in event] == [
        "call.playback.started",
        "call.playback.ended",
        "call.speak.started",
        "call.speak.ended",
    ]
    assert ended(server, "playback")[0]["status"] == ended(server, "speak")[0]["status"] == "completed"
    assert ended(server, "playback")[0]["media_url"] == url
    (first, *_) = call.phone.agent.sounds
    assert first[1] - first[0] >= 0.29


async def test_what_is_played_can_be_stopped_or_missing_or_given_whole(client, call, server):
    content = base64.b64encode(wav(tone(5))).decode()
    await client.calls.actions.start_playback(call.network_id, playback_content=content, audio_type="wav")
    await server.until(lambda: "call.playback.started" in server.events)
    await client.calls.actions.stop_playback(call.network_id)
    await server.until(lambda: ended(server, "playback"))
    for wrong in ({"audio_url": f"{server.url}/files/none.wav"}, {"media_name": "none"}):
        await client.calls.actions.start_playback(call.network_id, **wrong)
    await server.until(lambda: len(ended(server, "playback")) == 3)
    await client.calls.actions.start_playback(
        call.network_id, playback_content=content, audio_type="wav", loop="infinity"
    )
    await server.until(lambda: server.events.count("call.playback.started") == 2)
    await client.calls.actions.hangup(call.network_id)
    await server.until(lambda: len(ended(server, "playback")) == 4)
    assert [payload["status"] for payload in ended(server, "playback")] == [
        "cancelled",
        "file_not_found",
        "file_not_found",
        "call_hangup",
    ]


async def test_a_recording_is_told_of_and_can_be_had(running, client, call, server):
    await client.calls.actions.start_recording(call.network_id, channels="dual", format="wav")
    await anyio.sleep(0.1)
    await client.calls.actions.stop_recording(call.network_id)
    await server.until(lambda: "call.recording.saved" in server.events)
    (saved,) = [hook.payload for hook in server.hooks if hook.event == "call.recording.saved"]
    assert saved["channels"] == "dual"
    assert saved["recording_urls"]["wav"] == f"{running.control_urls['telnyx']}/calls/{call.id}/both.wav"


async def test_what_is_said_is_written_down(client, simulator, server):
    """As it is said and finally, to whoever reads it with the SDK; the client state goes along."""
    call = await place(simulator, server, Wait(wait_s=0.5), Say(text="When do you open?"), Stay())
    await client.calls.actions.answer(call.network_id)
    await client.calls.actions.start_transcription(
        call.network_id,
        transcription_engine="Google",
        transcription_engine_config={
            "transcription_engine": "Google",
            "language": "en",
            "interim_results": True,
        },
        transcription_tracks="inbound",
        client_state=base64.b64encode(b"one").decode(),
    )

    def results():
        return [
            client.webhooks.unwrap(hook.text, headers=hook.headers).data.payload
            for hook in server.hooks
            if hook.event == "call.transcription"
        ]

    await server.until(lambda: any(result.transcription_data.is_final for result in results()))
    await client.calls.actions.stop_transcription(call.network_id)
    *interim, final = results()
    assert interim
    assert final.transcription_data.transcript == "When do you open?"
    assert final.transcription_data.confidence > 0
    assert final.client_state == base64.b64encode(b"one").decode()
    call.end("normal_clearing", "person")
    await over(call)


async def test_keys_are_gathered(client, simulator, server):
    call = await place(simulator, server, Wait(wait_s=0.3), Press(digits="42#"), Wait(wait_s=0.2))
    await client.calls.actions.answer(call.network_id)
    await client.calls.actions.gather_using_speak(
        call.network_id, payload="Please type the number of your ticket.", voice="x"
    )
    await server.until(lambda: "call.gather.ended" in server.events)
    (gathered,) = [hook.payload for hook in server.hooks if hook.event == "call.gather.ended"]
    assert (gathered["digits"], gathered["status"]) == ("42", "valid")
    await over(call)


@pytest.mark.parametrize("answer", ["busy", "no_answer", "call_rejected"])
async def test_somebody_who_is_called_does_not_answer(client, simulator, server, answer):
    simulator.callees["+1"] = Callee(number="+1", answer=answer, ring_s=0.05)
    dialled = await client.calls.dial(
        **FROM_AND_TO, to="+1", webhook_url=f"{server.url}/hooks", client_state="c3RhdGU=", command_id=answer
    )
    assert (dialled.data.record_type, dialled.data.is_alive) == ("call", False)
    await server.until(lambda: "call.hangup" in server.events)
    assert server.hooks[0].payload["direction"] == "outgoing"
    last = server.hooks[-1].payload
    assert last["hangup_cause"] == {"busy": "user_busy"}.get(answer, answer)
    assert last["client_state"] == dialled.data.client_state == "c3RhdGU="
    again = await client.calls.dial(
        **FROM_AND_TO, to="+1", webhook_url=f"{server.url}/hooks", command_id=answer
    )
    assert again.data.call_control_id == dialled.data.call_control_id


async def test_somebody_who_is_called_answers_and_is_found_to_be_a_machine(client, simulator, server):
    simulator.callees["+2"] = Callee(
        number="+2",
        ring_s=0.05,
        detected="machine",
        detect_s=0.1,
        caller=(Say(audio=wav(tone(0.3))), Wait(wait_s=0.2), HangUp()),
    )
    server.on_message = server.answering_after_silence(tone(0.1), frames=3)
    await client.calls.dial(
        **FROM_AND_TO,
        to="+2",
        webhook_url=f"{server.url}/hooks",
        stream_url=server.media_url,
        stream_bidirectional_mode="rtp",
        stream_establish_before_call_originate=True,
        answering_machine_detection="detect",
    )
    await server.until(lambda: "call.hangup" in server.events)
    assert server.events.index("streaming.started") < server.events.index("call.answered")
    (detected,) = [hook.payload for hook in server.hooks if "detection" in hook.event]
    assert detected["result"] == "machine"
    call = simulator.find(server.hooks[0].payload["call_control_id"])
    assert call.report().turns[1].response_ms == pytest.approx(75, abs=30)
    assert server.hooks[-1].payload["hangup_source"] == "callee"


async def test_more_calls_are_dialled_than_is_allowed(client, simulator, server):
    """30 a second, counted over five."""
    simulator.callees["+4"] = Callee(number="+4", answer="busy", ring_s=0)
    refused = ""
    try:
        for _ in range(160):
            await client.calls.dial(**FROM_AND_TO, to="+4", webhook_url=f"{server.url}/hooks")
    except telnyx.RateLimitError as problem:
        refused = str(problem.body)
    assert "90103" in refused
    simulator.dials.clear()
    await server.until(lambda: all(call.report_is_final for call in simulator.calls.values()))


async def test_a_transfer_rings_somebody_else_and_bridges(client, simulator, call, server):
    simulator.callees["+5"] = Callee(number="+5", ring_s=0.05)
    await client.calls.actions.transfer(call.network_id, to="+5", target_leg_client_state="dHJhbnNmZXI=")
    await server.until(lambda: server.events.count("call.bridged") == 2)
    legs = {hook.payload["call_control_id"]: hook.payload for hook in server.hooks}
    assert len(legs) == 2
    assert len({payload["call_session_id"] for payload in legs.values()}) == 1
    (other,) = [payload for name, payload in legs.items() if name != call.network_id]
    assert other["client_state"] == "dHJhbnNmZXI="
    await client.calls.actions.hangup(call.network_id)
    await server.until(lambda: server.events.count("call.hangup") == 2)


async def test_a_transfer_to_somebody_who_is_busy_leaves_the_call_alone(client, simulator, call, server):
    simulator.callees["+6"] = Callee(number="+6", answer="busy", ring_s=0.05)
    await client.calls.actions.transfer(call.network_id, to="+6")
    await server.until(lambda: "call.hangup" in server.events)
    assert server.hooks[-1].payload["to"] == "+6"
    assert call.state.value == "answered"


def test_signatures_are_those_of_the_known_vector():
    """Seed, body and signature as they are published with the protocol's description."""
    key = SigningKey(bytes(range(32)))
    body = b'{"data":{"record_type":"event","event_type":"call.initiated"}}'
    assert key.public == "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    assert key.headers(body, 1795132800) == {
        "telnyx-signature-ed25519": (
            "zhfNAyoXzLIiRG5t+zxrtvix4UY/Fbc9uBzM5wX1JdFlyiEdo+QM7MJpim8l2abxUqZCXxGMcrNZYinecw9cDQ=="
        ),
        "telnyx-timestamp": "1795132800",
    }

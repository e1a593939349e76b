"""The simulated WhatsApp over real sockets: a server in the test is told of messages, and answers them."""

from __future__ import annotations

import base64
import hashlib
import io

import aiohttp
import anyio
import numpy as np
import pytest
import soundfile

from tests.simulators.telephone_server import tone, wav
from tests.simulators.whatsapp_server import ANN, api, whatsapp_server
from warmline.errors import InputError
from warmline.simulators.faults import parse_fault
from warmline.simulators.recordings import pcm16k
from warmline.simulators.running import KEY, simulators_running
from warmline.simulators.whatsapp.conversation import PlacedConversation
from warmline.simulators.whatsapp.errors import Refused
from warmline.simulators.whatsapp.notes import sound_facts, voice_note
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.script import WhatsAppScript
from warmline.simulators.whatsapp.steps import Forward, SendImage, Speak, WaitForAnswer, Write
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

NOTE = voice_note(pcm16k(wav(tone(1.5))))
STEREO = io.BytesIO()
soundfile.write(STEREO, [[0.1, 0.2]] * 16_000, 16_000, format="OGG", subtype="OPUS")
VORBIS = io.BytesIO()
soundfile.write(VORBIS, [0.1] * 16_000, 16_000, format="OGG", subtype="VORBIS")


@pytest.fixture
async def running(anyio_backend):
    script = WhatsAppScript(key=KEY)
    async with simulators_running(
        only=["whatsapp"], scripts={"whatsapp": script}, sentences=["When are you open?"]
    ) as found:
        yield found


@pytest.fixture
def simulator(running):
    return running.simulators["whatsapp"]


@pytest.fixture
async def client(running):
    async with api(running) as made:
        yield made


@pytest.fixture
async def server(running):
    async with whatsapp_server(running) as made:
        yield made


@pytest.fixture
def fault(simulator):
    return lambda text: simulator.faults.add(parse_fault(text))


def placed(server, *steps, person=ANN):
    return PlacedConversation(person=person, webhook_urls=(server.url,), steps=steps)


async def test_a_voice_note_is_answered_by_one(simulator, server, client):
    """Read, fetched, and answered with what it said; the person hears all of it."""

    async def answer(message):
        await client.send(status="read", message_id=message["id"], typing_indicator={"type": "text"})
        _, told = await client.ask("GET", message["audio"]["id"])
        assert told["messaging_product"] == "whatsapp"
        async with client.client.get(told["url"]) as response:
            sound = await response.read()
            assert response.content_type == "audio/ogg"
        assert told["file_size"] == len(sound)
        assert told["sha256"] == hashlib.sha256(sound).hexdigest()
        assert base64.b64decode(message["audio"]["sha256"]).hex() == told["sha256"]
        _, uploaded = await client.upload(sound)
        status, sent = await client.send(
            to=message["from"],
            type="audio",
            audio={"id": uploaded["id"], "voice": True},
            biz_opaque_callback_data="job:1",
        )
        assert status == 200
        assert sent["contacts"] == [{"input": ANN.wa_id, "wa_id": ANN.wa_id}]

    server.on_message = answer
    steps = (Speak(text="When are you open?"), WaitForAnswer(quiet_s=0.1, within_s=10))
    report = await (await simulator.place(placed(server, *steps))).over()
    (message,) = server.of("messages")
    assert (message["audio"]["voice"], message["audio"]["mime_type"]) == (True, "audio/ogg; codecs=opus")
    (turn,), (received,), (sent,) = report.turns, report.received, report.sent
    assert 0 < turn.read_ms <= turn.typing_ms <= turn.answer_ms
    assert received.seconds == sent.seconds > 0.5
    assert (received.is_voice, received.is_automatic, received.callback_data) == (True, True, "job:1")
    # What the person hears is what they said.
    kept = simulator.business.files.find(received.media_id, simulator.business.now_s)
    facts = sound_facts(kept.data)
    assert facts is not None
    assert facts.is_opus
    assert "open" in await simulator.speech.transcribed(pcm16k(kept.data))
    await server.until(lambda: len(server.of("statuses")) == 4)
    assert [status["status"] for status in server.of("statuses")] == ["sent", "delivered", "read", "played"]


async def test_people_forward_music_and_send_recordings_and_pictures(simulator, server, client):
    steps = (Speak(audio=NOTE), Speak(audio=wav(tone(0.7))), Forward(audio=wav(tone(0.7))), SendImage())
    report = await (await simulator.place(placed(server, *steps))).over()
    await server.until(lambda: len(server.of("messages")) == 4)
    by_id = {message["id"]: message for message in server.of("messages")}
    spoken, made, forwarded, picture = (by_id[sent.id] for sent in report.sent)
    assert [sent.seconds for sent in report.sent[:3]] == pytest.approx([1.5, 0.7, 0.7], abs=0.1)
    assert [each["audio"]["voice"] for each in (spoken, made, forwarded)] == [True, True, False]
    for message, kind in ((spoken, "audio"), (forwarded, "audio"), (picture, "image")):
        _, told = await client.ask("GET", message[kind]["id"])
        async with client.client.get(told["url"]) as response:
            data = await response.read()
            assert response.headers["content-type"] == told["mime_type"] == message[kind]["mime_type"]
        if message is spoken:
            assert data == NOTE
    assert (forwarded["audio"]["mime_type"], picture["image"]["mime_type"]) == ("audio/mpeg", "image/png")
    assert data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "step", [Speak(recording="/nowhere.wav"), Speak(audio=b"noise"), Forward(audio=b"noise")]
)
async def test_what_cannot_be_read_is_not_sent(simulator, server, step):
    with pytest.raises(InputError):
        await simulator.place(placed(server, step))
    assert server.bodies == []


async def test_files_need_the_key_and_a_client_that_says_who_it_is(simulator, client):
    _, uploaded = await client.upload(NOTE)
    _, told = await client.ask("GET", uploaded["id"])
    for headers, status in (
        ({}, 200),
        ({"authorization": ""}, 401),
        ({"authorization": "Bearer other"}, 401),
        ({"user-agent": ""}, 403),
    ):
        async with client.client.get(told["url"], headers=headers) as response:
            assert response.status == status
    simulator.script.media_url_s = 0.0
    _, told = await client.ask("GET", uploaded["id"])
    async with client.client.get(told["url"]) as response:
        assert response.status == 404
    assert await client.ask("DELETE", uploaded["id"]) == (200, {"success": True})
    for method in ("GET", "DELETE"):
        status, told = await client.ask(method, uploaded["id"])
        error = told["error"]
        assert (status, error["code"], error["error_subcode"]) == (400, 100, 33)
        assert error["type"] == "GraphMethodException"


@pytest.mark.parametrize(
    ("sound", "mime_type", "is_voice", "code"),
    [
        (NOTE, "audio/ogg", True, 0),
        (NOTE, "audio/ogg", False, 0),
        (STEREO.getvalue(), "audio/ogg", True, 131053),
        (VORBIS.getvalue(), "audio/ogg", False, 131053),
        (b"no sound at all", "audio/ogg", True, 131053),
        (b"no sound at all", "audio/mpeg", True, 131053),
    ],
)
async def test_what_is_no_opus_of_one_channel_fails_later(
    simulator, client, sound, mime_type, is_voice, code
):
    simulator.script.window_s = 0
    _, uploaded = await client.upload(sound, mime_type)
    status, told = await client.send(
        to=ANN.phone, type="audio", audio={"id": uploaded["id"], "voice": is_voice}
    )
    assert status == 200
    accepted = simulator.business.accepted[-1]
    assert (accepted.id, accepted.failed_code) == (told["messages"][0]["id"], code)


async def test_a_file_may_be_linked_to(simulator, server, client, running):
    """A person's own, here; what can't be fetched fails."""
    simulator.script.window_s = 0
    links = {f"{client.control_url}/files/1": 131053, "http://127.0.0.1:1/x": 131053}
    for link, code in links.items():
        status, _ = await client.send(to=ANN.phone, type="audio", audio={"link": link})
        assert (status, simulator.business.accepted[-1].failed_code) == (200, code)


async def test_any_version_of_the_api_knows_the_number(client):
    for version in ("v26.0", "v17.0", "v99.1"):
        base = client.base_url.replace("v26.0", version)
        async with client.client.get(f"{base}/{PHONE_NUMBER_ID}") as response:
            told = await response.json()
        assert (response.status, told["id"], told["verified_name"]) == (200, PHONE_NUMBER_ID, "Warmline")
    _, told = await client.ask("GET", f"{PHONE_NUMBER_ID}?fields=display_phone_number")
    assert told == {"display_phone_number": "+15550002222", "id": PHONE_NUMBER_ID}
    status, told = await client.ask("GET", "12345/nothing")
    assert (status, told["error"]["code"]) == (400, 2500)
    status, told = await client.ask("POST", "12345/messages", json={})
    assert (status, told["error"]["error_subcode"]) == (400, 33)


async def test_errors_are_written_as_the_graph_api_writes_them(simulator, client, fault):
    status, told = await client.send(to=ANN.phone, type="text", text={"body": "x" * 4097})
    error = told["error"]
    assert (status, error["type"], error["code"]) == (400, "OAuthException", 100)
    assert error["fbtrace_id"].startswith("A")
    fault("refused;code=131000")
    status, told = await client.send(to=ANN.phone, type="text", text={"body": "x"})
    assert (status, told["error"]["is_transient"]) == (500, True)
    assert told["error"]["error_data"]["messaging_product"] == "whatsapp"
    fault("refused;code=131047")
    status, told = await client.send(to=ANN.phone, type="text", text={"body": "x"})
    assert (status, told["error"]["message"]) == (400, "(#131047) Re-engagement message")
    for name, code, expected in (
        ("401", 190, 401),
        ("429", 130429, 429),
        ("503", 131016, 500),
        ("500", 131000, 500),
    ):
        fault(name)
        status, told = await client.ask("GET", PHONE_NUMBER_ID)
        assert (status, told["error"]["code"]) == (expected, code)


async def test_a_token_expires_until_there_is_another(simulator, client, running):
    simulator.renew_token(KEY)
    simulator.script.token_requests = 2
    statuses = [(await client.ask("GET", PHONE_NUMBER_ID))[0] for _ in range(4)]
    assert statuses == [200, 200, 401, 401]
    assert (await client.control("POST", "token", {"key": "renewed"}))[0] == 200
    assert (await client.ask("GET", PHONE_NUMBER_ID))[0] == 401
    async with api(running, "renewed") as renewed:
        assert (await renewed.ask("GET", PHONE_NUMBER_ID))[0] == 200


async def test_the_pair_rate_may_be_met_after_two(simulator, client):
    simulator.script.update({"pair_burst": 2, "window_s": 0})
    somebody = {"to": "447700900777", "type": "text", "text": {"body": "hi"}}
    statuses = [await client.send(**somebody) for _ in range(3)]
    assert [status for status, _ in statuses] == [200, 200, 429]
    assert statuses[-1][1]["error"]["code"] == 131056


async def test_a_lost_response_is_told_of_by_a_status(simulator, server, client, fault):
    """Nobody but its callback data can say that the message was sent."""
    report = await (await simulator.place(placed(server, Write(text="hi")))).over()
    fault("lost_response;path=/messages")
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.send(to=ANN.phone, type="text", text={"body": "hello"}, biz_opaque_callback_data="job:7")
    await server.until(lambda: server.of("statuses"))
    status = server.of("statuses")[0]
    assert (status["biz_opaque_callback_data"], status["status"]) == ("job:7", "sent")
    chat = simulator.business.chat_with(ANN)
    assert [each.callback_data for each in chat.received[len(report.received) :]][-1] == "job:7"


async def test_answers_may_be_late_cut_short_or_no_json(simulator, client, fault):
    simulator.script.window_s = 0
    before = len(simulator.business.accepted)
    message = {"to": ANN.phone, "type": "text", "text": {"body": "hi"}}
    fault("slow_first_byte;seconds=0.3")
    began_s = anyio.current_time()
    assert (await client.send(**message))[0] == 200
    assert anyio.current_time() - began_s >= 0.3
    fault("garbage")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        await client.send(**message)
    fault("cut")
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await client.send(**message)
    # All were accepted, whatever became of the answer.
    assert len(simulator.business.accepted) == before + 3
    _, uploaded = await client.upload(NOTE)
    fault("media_expired")
    status, told = await client.ask("GET", uploaded["id"])
    assert (status, told["error"]["code"]) == (400, 100)
    _, told = await client.ask("GET", uploaded["id"])
    fault("media_expired")
    async with client.client.get(told["url"]) as response:
        assert response.status == 404
    fault("cut;after=0")
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        async with client.client.get(told["url"]) as response:
            await response.read()


async def test_a_message_may_fail_later(simulator, server, client, fault):
    await (await simulator.place(placed(server, Write(text="hi")))).over()
    fault("failed;code=131026")
    status, _ = await client.send(to=ANN.phone, type="text", text={"body": "hello"})
    assert status == 200
    await server.until(lambda: server.of("statuses"))
    (told,) = server.of("statuses")
    assert (told["status"], told["errors"][0]["code"]) == ("failed", 131026)


async def test_a_server_that_is_down_is_told_later(simulator, server):
    simulator.script.webhook_retry_s = 0.05
    server.status = 503
    conversation = await simulator.place(placed(server, Write(text="hello")))
    await server.until(lambda: len(server.bodies) >= 2)
    server.status = 200
    await server.until(lambda: conversation.sent[0].told_at_s is not None)
    assert len(set(server.bodies)) == 1


async def test_a_subscription_has_to_be_verified(simulator, server, client):
    control = {"urls": [server.url]}
    assert (await client.control("PUT", "subscription", control))[0] == 200
    assert simulator.business.urls == (server.url,)
    server.verify_token = "another"
    status, told = await client.control("PUT", "subscription", control)
    assert (status, "verification failed" in told["problem"]) == (400, True)
    with pytest.raises(Refused):
        await simulator.subscribe("http://127.0.0.1:1/")
    for path, body in (
        (
            PHONE_NUMBER_ID,
            {"webhook_configuration": {"override_callback_uri": server.url, "verify_token": "x"}},
        ),
        ("123/subscribed_apps", {"override_callback_uri": server.url, "verify_token": "x"}),
    ):
        status, told = await client.ask("POST", path, json=body)
        assert (status, told["error"]["code"]) == (400, 2200)


async def test_another_process_can_be_a_person(simulator, server, client):
    """Over HTTP: messages are sent, and what came back is told when it is there."""

    async def answer(message):
        sender = {"recipient": message["from_user_id"]}
        for number in range(2):
            await client.send(
                **sender,
                type="text",
                text={"body": f"part {number}"},
                biz_opaque_callback_data=f"{message['id']}/{number}",
            )

    server.on_message = answer
    wanted = {
        "person": {"user_id": "US.1349", "name": "Zoë"},
        "webhook_urls": [server.url],
        "steps": [
            {"step": "write", "text": "hello"},
            {"step": "wait_for_answer", "messages": 2, "quiet_s": 0.1},
        ],
    }
    status, report = await client.control("POST", "conversations?wait_s=8", wanted)
    assert (status, report["state"], report["person"]) == (201, "over", "US.1349")
    (sent,) = report["sent"]
    assert [each["callback_data"] for each in report["received"]] == [f"{sent['id']}/0", f"{sent['id']}/1"]
    assert report["turns"][0]["answers"] == [each["id"] for each in report["received"]]
    assert report["webhooks"][0]["events"] == ["messages.text"]
    assert (await client.control("GET", f"conversations/{report['id']}"))[1]["id"] == report["id"]
    assert (await client.control("GET", "chats/US.1349"))[1]["person"]["name"] == "Zoë"
    assert (await client.control("GET", "chats/nobody"))[0] == 404
    accepted = (await client.control("GET", "accepted"))[1]
    assert accepted[-1]["callback_data"] == f"{sent['id']}/1"
    for path, wrong in (
        ("conversations", {"steps": [{"step": "sing"}]}),
        ("conversations", {"person": {}, "steps": []}),
        ("conversations?wait_s=x", {"steps": []}),
        ("token", {"key": ""}),
    ):
        assert (await client.control("POST", path, wrong))[0] == 400


async def test_a_person_waits_for_the_answers_to_all_that_was_sent_since_the_last_wait(
    simulator, server, client
):
    """Also for one that comes before the last of it is sent."""

    async def answer(message):
        await client.send(recipient=message["from_user_id"], type="text", text={"body": "yes"})

    server.on_message = answer
    wait = {"step": "wait_for_answer", "messages": 2, "quiet_s": 0.0}
    steps = []
    for text in ("one", "two", "three", "four"):
        steps += [{"step": "write", "text": text}, {"step": "wait", "wait_s": 0.3}]
        steps += [wait] if text in {"two", "four"} else []
    wanted = {"person": {"user_id": "US.1350"}, "webhook_urls": [server.url], "steps": steps}
    status, report = await client.control("POST", "conversations?wait_s=8", wanted)
    assert (status, report["state"]) == (201, "over")
    assert len(report["received"]) == 4


async def test_a_long_note_waits_for_a_tap(simulator, server, client):
    await (await simulator.place(placed(server, Write(text="hi"), person=Person(phone="15550003333")))).over()
    # Noise is what Opus can make least of.
    loud = io.BytesIO()
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, 48_000 * 75)
    soundfile.write(loud, noise, 48_000, format="OGG", subtype="OPUS")
    assert len(loud.getvalue()) > 512 * 1024
    _, uploaded = await client.upload(loud.getvalue())
    await client.send(to="15550003333", type="audio", audio={"id": uploaded["id"], "voice": True})
    (received,) = simulator.business.chat_with(Person(phone="15550003333")).received
    assert (received.is_automatic, received.seconds) == (False, pytest.approx(75, abs=0.1))

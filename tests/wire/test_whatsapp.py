"""WhatsApp's wire as the server reads it, against the simulator that was written from the protocol alone."""

from __future__ import annotations

import anyio
import pytest

from tests.simulators.telephone_server import tone, wav
from tests.simulators.whatsapp_server import ANN, whatsapp_server
from warmline.audio.voice_notes import NOTE_NAME, NOTE_TYPE
from warmline.channels.whatsapp.client import GraphClient
from warmline.channels.whatsapp.failure_kinds import GraphFailureKind
from warmline.channels.whatsapp.failures import GraphFailure
from warmline.channels.whatsapp.incoming import MessageKind
from warmline.channels.whatsapp.media_lines import MediaLines
from warmline.channels.whatsapp.messages import template_message, text_message, voice_note_message
from warmline.channels.whatsapp.signature import WhatsAppSignatures
from warmline.channels.whatsapp.statuses import StatusState
from warmline.channels.whatsapp.webhooks import read
from warmline.pool.lines import Lines
from warmline.pool.retrying import RetryPolicy
from warmline.simulators.faults import parse_fault
from warmline.simulators.recordings import pcm16k
from warmline.simulators.running import KEY, simulators_running
from warmline.simulators.whatsapp.conversation import PlacedConversation
from warmline.simulators.whatsapp.notes import voice_note
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.script import ScriptedStatus, WhatsAppScript
from warmline.simulators.whatsapp.steps import Forward, React, SendImage, SendOther, Speak, Write
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

BOB = Person(user_id="US.13491208655302741918", name="Bob")
NOTE = voice_note(pcm16k(wav(tone(1.2))))
K = GraphFailureKind


@pytest.fixture
async def running(anyio_backend):
    statuses = (ScriptedStatus(status="read", after_s=0), ScriptedStatus(status="sent", after_s=0.02))
    script = WhatsAppScript(key=KEY, statuses=statuses)
    async with simulators_running(only=["whatsapp"], scripts={"whatsapp": script}) as found:
        yield found


@pytest.fixture
def simulator(running):
    return running.simulators["whatsapp"]


@pytest.fixture
async def client(running):
    url, token = running.base_urls["whatsapp"], running.environment["WHATSAPP_TOKEN"]
    async with Lines(certificate=running.certificate) as lines:
        endpoint = await lines.endpoint(
            "whatsapp",
            url,
            headers={"authorization": f"Bearer {token}"},
            retry=RetryPolicy(retries=1, backoff_s=0.01),
        )
        yield GraphClient(endpoint, MediaLines(lines, token, [url]))


@pytest.fixture
async def server(running):
    async with whatsapp_server(running) as made:
        yield made


async def told(running, simulator, server, *steps, person=ANN):
    """Have somebody send something; return the conversation, and the messages as they are read."""
    placed = PlacedConversation(person=person, webhook_urls=(server.url,), steps=steps)
    conversation = await simulator.place(placed)
    await conversation.over()
    await server.until(lambda: all(message.told_at_s is not None for message in conversation.sent))
    return conversation, [message for each in deliveries(running, server) for message in each.messages]


def deliveries(running, server):
    """Return what the webhooks tell, of which each is rightly signed."""
    signatures = WhatsAppSignatures(running.environment["WHATSAPP_APP_SECRET"])
    for body, headers in zip(server.bodies, server.headers, strict=True):
        signatures.verify(body, headers["x-hub-signature-256"])
    return [read(body) for body in server.bodies]


async def kind_of(doing) -> GraphFailureKind:
    with pytest.raises(GraphFailure) as failed:
        await doing
    return failed.value.kind


@pytest.mark.parametrize("person", [ANN, BOB, Person(phone="15550004444")])
async def test_a_voice_note_is_read_fetched_and_answered(running, simulator, server, client, person):
    conversation, (message,) = await told(running, simulator, server, Speak(audio=NOTE), person=person)
    assert (message.kind, message.is_voice, message.user_key) == (MessageKind.AUDIO, True, person.key)
    await client.check(PHONE_NUMBER_ID)
    await client.mark_read(PHONE_NUMBER_ID, message.id, typing=True)
    place = await client.media(message.media_id, PHONE_NUMBER_ID)
    assert await client.download(place, 16 * 1024 * 1024) == NOTE
    note = await client.upload(PHONE_NUMBER_ID, NOTE, NOTE_TYPE, NOTE_NAME)
    bodies = [
        text_message(message.to, "Grüße.", callback_data="job/0"),
        voice_note_message(message.to, note, callback_data="job/1", reply_to=message.id),
    ]
    ids = [await client.send(PHONE_NUMBER_ID, body) for body in bodies]
    text, voice = conversation.received
    assert [text.id, voice.id] == ids
    assert (text.text, text.callback_data, voice.callback_data) == ("Grüße.", "job/0", "job/1")
    assert (voice.is_voice, voice.seconds, voice.reply_to) == (
        True,
        pytest.approx(1.2, abs=0.05),
        message.id,
    )
    (sent,) = conversation.sent
    assert sent.read_at_s is not None
    assert sent.typing_at_s is not None
    await server.until(lambda: len(server.of("statuses")) == 4)
    statuses = [status for each in deliveries(running, server) for status in each.statuses]
    assert {(each.id, each.callback_data) for each in statuses} == {(ids[0], "job/0"), (ids[1], "job/1")}
    assert {each.state for each in statuses} == {StatusState.READ, StatusState.SENT}
    assert {each.recipient for each in statuses} == {person.key}


async def test_whatever_people_send_has_a_kind(running, simulator, server):
    steps = (Write(text="hello"), Forward(audio=NOTE), SendImage(caption="look"), React(), SendOther())
    conversation, messages = await told(running, simulator, server, *steps, person=BOB)
    kinds = {message.id: (message.kind, message.text, message.is_voice) for message in messages}
    assert [kinds[sent.id] for sent in conversation.sent] == [
        (MessageKind.TEXT, "hello", False),
        (MessageKind.AUDIO, "", False),
        (MessageKind.MEDIA, "look", False),
        (MessageKind.REACTION, "\N{THUMBS UP SIGN}", False),
        (MessageKind.OTHER, "", False),
    ]
    assert not any(each.unreadable for each in deliveries(running, server))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("refused;code=131056", K.PAIR_RATE),
        ("429", K.THROUGHPUT),
        ("401", K.TOKEN),
        ("500;times=0", K.TRANSIENT),
        ("503;times=0", K.TRANSIENT),
        ("refused;code=131047", K.WINDOW_CLOSED),
        ("refused;code=131026", K.UNDELIVERABLE),
        ("refused;code=131009", K.REFUSED),
        ("lost_response", K.UNKNOWN_OUTCOME),
        ("garbage", K.UNKNOWN_OUTCOME),
        ("cut", K.UNKNOWN_OUTCOME),
    ],
)
async def test_failures_are_what_they_are_taken_for(running, simulator, server, client, fault, kind):
    _, (message,) = await told(running, simulator, server, Write(text="hello"))
    simulator.faults.add(parse_fault(f"{fault};path=/messages"))
    before = len(simulator.business.accepted)
    body = text_message(message.to, "Hello.", callback_data="job/0")
    assert await kind_of(client.send(PHONE_NUMBER_ID, body)) is kind
    # What is known to have failed was not sent, and what may have been sent was sent once.
    assert len(simulator.business.accepted) - before == (kind is K.UNKNOWN_OUTCOME)


async def test_what_failed_later_is_told_by_a_status(running, simulator, server, client):
    """Nobody may be written to who has written nothing, but by a template."""
    _, (message,) = await told(running, simulator, server, Write(text="hello"))
    simulator.script.window_s = 0.001
    await anyio.sleep(0.01)
    failed = await client.send(PHONE_NUMBER_ID, text_message(message.to, "Hello.", callback_data="job/0"))
    await client.send(PHONE_NUMBER_ID, template_message(message.to, "hello", "en", callback_data="job/1"))
    await server.until(lambda: len(server.of("statuses")) == 3)
    statuses = [status for each in deliveries(running, server) for status in each.statuses]
    found = {(each.id, each.error_code) for each in statuses if each.state is StatusState.FAILED}
    assert found == {(failed, 131047)}


async def test_a_file_that_is_gone_is_gone(running, simulator, server, client):
    _, (message,) = await told(running, simulator, server, Speak(audio=NOTE))
    place = await client.media(message.media_id, PHONE_NUMBER_ID)
    for _ in range(2):
        simulator.faults.add(parse_fault("media_expired"))
    assert await kind_of(client.download(place, 1_000_000)) is K.MEDIA_GONE
    assert await kind_of(client.media(message.media_id, PHONE_NUMBER_ID)) is K.MEDIA_GONE
    assert await client.download(place, 1_000_000) == NOTE

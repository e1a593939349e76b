"""pywa, a widespread client of WhatsApp, against the simulator: it sends, fetches and reads webhooks."""

from __future__ import annotations

import ssl

import httpx
import pytest
from pywa.client import WhatsApp as Reader
from pywa.errors import MediaDownloadError, ReEngagementMessage, TooManyMessages, WhatsAppError
from pywa.types.callback import Button
from pywa.types.message import Message
from pywa.types.message_status import MessageStatus
from pywa.types.templates import TemplateLanguage
from pywa_async.client import WhatsApp

from tests.simulators.telephone_server import tone, wav
from tests.simulators.whatsapp_server import ANN, whatsapp_server
from warmline.simulators.faults import parse_fault
from warmline.simulators.recordings import pcm16k
from warmline.simulators.running import KEY, simulators_running
from warmline.simulators.whatsapp.conversation import PlacedConversation
from warmline.simulators.whatsapp.notes import voice_note
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.script import ScriptedStatus, WhatsAppScript
from warmline.simulators.whatsapp.steps import React, SendImage, SendOther, Speak, Write
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

BOB = Person(user_id="US.13491208655302741918", name="Bob", username="bob")
NOTE = voice_note(pcm16k(wav(tone(1.5))))


@pytest.fixture
async def running(anyio_backend):
    statuses = tuple(
        ScriptedStatus(status=name, after_s=0.01) for name in ("sent", "read", "delivered", "played")
    )
    script = WhatsAppScript(key=KEY, statuses=statuses)
    async with simulators_running(only=["whatsapp"], scripts={"whatsapp": script}) as found:
        yield found


@pytest.fixture
def simulator(running):
    return running.simulators["whatsapp"]


@pytest.fixture
async def client(running):
    trusted = ssl.create_default_context(cafile=running.certificate)
    async with httpx.AsyncClient(verify=trusted) as session:
        made = WhatsApp(
            phone_id=PHONE_NUMBER_ID, token=running.environment["WHATSAPP_TOKEN"], session=session
        )
        # It has no setting for this, and makes it its own when it is made.
        session.base_url = running.base_urls["whatsapp"]
        yield made


@pytest.fixture
async def server(running):
    async with whatsapp_server(running) as made:
        yield made


@pytest.fixture
def reader(running):
    """Reads webhooks, and checks their signatures."""
    return Reader(
        phone_id=PHONE_NUMBER_ID,
        verify_token=running.environment["WHATSAPP_VERIFY_TOKEN"],
        app_secret=running.environment["WHATSAPP_APP_SECRET"],
    )


async def written(simulator, server, *steps, person=ANN):
    """Have somebody send something; return when the server knows of it."""
    placed = PlacedConversation(person=person, webhook_urls=(server.url,), steps=steps)
    conversation = await simulator.place(placed)
    await conversation.over()
    await server.until(lambda: all(message.told_at_s is not None for message in conversation.sent))
    return conversation


def read(reader, server):
    """Return the messages and statuses as they are read from the webhooks that came."""
    found = []
    reader.on_message()(lambda _, message: found.append(message))
    reader.on_message_status()(lambda _, status: found.append(status))
    for body, headers in zip(server.bodies, server.headers, strict=True):
        assert reader.webhook_update_validator(body, headers["x-hub-signature-256"]) is None
        assert reader.webhook_update_handler(body) == ("ok", 200)
    return found


@pytest.mark.parametrize(("person", "to"), [(ANN, ANN.phone), (ANN, ANN.user_id), (BOB, BOB.user_id)])
async def test_texts_and_voice_notes_reach_somebody_in_order(simulator, server, client, person, to):
    """By number, or by the id of somebody who keeps it to themselves."""
    conversation = await written(simulator, server, Write(text="hello"), person=person)
    sent = [
        await client.send_message(to=to, text="Good morning.", tracker="job:1/0"),
        await client.send_voice(
            to=to,
            voice=NOTE,
            mime_type="audio/ogg",
            tracker="job:1/1",
            reply_to_message_id=conversation.sent[0].id,
        ),
        await client.send_reaction(to=to, emoji="\N{THUMBS UP SIGN}", message_id=conversation.sent[0].id),
    ]
    received = conversation.received
    assert [message.id for message in received] == [message.id for message in sent]
    assert [message.type for message in received] == ["text", "audio", "reaction"]
    assert [message.callback_data for message in received] == ["job:1/0", "job:1/1", ""]
    text, voice, _ = received
    assert text.text == "Good morning."
    assert (voice.is_voice, voice.seconds) == (True, pytest.approx(1.5, abs=0.05))
    assert voice.reply_to == conversation.sent[0].id


async def test_what_was_said_is_fetched_and_marked_as_read(simulator, server, client, reader):
    conversation = await written(simulator, server, Speak(audio=NOTE))
    (message,) = read(reader, server)
    assert message.audio.voice
    assert (message.audio.mime_type, message.from_user.wa_id) == ("audio/ogg; codecs=opus", ANN.wa_id)
    told = await client.get_media_url(message.audio.id)
    assert told.file_size == len(NOTE)
    assert await told.get_bytes() == NOTE
    assert await client.mark_message_as_read(message_id=message.id)
    assert await client.indicate_typing(message_id=message.id)
    (sent,) = conversation.sent
    assert sent.read_at_s < sent.typing_at_s


async def test_its_reader_understands_our_webhooks(simulator, server, client, reader):
    """Whatever is sent, by whomever; statuses carry what the message was sent with."""
    await written(
        simulator, server, Write(text="Grüße"), SendImage(caption="look"), React(), SendOther(), person=BOB
    )
    accepted = await client.send_voice(to=BOB.user_id, voice=NOTE, mime_type="audio/ogg", tracker="job:2")
    await server.until(lambda: len(server.of("statuses")) == 4)
    found = read(reader, server)
    messages = {each.type.value: each for each in found if isinstance(each, Message)}
    assert set(messages) == {"text", "image", "reaction", "unsupported"}
    assert messages["text"].text == "Grüße"
    assert messages["image"].caption == "look"
    user = messages["text"].from_user
    assert (user.bsuid, user.wa_id, user.name, user.username) == (BOB.user_id, None, "Bob", "bob")
    statuses = [each for each in found if isinstance(each, MessageStatus)]
    assert {each.status.value for each in statuses} == {"sent", "delivered", "read", "played"}
    assert {(each.id, each.tracker) for each in statuses} == {(accepted.id, "job:2")}


async def test_a_forged_webhook_is_refused(simulator, server, reader):
    await written(simulator, server, Write(text="hello"))
    assert reader.webhook_update_validator(server.bodies[0], None) == ("Unauthorized", 401)
    forged = "sha256=" + "0" * 64
    assert reader.webhook_update_validator(server.bodies[0], forged) == ("Forbidden", 403)


async def test_errors_are_what_it_takes_them_for(simulator, server, client, reader):
    await written(simulator, server, Write(text="hello"))
    simulator.script.pair_burst = 1
    await client.send_message(to=ANN.phone, text="one")
    with pytest.raises(TooManyMessages) as refused:
        await client.send_message(to=ANN.phone, text="two")
    assert (refused.value.code, refused.value.status_code) == (131056, 429)
    assert "pair rate limit" in refused.value.message
    simulator.faults.add(parse_fault("refused;code=131047"))
    with pytest.raises(ReEngagementMessage, match="131047"):
        await client.send_message(to=ANN.phone, text="three")
    with pytest.raises(WhatsAppError) as missing:
        await client.get_media_url("1")
    assert (missing.value.code, missing.value.subcode) == (100, 33)
    assert not isinstance(missing.value, MediaDownloadError)
    simulator.script.pair_burst = 0
    simulator.faults.add(parse_fault("failed;code=131026"))
    failing = await client.send_message(to=ANN.phone, text="four")
    await server.until(lambda: any("errors" in status for status in server.of("statuses")))
    failed = [each for each in read(reader, server) if isinstance(each, MessageStatus) and each.error]
    assert [(each.id, each.error and each.error.code) for each in failed] == [(failing.id, 131026)]


async def test_it_subscribes(running, simulator, server, client):
    simulator.business.urls = ()
    token = running.environment["WHATSAPP_VERIFY_TOKEN"]
    assert (await client.api.set_phone_alternate_callback_url(server.url, token, PHONE_NUMBER_ID))["success"]
    assert simulator.business.urls == (server.url,)
    assert (await client.api.set_waba_alternate_callback_url("1", server.url, token))["success"]
    subscribed = await client.api.set_app_callback_url(1, KEY, server.url, token, ("messages",))
    assert subscribed["success"]


async def test_a_button_a_template_and_the_number_itself(simulator, server, client):
    conversation = await written(simulator, server, Write(text="hello"))
    await client.send_message(to=ANN.phone, text="Which?", buttons=[Button(title="Yes", callback_data="y")])
    await client.send_template(
        to=ANN.phone, name="hello_world", language=TemplateLanguage.ENGLISH_US, params=[]
    )
    assert [message.type for message in conversation.received] == ["interactive", "template"]
    assert [message.text for message in conversation.received] == ["Which?", "hello_world"]

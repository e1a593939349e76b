"""What WhatsApp tells, in whatever order, number and shape."""

import contextlib
import copy
import json

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.incoming import IncomingMessage, MessageKind
from warmline.channels.whatsapp.statuses import MessageStatus, StatusState
from warmline.channels.whatsapp.webhooks import Delivery, read
from warmline.errors import LocalProtocolError, RemoteProtocolError

pytestmark = pytest.mark.unit

ANN = {"profile": {"name": "Ann", "username": "ann"}, "wa_id": "48600100200", "user_id": "US.13491"}
VOICE = {
    "from": "48600100200",
    "from_user_id": "US.13491",
    "id": "wamid.A",
    "timestamp": "1795132800",
    "type": "audio",
    "audio": {"id": "77", "mime_type": "audio/ogg; codecs=opus", "sha256": "q1w2", "voice": True},
}


def text(body="hi", **fields):
    return {
        "from": "48600100200",
        "id": "wamid.T",
        "timestamp": "1795132801",
        "type": "text",
        "text": {"body": body},
        **fields,
    }


def change(*messages, contacts=(ANN,), statuses=(), field="messages", number_id="111"):
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001111", "phone_number_id": number_id},
        "contacts": list(contacts),
        "messages": list(messages),
        "statuses": list(statuses),
    }
    return {"field": field, "value": {name: content for name, content in value.items() if content}}


def webhook(*changes):
    return {"object": "whatsapp_business_account", "entry": [{"id": "222", "changes": list(changes)}]}


def told(*changes) -> Delivery:
    return read(json.dumps(webhook(*changes)).encode())


def message(*args, **fields) -> IncomingMessage:
    delivery = told(change(*args, **fields))
    assert delivery.unreadable == 0
    [found] = delivery.messages
    return found


def test_a_voice_note_has_all_that_its_answer_needs():
    """Its file, whom to answer, and from which number."""
    assert message(VOICE) == IncomingMessage(
        id="wamid.A",
        phone_number_id="111",
        user_key="US.13491",
        to=Addressee("48600100200", "US.13491"),
        name="Ann",
        timestamp_s=1795132800,
        kind=MessageKind.AUDIO,
        type="audio",
        media_id="77",
        mime_type="audio/ogg; codecs=opus",
        sha256="q1w2",
        is_voice=True,
    )


def test_a_file_of_sound_that_was_passed_on_is_no_voice_note():
    """Somebody else may be speaking in it."""
    assert not message({**VOICE, "audio": {"id": "77", "mime_type": "audio/mpeg"}}).is_voice


def test_words_are_words_however_they_were_said():
    """Written, pressed, or chosen from a list."""
    said = [
        text("two books"),
        text(type="button", button={"payload": "P", "text": "two books"}),
        text(
            type="interactive",
            interactive={"type": "button_reply", "button_reply": {"id": "b", "title": "two books"}},
        ),
        text(
            type="interactive",
            interactive={"type": "list_reply", "list_reply": {"id": "l", "title": "two books"}},
        ),
    ]
    for each in said:
        found = message(each)
        assert (found.kind, found.text) == (MessageKind.TEXT, "two books")


@pytest.mark.parametrize(
    ("sent", "kind", "words", "about"),
    [
        (
            {"type": "image", "image": {"id": "9", "caption": "my card"}},
            MessageKind.MEDIA,
            "my card",
            "wamid.Q",
        ),
        ({"type": "sticker", "sticker": {"id": "9"}}, MessageKind.MEDIA, "", "wamid.Q"),
        (
            {"type": "reaction", "reaction": {"message_id": "wamid.R", "emoji": "👍"}},
            MessageKind.REACTION,
            "👍",
            "wamid.R",
        ),
        (
            {"type": "reaction", "reaction": {"message_id": "wamid.R"}},
            MessageKind.REACTION,
            "",
            "wamid.R",
        ),
        (
            {"type": "system", "system": {"type": "user_changed_number", "body": "x"}},
            MessageKind.NOTICE,
            "",
            "wamid.Q",
        ),
        ({"type": "location", "location": {"latitude": 1}}, MessageKind.OTHER, "", "wamid.Q"),
        ({"type": "unsupported", "errors": [{"code": 131051}]}, MessageKind.OTHER, "", "wamid.Q"),
        ({"type": "interactive", "interactive": {"type": "nfm_reply"}}, MessageKind.OTHER, "", "wamid.Q"),
        ({"type": "hologram", "hologram": {"id": 1}}, MessageKind.OTHER, "", "wamid.Q"),
    ],
)
def test_every_other_message_is_known_by_its_name(sent, kind, words, about):
    """So that something polite can be said about it."""
    found = message(text(text=None, context={"from": "1555", "id": "wamid.Q"}, **sent))
    assert (found.kind, found.type, found.text, found.reply_to) == (kind, sent["type"], words, about)


def test_a_person_without_a_number_is_known_and_answered_by_their_id():
    """As those with a user name may come."""
    found = message(
        {key: value for key, value in VOICE.items() if key != "from"},
        contacts=[{"profile": {"name": "Ann"}, "user_id": "US.13491"}],
    )
    assert found.user_key == "US.13491"
    assert found.to.fields() == {"recipient": "US.13491"}


def test_a_person_whose_id_stands_with_the_contact_alone_is_known_by_it():
    """Else the same person would have two histories."""
    found = message(text())
    assert found.user_key == "US.13491"
    assert found.to.fields() == {"to": "48600100200"}


def test_a_person_without_an_id_is_known_by_their_number():
    """As all were before there were ids."""
    found = message(text(), contacts=[])
    assert (found.user_key, found.name) == ("48600100200", "")


def test_many_of_everything_in_one_body_are_all_told():
    """WhatsApp batches, over people and over our numbers."""
    bob = {"profile": {"name": "Bob"}, "wa_id": "48600100300", "user_id": "US.2"}
    body = webhook(
        change(text("a", id="1"), text("b", id="2", **{"from": "48600100300"}), contacts=[ANN, bob]),
        change(statuses=[{"id": "wamid.S", "status": "read", "timestamp": "5"}]),
    )
    body["entry"] += webhook(change(text("c", id="3"), number_id="112"))["entry"]
    delivery = read(json.dumps(body).encode())
    assert [(each.text, each.name, each.phone_number_id) for each in delivery.messages] == [
        ("a", "Ann", "111"),
        ("b", "Bob", "111"),
        ("c", "Ann", "112"),
    ]
    assert [status.id for status in delivery.statuses] == ["wamid.S"]


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        None,
        "text",
        [],
        {},
        text(id=7),
        text(id=""),
        text(type=None),
        {**text(), "from": None, "type": 5},
    ],
)
def test_a_message_that_cant_be_read_disturbs_nothing_beside_it(wrong):
    """It is counted."""
    delivery = told(change(text("a", id="1"), wrong, text("b", id="2")))
    assert [each.text for each in delivery.messages] == ["a", "b"]
    assert delivery.unreadable == 1


def test_a_message_by_nobody_is_not_told():
    """It could not be answered."""
    assert told(change({**text(), "from": ""}, contacts=[])).unreadable == 1


def test_fields_that_nobody_reads_are_counted():
    """Calls have statuses as well, which are none of a message."""
    ringing = {"id": "wacid.1", "type": "call", "status": "RINGING"}
    delivery = told(change(text()), change(statuses=[ringing], field="calls"), {"field": "account_update"})
    assert (len(delivery.messages), len(delivery.statuses), delivery.other_changes) == (1, 0, 2)


def test_a_status_tells_what_became_of_what_was_sent():
    """By its callback data even where the send got no answer."""
    failed = {
        "id": "wamid.S",
        "status": "failed",
        "timestamp": "1795132900",
        "recipient_id": "48600100200",
        "recipient_user_id": "US.13491",
        "biz_opaque_callback_data": "job-7/2",
        "errors": [{"code": 131047, "title": "Re-engagement message", "error_data": {"details": "x"}}],
    }
    [status] = told(change(statuses=[failed])).statuses
    assert status == MessageStatus(
        id="wamid.S",
        state=StatusState.FAILED,
        timestamp_s=1795132900,
        recipient="US.13491",
        callback_data="job-7/2",
        error_code=131047,
        error_title="Re-engagement message",
    )
    assert not status.proves_acceptance


@pytest.mark.parametrize(
    ("written", "state", "is_accepted"),
    [
        ("sent", StatusState.SENT, True),
        ("delivered", StatusState.DELIVERED, True),
        ("READ", StatusState.READ, True),
        ("played", StatusState.PLAYED, True),
        ("warned", StatusState.OTHER, False),
    ],
)
def test_a_status_is_known_by_its_name(written, state, is_accepted):
    """One that is new is told as something else."""
    [status] = told(change(statuses=[{"id": "wamid.S", "status": written}])).statuses
    assert (status.state, status.proves_acceptance) == (state, is_accepted)


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"{", b"\xff", b"[" * 100_000, b'"entry"'])
def test_a_body_that_is_no_object_is_refused(body):
    """WhatsApp sends no such thing."""
    with pytest.raises(RemoteProtocolError):
        read(body)


def test_escaped_letters_are_the_letters():
    """WhatsApp writes them all with backslashes."""
    body = json.dumps(webhook(change(text("łóżko 🛏"))), ensure_ascii=True).encode()
    assert read(body).messages[0].text == "łóżko 🛏"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_whatever_stands_in_any_one_place_nothing_else_goes_wrong(data):
    """Half of it is read still."""
    body = webhook(
        change(VOICE, text(), contacts=[ANN]),
        change(statuses=[{"id": "s", "status": "sent", "errors": [{"code": 1}]}]),
    )
    place = copy.deepcopy(body)
    whole = place
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    delivery = read(json.dumps(whole).encode())
    for each in delivery.messages:
        assert IncomingMessage.from_json(each.to_json()) == each
        assert each.user_key
        assert any(each.to.fields().values())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    """And nothing else."""
    with contextlib.suppress(RemoteProtocolError):
        read(body)


def test_a_message_goes_through_json_and_back():
    """A job that was begun by an earlier version goes on."""
    found = message(VOICE)
    assert IncomingMessage.from_json(found.to_json()) == found
    assert IncomingMessage.from_json(found.to_json().decode()) == found
    kept = msgspec.json.decode(found.to_json())
    assert kept["kind"] == "audio"
    del kept["reply_to"], kept["is_voice"]
    kept["since_then_unknown"] = 1
    assert IncomingMessage.from_json(msgspec.json.encode(kept)).id == "wamid.A"


@pytest.mark.parametrize("written", [b"", b"{}", b'{"id":1}', "no", b"\xff"])
def test_what_is_no_message_is_not_taken_for_one(written):
    """It would be a mistake of ours."""
    with pytest.raises(LocalProtocolError):
        IncomingMessage.from_json(written)

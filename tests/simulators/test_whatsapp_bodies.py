"""What the simulated WhatsApp takes and tells, without a network."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.simulators.whatsapp.bodies import Receipt, Sending, read_body
from warmline.simulators.whatsapp.errors import Refused
from warmline.simulators.whatsapp.files import Files, check_upload
from warmline.simulators.whatsapp.limits import PairRate, Throughput
from warmline.simulators.whatsapp.measuring import measured_turns
from warmline.simulators.whatsapp.people import Person, digits
from warmline.simulators.whatsapp.report import ReceivedMessage, SentMessage
from warmline.simulators.whatsapp.script import WhatsAppScript
from warmline.simulators.whatsapp.steps import Forward, SendOther, Speak, Step
from warmline.simulators.whatsapp.telling import retry_delays_s
from warmline.simulators.whatsapp.webhooks import Event, body_of, signature

pytestmark = pytest.mark.unit

ANN = Person(phone="+44 7700 900123", name="Ännchen")


def written(**fields: Any) -> bytes:
    return json.dumps({"messaging_product": "whatsapp", "to": "447700900123", **fields}).encode()


def text(body: Any = "hello", **fields: Any) -> bytes:
    return written(type="text", text={"body": body}, **fields)


def test_a_text_with_all_that_may_stand_beside_it():
    read = read_body(
        text(
            "hello",
            context={"message_id": "wamid.a"},
            biz_opaque_callback_data="job:1",
            recipient_type="individual",
        )
    )
    assert read == Sending("447700900123", "", "text", {"body": "hello"}, "wamid.a", "job:1")
    assert read.text == "hello"


def test_somebody_without_a_number_is_written_to_by_their_id():
    body = json.dumps({
        "messaging_product": "whatsapp",
        "recipient": "US.13491208655302741918",
        "type": "audio",
        "audio": {"id": "1", "voice": True},
    }).encode()
    read = read_body(body)
    assert isinstance(read, Sending)
    assert (read.to, read.user_id, read.is_voice) == ("", "US.13491208655302741918", True)


def test_a_number_wins_over_an_id():
    read = read_body(text(recipient="US.1349"))
    assert isinstance(read, Sending)
    assert (read.to, read.user_id) == ("447700900123", "")


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"{", 100, "Invalid parameter"),
        (b"[]", 100, "Invalid parameter: body"),
        (b'{"to": "447700900123"}', 100, "The parameter messaging_product is required."),
        (text(messaging_product="x"), 100, "messaging_product must be one of"),
        (text(to=""), 100, "The parameter to is required."),
        (text(to=447700900123), 100, "Invalid parameter: to"),
        (text(to="somebody"), 131009, "Parameter value is not valid"),
        (text(to="", recipient="somebody"), 131009, "Parameter value is not valid"),
        (text(surprise=1), 100, "Invalid parameter: surprise"),
        (text("x" * 4097), 100, "text['body'] must be at most 4096 characters"),
        (text(" "), 100, "non-empty"),
        (text(biz_opaque_callback_data="x" * 513), 131009, "not valid"),
        (written(type="text"), 131008, "Required parameter is missing"),
        (written(type="text", text={"preview_url": True}), 131008, "Required parameter is missing"),
        (written(type="hologram"), 100, "Param type must be one of"),
        (written(type="audio", audio={"voice": True}), 131009, "not valid"),
        (written(type="audio", audio={"id": "1", "link": "https://x"}), 131009, "not valid"),
        (written(type="audio", audio={"id": "1", "caption": "a"}), 131009, "not valid"),
        (written(type="template", template={"name": "hello"}), 131008, "missing"),
        (written(type="template", template={"name": "hello", "language": {}}), 131008, "missing"),
        (written(type="reaction", reaction={"emoji": "x"}), 131008, "missing"),
        (written(type="interactive", interactive={"type": "button"}), 131008, "missing"),
        (
            written(type="interactive", interactive={"type": "button", "action": {"buttons": [{}] * 4}}),
            131009,
            "not valid",
        ),
        (
            written(
                type="interactive",
                interactive={
                    "type": "button",
                    "action": {"buttons": [{"type": "reply", "reply": {"id": "a", "title": "x" * 21}}]},
                },
            ),
            131009,
            "not valid",
        ),
        (written(status="delivered", message_id="a"), 100, "Param status"),
        (written(status="read"), 100, "message_id is required"),
        (written(status="read", message_id="a", typing_indicator={"type": "voice"}), 131009, "not valid"),
    ],
)
def test_what_the_api_refuses_is_refused(body, code, says):
    with pytest.raises(Refused) as refused:
        read_body(body)
    assert (refused.value.code, refused.value.status) == (code, 400)
    assert says in refused.value.message


NAMES = "audio text template interactive id link voice body type action buttons reply title code".split()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inside, max_size=4),
    max_leaves=12,
)


CONTENTS = {
    "audio": st.fixed_dictionaries({"id": JSON, "voice": JSON}),
    "contacts": st.lists(JSON, max_size=2),
    "interactive": st.fixed_dictionaries({
        "type": st.just("button") | JSON,
        "action": st.fixed_dictionaries({"buttons": JSON}) | JSON,
        "body": JSON,
    }),
    "reaction": st.fixed_dictionaries({"message_id": JSON, "emoji": JSON}),
    "template": st.fixed_dictionaries({"name": JSON, "language": JSON}),
    "text": st.fixed_dictionaries({"body": JSON}),
}


@given(data=st.data())
def test_whatever_stands_in_a_message_is_taken_or_refused(data):
    kind = data.draw(st.sampled_from(sorted(CONTENTS)))
    content = data.draw(CONTENTS[kind] | JSON)
    try:
        read = read_body(written(type=kind, **{kind: content}))
    except Refused:
        return
    assert isinstance(read, Sending)
    assert isinstance(read.text, str)
    assert read.is_voice in (True, False)


@given(body=st.binary(max_size=50) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_refused_that_is_no_message(body):
    with pytest.raises(Refused):
        read_body(body)


def test_the_longest_text_and_callback_data_are_taken():
    assert isinstance(read_body(text("x" * 4096, biz_opaque_callback_data="y" * 512)), Sending)


def test_a_receipt_may_show_typing():
    receipt = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.a"}
    assert read_body(json.dumps(receipt).encode()) == Receipt("wamid.a", shows_typing=False)
    receipt |= {"typing_indicator": {"type": "text"}}  # type: ignore[dict-item]
    assert read_body(json.dumps(receipt).encode()) == Receipt("wamid.a", shows_typing=True)


@pytest.mark.parametrize(
    ("mime_type", "size_bytes", "code"),
    [
        ("audio/ogg", 16 * 1024 * 1024 + 1, 131053),
        ("audio/ogg", 0, 131053),
        ("audio/ogg; codecs=opus", 1, 100),
        ("audio/wav", 1, 100),
    ],
)
def test_uploads_have_types_and_sizes(mime_type, size_bytes, code):
    check_upload("audio/ogg", bytes(16 * 1024 * 1024))
    check_upload("audio/mpeg", b"x")
    with pytest.raises(Refused) as refused:
        check_upload(mime_type, bytes(size_bytes))
    assert refused.value.code == code


def test_a_file_and_its_address_last_for_a_while():
    files = Files()
    file = files.add("audio/ogg", b"sound", 10.0, kept_s=600.0)
    address = files.address(file, 20.0, 300.0)
    assert files.at(address, 319.9) is file
    assert files.at(address, 320.0) is None
    assert files.find(file.id, 609.9) is file
    assert files.find(file.id, 610.0) is None
    assert files.at("made-up", 20.0) is None


def test_a_deleted_file_is_at_no_address():
    files = Files()
    file = files.add("audio/ogg", b"sound", 0.0)
    address = files.address(file, 0.0, 300.0)
    files.delete(file.id, 0.0)
    assert files.at(address, 1.0) is None
    with pytest.raises(Refused) as refused:
        files.delete(file.id, 0.0)
    assert (refused.value.code, refused.value.subcode) == (100, 33)


def test_a_pair_has_a_burst_that_is_borrowed_from_later():
    pairs = PairRate()
    assert [pairs.take("ann", 0.0, burst=3, each_s=6.0) for _ in range(4)] == [True, True, True, False]
    assert pairs.take("bob", 0.0, burst=3, each_s=6.0)
    # One more every six seconds, and the whole burst after three times that.
    assert not pairs.take("ann", 5.9, burst=3, each_s=6.0)
    assert pairs.take("ann", 6.0, burst=3, each_s=6.0)
    assert not pairs.take("ann", 6.0, burst=3, each_s=6.0)
    assert [pairs.take("ann", 24.0, burst=3, each_s=6.0) for _ in range(4)] == [True, True, True, False]


def test_throughput_counts_a_second():
    throughput = Throughput()
    assert [throughput.take(0.1 * number, per_s=2) for number in range(3)] == [True, True, False]
    assert throughput.take(1.0, per_s=2)
    assert not throughput.take(1.05, per_s=2)
    assert throughput.take(1.1, per_s=2)


def test_the_signature_is_the_published_one():
    """Of the vector that Meta's clients are checked with."""
    body = b'{"object":"whatsapp_business_account","entry":[]}'
    assert signature("app-secret", body) == (
        "sha256=d3e4f9da0ce6c71ab3dba55929b8eeeee2455349e534924ead19f98d143e904f"
    )


def test_a_webhook_is_written_in_ascii_with_slashes_escaped():
    """So that only the bytes as they came can be checked, not what is written from them again."""
    item = {"id": "wamid.a", "type": "audio", "audio": {"mime_type": "audio/ogg"}}
    body = body_of([Event("messages", item, ANN)])
    assert body.isascii()
    assert rb"\u00c4nnchen" in body
    assert rb"audio\/ogg" in body
    value = json.loads(body)["entry"][0]["changes"][0]["value"]
    assert value["contacts"] == [{"profile": {"name": "Ännchen"}, "wa_id": "447700900123"}]


def test_events_of_one_kind_share_a_value():
    bob = Person(user_id="US.1349", username="bob")
    events = [
        Event("messages", {"id": "1", "type": "text"}, ANN),
        Event("messages", {"id": "2", "type": "text"}, bob),
        Event("statuses", {"id": "3", "status": "sent"}, ANN),
        Event("messages", {"id": "4", "type": "text"}, ANN),
    ]
    changes = json.loads(body_of(events))["entry"][0]["changes"]
    assert [[*change["value"]][-1] for change in changes] == ["messages", "statuses", "messages"]
    first = changes[0]["value"]
    assert [each["id"] for each in first["messages"]] == ["1", "2"]
    assert first["contacts"][1] == {"profile": {"name": "Ann", "username": "bob"}, "user_id": "US.1349"}


@pytest.mark.parametrize("fields", [{}, {"phone": "nobody"}, {"user_id": "13491208"}, {"user_id": "us.1"}])
def test_a_person_can_be_told_from_others(fields):
    with pytest.raises(ValueError, match=r"phone|user_id"):
        Person(**fields)


def test_numbers_are_their_digits():
    assert digits("+1 (555) 000-1111") == "15550001111"
    assert [digits(wrong) for wrong in ("", "ann", "+1", "1" * 16, "١٢٣٤٥٦٧")] == [""] * 5


def sent(name: str, at_s: float, **fields: Any) -> SentMessage:
    return SentMessage(id=name, type="text", at_s=at_s, **fields)


def received(name: str, at_s: float, reply_to: str = "") -> ReceivedMessage:
    return ReceivedMessage(id=name, type="text", at_s=at_s, reply_to=reply_to)


def test_an_answer_belongs_to_what_it_quotes_and_else_to_what_came_last():
    first, second = measured_turns(
        [sent("a", 1.0, told_at_s=1.01, read_at_s=1.2, typing_at_s=1.25), sent("b", 4.0)],
        [received("0", 0.5), received("1", 2.0), received("2", 5.0, "a"), received("3", 6.0)],
    )
    assert (first.answers, second.answers) == (["1", "2"], ["3"])
    assert (first.told_ms, first.read_ms, first.typing_ms) == (10.0, 200.0, 250.0)
    assert (first.answer_ms, first.last_answer_ms) == (1000.0, 4000.0)
    assert (second.told_ms, second.answer_ms) == (None, 2000.0)


def test_webhooks_are_sent_again_ever_less_often_until_they_are_lost():
    script = WhatsAppScript(webhook_retry_s=1.0, webhook_retry_most_s=5.0, webhook_retry_for_s=20.0)
    assert list(retry_delays_s(script)) == [1.0, 2.0, 4.0, 5.0, 5.0]
    seven_days = list(retry_delays_s(WhatsAppScript()))
    assert seven_days[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(seven_days) == 3600.0
    assert 7 * 86_400 - 3_600 < sum(seven_days) <= 7 * 86_400


def test_steps_are_read_from_json():
    steps = msgspec.json.decode(
        b'[{"step": "speak", "text": "hi"}, {"step": "forward", "audio": "T2dn"}, {"step": "send_other"}]',
        type=tuple[Step, ...],
    )
    speak, forward, other = steps
    assert speak == Speak(text="hi")
    assert forward == Forward(audio=b"Ogg")
    assert isinstance(other, SendOther)
    assert other.message["type"] == "unsupported"


@pytest.mark.parametrize(
    "wrong",
    [
        b'[{"step": "speak"}]',
        b'[{"step": "speak", "text": "a", "recording": "b"}]',
        b'[{"step": "write", "text": ""}]',
        b'[{"step": "send_other", "message": {}}]',
        b'[{"step": "sing"}]',
        b'[{"step": "wait", "wait_s": -1}]',
    ],
)
def test_steps_that_nobody_can_do_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=tuple[Step, ...])


def test_a_script_is_changed_by_its_own_names():
    script = WhatsAppScript()
    script.update({"pair_burst": 2, "statuses": [{"status": "read", "after_s": 1}], "key": "k"})
    assert (script.pair_burst, script.key, script.statuses[0].status) == (2, "k", "read")
    with pytest.raises(msgspec.ValidationError):
        script.update({"pair_bursts": 2})

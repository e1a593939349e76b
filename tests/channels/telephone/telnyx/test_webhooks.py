"""Telnyx's webhooks as values."""

import base64
import json
from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from telnyx import types

from warmline.channels.telephone.telnyx import webhooks
from warmline.channels.telephone.telnyx.webhooks import (
    CallAnswered,
    CallHungUp,
    CallInitiated,
    MachineDetectionEnded,
    MachineGreetingEnded,
    PlaybackEnded,
    RecordingSaved,
    StreamingFailed,
    UnknownEvent,
    WordsTranscribed,
    decode_webhook,
)
from warmline.errors import RemoteProtocolError

pytestmark = pytest.mark.unit


def body(event_type, meta=None, **payload):
    common = {
        "call_control_id": "v3:abc",
        "call_leg_id": "leg",
        "call_session_id": "session",
        "connection_id": "7267",
        "client_state": base64.b64encode(b"lobby").decode(),
        "from": "+15550001",
        "to": "+15550002",
    }
    data = {
        "record_type": "event",
        "event_type": event_type,
        "id": "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
        "occurred_at": "2026-11-20T10:00:00.123456Z",
        "payload": common | payload,
    }
    return json.dumps({"data": data, "meta": meta or {"attempt": 1, "delivered_to": "https://x"}}).encode()


def test_every_event_says_whose_it_is_and_when_it_was():
    """That is what duplicates and late ones are known by."""
    found = decode_webhook(body("call.answered", {"attempt": 2}, state="answered"))
    assert found == CallAnswered(
        event_id="0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
        occurred_at_s=1795168800.123456,
        call_control_id="v3:abc",
        call_leg_id="leg",
        call_session_id="session",
        client_state="lobby",
        from_number="+15550001",
        to_number="+15550002",
        attempt=2,
    )


def test_a_call_that_comes_in():
    """With what its SIP headers say."""
    found = decode_webhook(
        body(
            "call.initiated",
            direction="incoming",
            state="parked",
            caller_id_name="Ada",
            custom_headers=[{"name": "X-Queue", "value": "sales"}],
            sip_headers=None,
            tags=[],
        )
    )
    assert isinstance(found, CallInitiated)
    assert (found.is_incoming, found.caller_name, found.custom_headers) == (True, "Ada", {"X-Queue": "sales"})
    outgoing = decode_webhook(body("call.initiated", direction="outgoing"))
    assert isinstance(outgoing, CallInitiated)
    assert not outgoing.is_incoming


def test_a_call_that_is_over():
    """And by whom."""
    found = decode_webhook(
        body(
            "call.hangup",
            hangup_cause="normal_clearing",
            hangup_source="caller",
            sip_hangup_cause="200",
            call_quality_stats={"inbound": {"mos": "4.5"}},
        )
    )
    assert isinstance(found, CallHungUp)
    assert (found.cause, found.source, found.sip_cause) == ("normal_clearing", "caller", "200")


def test_a_recording_that_was_played():
    """Or was not."""
    found = decode_webhook(body("call.playback.ended", media_url="https://x/a.wav", status="file_not_found"))
    assert isinstance(found, PlaybackEnded)
    assert (found.media, found.status, found.detail) == ("https://x/a.wav", "file_not_found", "")


def test_a_stream_that_failed_tells_why():
    """Its parameters stand in an object of their own."""
    found = decode_webhook(
        body(
            "streaming.failed",
            failure_reason="connection_failed",
            stream_id="s",
            stream_params={"stream_url": "wss://x", "track": "inbound_track"},
            stream_type="websocket",
        )
    )
    assert isinstance(found, StreamingFailed)
    assert (found.reason, found.stream_id, found.url) == ("connection_failed", "s", "wss://x")


@pytest.mark.parametrize(
    ("event_type", "result", "is_premium", "is_human"),
    [
        ("call.machine.detection.ended", "human", False, True),
        ("call.machine.detection.ended", "not_sure", False, False),
        ("call.machine.premium.detection.ended", "human_business", True, True),
        ("call.machine.premium.detection.ended", "fax_detected", True, False),
    ],
)
def test_who_answered(event_type, result, is_premium, is_human):
    """A person, as far as can be told."""
    found = decode_webhook(body(event_type, result=result))
    assert isinstance(found, MachineDetectionEnded)
    assert (found.result, found.is_premium, found.is_human) == (result, is_premium, is_human)


def test_an_answering_machine_that_is_ready():
    """Premium or not."""
    found = decode_webhook(body("call.machine.premium.greeting.ended", result="beep_detected"))
    assert isinstance(found, MachineGreetingEnded)
    assert (found.result, found.is_premium) == ("beep_detected", True)


def test_a_recording_has_addresses_in_its_formats():
    """Those that it has."""
    found = decode_webhook(
        body("call.recording.saved", channels="dual", recording_urls={"mp3": "https://x/a.mp3", "wav": None})
    )
    assert isinstance(found, RecordingSaved)
    assert (found.urls, found.channels) == ({"mp3": "https://x/a.mp3"}, "dual")


def test_words_that_were_transcribed_may_change_or_not():
    """Whether they do decides what they are good for."""
    said = {"transcript": "when do", "is_final": False, "confidence": None}
    found = decode_webhook(body("call.transcription", transcription_data=said))
    assert isinstance(found, WordsTranscribed)
    assert (found.text, found.is_final, found.confidence, found.is_inbound) == ("when do", False, None, True)
    ours = {"transcript": "It opens at nine.", "transcription_track": "outbound"}
    found = decode_webhook(body("call.transcription", transcription_data=ours))
    assert isinstance(found, WordsTranscribed)
    assert (found.is_final, found.is_inbound) == (True, False)


def test_telnyxs_library_reads_the_same_words():
    """They stand in an object of their own."""
    said = {
        "transcript": "when do you open",
        "is_final": True,
        "confidence": 0.98,
        "transcription_track": "inbound",
    }
    message = body("call.transcription", transcription_data=said)
    theirs: Any = types.Transcription.model_validate(json.loads(message)["data"], strict=False)
    ours = decode_webhook(message)
    assert isinstance(ours, WordsTranscribed)
    assert theirs.event_type == "call.transcription"
    assert theirs.payload.call_control_id == ours.call_control_id
    assert theirs.payload.transcription_data.model_dump() == said
    assert (ours.text, ours.is_final, ours.confidence, ours.is_inbound) == (
        "when do you open",
        True,
        0.98,
        True,
    )


def test_all_that_is_known_has_a_type_of_its_own():
    """And nothing is known under two names."""
    for event_type in webhooks._READERS:
        assert not isinstance(decode_webhook(body(event_type)), UnknownEvent)


@pytest.mark.parametrize(
    ("model", "event_type", "fields", "names"),
    [
        (
            types.CallInitiated,
            "call.initiated",
            {"direction": "incoming", "caller_id_name": "Ada"},
            ["caller_name"],
        ),
        (types.CallAnswered, "call.answered", {"state": "answered"}, []),
        (types.CallBridged, "call.bridged", {}, []),
        (
            types.CallHangup,
            "call.hangup",
            {"hangup_cause": "user_busy", "hangup_source": "callee", "sip_hangup_cause": "486"},
            ["cause", "source", "sip_cause"],
        ),
        (types.CallPlaybackStarted, "call.playback.started", {"media_url": "https://x"}, ["media"]),
        (
            types.CallPlaybackEnded,
            "call.playback.ended",
            {"media_name": "a", "status": "call_hangup"},
            ["media", "status"],
        ),
        (types.CallSpeakStarted, "call.speak.started", {}, []),
        (types.CallSpeakEnded, "call.speak.ended", {"status": "completed"}, ["status"]),
        (types.CallDtmfReceived, "call.dtmf.received", {"digit": "4"}, ["digit"]),
        (types.CallStreamingStarted, "streaming.started", {"stream_url": "wss://x"}, ["url"]),
        (types.CallStreamingStopped, "streaming.stopped", {"stream_url": "wss://x"}, ["url"]),
        (
            types.CallStreamingFailed,
            "streaming.failed",
            {"failure_reason": "connection_failed", "stream_id": "s"},
            ["reason", "stream_id"],
        ),
        (types.CallMachineDetectionEnded, "call.machine.detection.ended", {"result": "machine"}, ["result"]),
        (
            types.CallMachinePremiumDetectionEnded,
            "call.machine.premium.detection.ended",
            {"result": "human_residence"},
            ["result"],
        ),
        (
            types.CallMachinePremiumGreetingEnded,
            "call.machine.premium.greeting.ended",
            {"result": "beep_detected"},
            ["result"],
        ),
        (types.CallRecordingSaved, "call.recording.saved", {"channels": "dual"}, ["channels"]),
    ],
)
def test_telnyxs_library_reads_the_same(model, event_type, fields, names):
    """Its own models take these fields, and have the same in them."""
    message = body(event_type, **fields)
    ours, theirs = decode_webhook(message), model.model_validate(json.loads(message)["data"], strict=False)
    assert not isinstance(ours, UnknownEvent)
    assert theirs.id == ours.event_id
    assert theirs.event_type == event_type
    assert theirs.occurred_at.timestamp() == ours.occurred_at_s
    assert theirs.payload.call_session_id == ours.call_session_id
    for name in fields:
        assert getattr(theirs.payload, name) == fields[name]
    told = [value for value in fields.values() if value not in ("incoming", "answered")]
    assert [getattr(ours, name) for name in names] == told


def test_what_is_not_known_is_an_event_of_its_call_all_the_same():
    """Telnyx adds types at any time; fields that have other types there are no error."""
    found = decode_webhook(body("call.ai_gather.ended", result={"age": 5}, to=["+1", "+2"]))
    assert isinstance(found, UnknownEvent)
    assert (found.event_type, found.call_control_id, found.to_number) == (
        "call.ai_gather.ended",
        "v3:abc",
        "",
    )
    assert isinstance(decode_webhook(body("message.received", **{"from": {"phone": "+1"}})), UnknownEvent)


def test_fields_may_be_missing_or_empty():
    """Telnyx leaves out what it has no value for, or says null."""
    data = {"event_type": "call.hangup", "id": "1", "occurred_at": "2026-11-20T10:00:00", "payload": {}}
    found = decode_webhook(json.dumps({"data": data}).encode())
    assert isinstance(found, CallHungUp)
    assert (found.cause, found.client_state, found.attempt, found.occurred_at_s) == ("", "", 1, 1795168800.0)
    data["payload"] = {"hangup_cause": None, "client_state": None, "custom_headers": None}
    assert isinstance(decode_webhook(json.dumps({"data": data, "meta": None}).encode()), CallHungUp)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"data":{"event_type":"call.hangup","occurred_at":"2026-11-20T10:00:00Z"}}', "data"),
        (b'{"data":{"event_type":"call.hangup","id":"1","occurred_at":"yesterday"}}', "data.occurred_at"),
        (body("call.hangup", hangup_cause=5), "hangup_cause"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_named(message, param):
    """Somebody has to find it in a log."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode_webhook(message)
    assert (caught.value.code, caught.value.param) == ("bad_webhook", param)


@given(
    st.sampled_from([*webhooks._READERS, "other"]),
    st.dictionaries(
        st.sampled_from([
            "client_state",
            "from",
            "to",
            "custom_headers",
            "recording_urls",
            "stream_params",
            "digit",
            "transcription_data",
        ]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["name", "value", "stream_url"]), inner, max_size=3)
            ),
        ),
    ),
)
def test_any_fields_give_an_event_or_the_error_of_the_far_end(event_type, fields):
    """Whatever stands in them."""
    with suppress(RemoteProtocolError):
        decode_webhook(body(event_type, **fields))


@given(st.binary(max_size=100))
def test_any_bytes_give_an_event_or_the_error_of_the_far_end(message):
    """A body may be anything."""
    with suppress(RemoteProtocolError):
        decode_webhook(message)

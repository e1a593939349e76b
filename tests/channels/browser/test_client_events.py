"""Decoding what a Realtime client says."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.channels.browser import client_events as client
from warmline.errors import RemoteProtocolError

pytestmark = pytest.mark.unit


def decoded(**event):
    return client.decode(json.dumps(event).encode())


def refused(**event) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as error:
        decoded(**event)
    return error.value


def test_audio_is_decoded_from_base64():
    """In the same pass as the JSON."""
    event = decoded(type="input_audio_buffer.append", audio=base64.b64encode(b"\x01\x02\xff").decode())
    assert isinstance(event, client.AppendAudio)
    assert event.audio == b"\x01\x02\xff"


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "no.such.event"}, "invalid_value", "type"),
        ({}, "invalid_value", None),
        ({"type": "input_audio_buffer.append"}, "invalid_value", None),
        ({"type": "input_audio_buffer.append", "audio": "!!!"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": 7}, "invalid_value", "audio"),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "audio_end_ms": -1},
            "invalid_value",
            "audio_end_ms",
        ),
        ({"type": "session.update", "session": {}}, "invalid_value", "session"),
        ({"type": "session.update", "session": {"type": "transcription"}}, "invalid_value", "session.type"),
        (
            {"type": "session.update", "session": {"type": "realtime", "voise": "x"}},
            "unknown_parameter",
            "session",
        ),
        (
            {
                "type": "session.update",
                "session": {"type": "realtime", "audio": {"input": {"format": {"type": "mp3"}}}},
            },
            "invalid_value",
            "session.audio.input.format.type",
        ),
        (
            {
                "type": "session.update",
                "session": {
                    "type": "realtime",
                    "audio": {"input": {"format": {"type": "audio/pcm", "rate": 96000}}},
                },
            },
            "invalid_value",
            "session.audio.input.format.rate",
        ),
    ],
)
def test_a_wrong_event_is_refused_with_the_field_at_fault(event, code, param):
    """So that whoever wrote the client finds it."""
    error = refused(**event)
    assert (error.code, error.param) == (code, param)


@given(st.binary(max_size=300))
def test_any_bytes_give_an_event_or_a_protocol_error(message):
    """And nothing else, ever."""
    try:
        client.decode(message)
    except RemoteProtocolError:
        client.event_id_of(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from([
        "session.update",
        "conversation.item.create",
        "response.create",
        "warmline.text",
        "input_audio_buffer.append",
    ]),
    st.dictionaries(st.sampled_from(["session", "item", "response", "text", "audio", "event_id", "x"]), JSON),
)
def test_any_json_of_a_known_type_gives_an_event_or_a_protocol_error(kind, fields):
    """However its fields are mixed up."""
    code = "fine"
    try:
        client.decode(json.dumps({"type": kind, **fields}).encode())
    except RemoteProtocolError as error:
        code = error.code
    assert code in ("fine", "invalid_value", "unknown_parameter", "invalid_json")


def test_event_id_of_a_broken_event_is_found_where_it_can_be():
    """An error names the event that it is about."""
    assert client.event_id_of(b'{"type": "x", "event_id": "mine"}') == "mine"
    assert client.event_id_of(b'{"event_id": 7}') is None
    assert client.event_id_of(b"\xff{") is None

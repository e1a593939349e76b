"""Twilio's media messages."""

import base64
import json
from contextlib import suppress

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.telephone.media import (
    KeyPressed,
    MarkReached,
    MediaAudio,
    MediaConnected,
    MediaStarted,
    MediaStopped,
)
from warmline.channels.telephone.twilio.media import TwilioMediaWire
from warmline.core.formats import PCMU_8K
from warmline.errors import LocalProtocolError, RemoteProtocolError

pytestmark = pytest.mark.unit

STREAM = "MZ18ad3ab5a668481ce02b83e7395059f0"


def started(encoding="audio/x-mulaw", **more):
    start = {
        "accountSid": "AC1",
        "streamSid": STREAM,
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": encoding, "sampleRate": 8000, "channels": 1},
        "customParameters": {"agent": "7"},
    }
    return {"event": "start", "sequenceNumber": "1", "streamSid": STREAM, "start": start | more}


def decoded(message, wire=None):
    return (wire or TwilioMediaWire()).decode(json.dumps(message).encode())


def running():
    wire = TwilioMediaWire()
    decoded(started(), wire)
    return wire


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"event": "connected", "protocol": "Call", "version": "1.0.0"}, MediaConnected()),
        (started(), MediaStarted(STREAM, "CA1", PCMU_8K, {"agent": "7"})),
        (started(customParameters=None), MediaStarted(STREAM, "CA1", PCMU_8K)),
        (
            {
                "event": "media",
                "sequenceNumber": "3",
                "streamSid": STREAM,
                "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "f39/"},
            },
            MediaAudio(b"\x7f\x7f\x7f", 1, 5),
        ),
        (
            {"event": "dtmf", "streamSid": STREAM, "dtmf": {"track": "inbound_track", "digit": "#"}},
            KeyPressed("#"),
        ),
        ({"event": "mark", "streamSid": STREAM, "mark": {"name": "m1"}}, MarkReached("m1")),
        ({"event": "stop", "streamSid": STREAM, "stop": {"callSid": "CA1"}}, MediaStopped()),
        ({"event": "weather", "start": 5}, None),
    ],
)
def test_messages_say_what_they_say(message, expected):
    """As Twilio documents them; what is not known says nothing."""
    assert decoded(message) == expected


def test_every_message_of_ours_names_the_stream():
    """Twilio closes the socket otherwise."""
    wire = running()
    assert json.loads(wire.encode_audio(b"\xff" * 3)) == {
        "event": "media",
        "streamSid": STREAM,
        "media": {"payload": "////"},
    }
    assert json.loads(wire.encode_mark('a"b')) == {
        "event": "mark",
        "streamSid": STREAM,
        "mark": {"name": 'a"b'},
    }
    assert json.loads(wire.encode_clear()) == {"event": "clear", "streamSid": STREAM}


def test_nothing_can_be_said_before_the_stream_has_a_name():
    """It would be our mistake."""
    wire = TwilioMediaWire()
    for encode in (lambda: wire.encode_audio(b"\xff"), lambda: wire.encode_mark("1"), wire.encode_clear):
        with pytest.raises(LocalProtocolError):
            encode()


@given(st.binary(min_size=1, max_size=400), st.text(max_size=20))
def test_our_audio_is_what_a_json_library_reads(audio, stream):
    """The message is put together by hand, whatever the stream is called."""
    wire = TwilioMediaWire()
    wire.decode(json.dumps(started() | {"streamSid": stream or "s"}).encode())
    found = json.loads(wire.encode_audio(audio))
    assert base64.b64decode(found["media"]["payload"]) == audio
    assert found["streamSid"] == (stream or "s")


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        (started("audio/x-alaw"), "unsupported_codec", "start.mediaFormat"),
        ({"event": "start", "streamSid": STREAM, "start": {}}, "invalid_value", "start"),
        ({"event": "media", "media": {"payload": "!", "chunk": "1"}}, "invalid_value", "media.payload"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(message, code, param):
    """Somebody has to find it in a log."""
    with pytest.raises(RemoteProtocolError) as caught:
        decoded(message)
    assert (caught.value.code, caught.value.param) == (code, param)


@given(
    st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "other"]),
    st.dictionaries(
        st.sampled_from(["start", "media", "dtmf", "mark", "streamSid"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from([
                        "payload",
                        "chunk",
                        "digit",
                        "name",
                        "mediaFormat",
                        "callSid",
                        "customParameters",
                    ]),
                    inner,
                    max_size=4,
                )
            ),
        ),
    ),
)
def test_any_fields_give_a_value_or_the_error_of_the_far_end(event, fields):
    """Whatever stands in them."""
    with suppress(RemoteProtocolError):
        decoded({"event": event, **fields})


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_error_of_the_far_end(message):
    """A socket may bring anything."""
    with suppress(RemoteProtocolError):
        TwilioMediaWire().decode(message)

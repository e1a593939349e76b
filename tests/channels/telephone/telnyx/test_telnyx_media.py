"""Telnyx's media messages."""

import base64
import json
import struct
from contextlib import suppress

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.telephone.media import (
    KeyPressed,
    MarkReached,
    MediaAudio,
    MediaConnected,
    MediaProblem,
    MediaStarted,
    MediaStopped,
)
from warmline.channels.telephone.telnyx.media import TelnyxMediaWire, codec_name
from warmline.core.formats import PCM_16K, PCMA_8K, PCMU_8K, AudioFormat, Encoding
from warmline.errors import RemoteProtocolError

pytestmark = pytest.mark.unit

STREAM = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"


def started(encoding="PCMU", sample_rate=8000, channels=1, **more):
    media_format = {"encoding": encoding, "sample_rate": sample_rate, "channels": channels}
    start = {"user_id": "u", "call_control_id": "v3:abc", "media_format": media_format, **more}
    return {"event": "start", "sequence_number": "1", "stream_id": STREAM, "start": start}


def media(payload, **more):
    body = {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": payload, **more}
    return {"event": "media", "sequence_number": "4", "stream_id": STREAM, "media": body}


def decoded(message, wire=None):
    return (wire or TelnyxMediaWire()).decode(json.dumps(message).encode())


def test_the_start_tells_of_the_call_and_its_audio():
    """The person's audio comes in the call's own codec unless another can be had."""
    state = base64.b64encode(b"lobby").decode()
    found = decoded(
        started(
            "PCMA",
            client_state=state,
            custom_parameters={"agent": 7},
            **{"from": "+15550001", "to": "+15550002"},
        )
    )
    assert found == MediaStarted(STREAM, "v3:abc", PCMA_8K, {"agent": "7"}, "lobby", "+15550001", "+15550002")


def test_parameters_are_understood_as_they_are_given_too():
    """They are given as a list of names and values."""
    found = decoded(started(custom_parameters=[{"name": "agent", "value": "7"}]))
    assert found.parameters == {"agent": "7"}


def test_numbers_come_as_strings_and_as_numbers():
    """Both are seen."""
    payload = base64.b64encode(b"\x7f" * 160).decode()
    expected = MediaAudio(b"\x7f" * 160, 2, 5)
    assert decoded(media(payload)) == expected
    assert decoded(media(payload, chunk=2, timestamp=5)) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"event": "connected", "version": "1.0.0"}, MediaConnected()),
        (
            {"event": "connected", "x-telnyx-streaming-auth-token": "secret"},
            MediaConnected("secret"),
        ),
        ({"event": "dtmf", "dtmf": {"digit": "1"}, "occurred_at": "x"}, KeyPressed("1")),
        ({"event": "mark", "mark": {"name": "m1"}}, MarkReached("m1")),
        ({"event": "stop", "stop": {"call_control_id": "v3:abc"}}, MediaStopped()),
        (
            {"event": "error", "payload": {"code": 100004, "title": "invalid_media", "detail": "d"}},
            MediaProblem("100004", "invalid_media", "d"),
        ),
        ({"event": "error", "error": {"code": "100003"}}, MediaProblem("100003", "", "")),
        ({"event": "weather", "media": 5}, None),
        (media("AAAA", track="outbound"), None),
    ],
)
def test_messages_say_what_they_say(message, expected):
    """As Telnyx documents them; what is not known says nothing."""
    assert decoded(message) == expected


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        (media("not base64!"), "invalid_value", "media.payload"),
        (media("AAAA", chunk="x"), "invalid_value", "media.chunk"),
        ({"event": "media", "media": {"chunk": "1"}}, "invalid_value", "media"),
        ({"event": "dtmf", "dtmf": {"digit": "12"}}, "invalid_value", "dtmf.digit"),
        ({"media": {}}, "invalid_value", None),
        (started("OPUS", 48000), "unsupported_codec", "start.media_format"),
        (started("PCMU", 16000), "unsupported_codec", "start.media_format"),
        (started(channels=2), "unsupported_codec", "start.media_format"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(message, code, param):
    """Somebody has to find it in a log."""
    with pytest.raises(RemoteProtocolError) as caught:
        decoded(message)
    assert (caught.value.code, caught.value.param) == (code, param)


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)
)
def test_any_bytes_give_a_value_or_the_error_of_the_far_end(message):
    """Nothing else comes out of the decoder."""
    message = message.encode(errors="surrogatepass") if isinstance(message, str) else message
    with suppress(RemoteProtocolError):
        TelnyxMediaWire().decode(message)


@given(
    st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "error", "other"]),
    st.dictionaries(
        st.sampled_from(["start", "media", "dtmf", "mark", "payload", "error", "stream_id"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from([
                        "payload",
                        "chunk",
                        "timestamp",
                        "track",
                        "digit",
                        "name",
                        "media_format",
                        "call_control_id",
                        "encoding",
                        "sample_rate",
                        "custom_parameters",
                        "client_state",
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


def test_a_message_that_is_nested_without_end_is_refused():
    """It would otherwise end the call with an error of ours."""
    with pytest.raises(RemoteProtocolError):
        TelnyxMediaWire().decode(b'{"event":"media","x":' + b"[" * 100_000)


@given(st.binary(min_size=1, max_size=400))
def test_our_audio_is_what_a_json_library_reads(audio):
    """The message is put together by hand."""
    assert json.loads(TelnyxMediaWire().encode_audio(audio)) == {
        "event": "media",
        "media": {"payload": base64.b64encode(audio).decode()},
    }


def test_our_marks_and_clears_are_telnyxs():
    """Neither says which stream it is for; there is one."""
    wire = TelnyxMediaWire()
    assert json.loads(wire.encode_mark('a"b')) == {"event": "mark", "mark": {"name": 'a"b'}}
    assert json.loads(wire.encode_clear()) == {"event": "clear"}


def test_l16_is_little_endian_by_default():
    """As Telnyx's own examples write it."""
    samples = struct.pack("<3h", 1, -2, 300)
    wire = TelnyxMediaWire(PCM_16K)
    decoded(started("L16", 16000), wire)
    assert decoded(media(base64.b64encode(samples).decode()), wire).audio == samples
    assert base64.b64decode(json.loads(wire.encode_audio(samples))["media"]["payload"]) == samples


def test_l16_may_be_in_network_order():
    """As RFC 3551 has it; a session always has pcm16."""
    samples, swapped = struct.pack("<3h", 1, -2, 300), struct.pack(">3h", 1, -2, 300)
    wire = TelnyxMediaWire(PCM_16K, l16_order="big")
    assert decoded(started("l16", 16000), wire).audio_format == PCM_16K
    assert decoded(media(base64.b64encode(swapped).decode()), wire).audio == samples
    assert base64.b64decode(json.loads(wire.encode_audio(samples))["media"]["payload"]) == swapped


def test_the_byte_order_is_no_matter_of_mu_law():
    """Only what has two bytes a sample can be swapped."""
    wire = TelnyxMediaWire(PCMU_8K, l16_order="big")
    decoded(started(), wire)
    assert decoded(media("AQIDBA=="), wire).audio == b"\x01\x02\x03\x04"
    assert json.loads(wire.encode_audio(b"\x01\x02\x03\x04"))["media"]["payload"] == "AQIDBA=="


def test_half_a_sample_is_refused():
    """Everything behind it would be noise."""
    wire = TelnyxMediaWire(PCM_16K)
    decoded(started("L16", 8000), wire)
    with pytest.raises(RemoteProtocolError, match="half a sample"):
        decoded(media("AQID"), wire)


def test_formats_have_telnyxs_names():
    """Upper case counts."""
    assert [codec_name(each) for each in (PCMU_8K, PCMA_8K, AudioFormat(Encoding.PCM16, 8_000))] == [
        "PCMU",
        "PCMA",
        "L16",
    ]

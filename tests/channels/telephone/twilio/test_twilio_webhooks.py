"""Twilio's forms as values."""

from contextlib import suppress
from urllib.parse import urlencode

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.telephone.twilio.webhooks import (
    CallRequested,
    CallStatusChanged,
    StreamStatusChanged,
    decode_call,
    decode_status,
    decode_stream_status,
    form_fields,
)
from warmline.errors import RemoteProtocolError

pytestmark = pytest.mark.unit

CALL = {
    "CallSid": "CA1",
    "AccountSid": "AC1",
    "From": "+15550001",
    "To": "+15550002",
    "CallStatus": "ringing",
    "Direction": "inbound",
    "ApiVersion": "2010-04-01",
}


def form(**fields):
    return form_fields(urlencode(CALL | fields).encode())


def test_a_call_that_comes_in():
    """With the caller's name where it is looked up."""
    assert decode_call(form(CallerName="Ada Lovelace", ForwardedFrom="+15550009")) == CallRequested(
        call_id="CA1",
        account_id="AC1",
        from_number="+15550001",
        to_number="+15550002",
        is_incoming=True,
        status="ringing",
        answered_by="",
        caller_name="Ada Lovelace",
        forwarded_from="+15550009",
        dial_status="",
    )


def test_a_transfer_that_is_over_is_asked_about():
    """Nobody may have answered there."""
    found = decode_call(form(CallStatus="in-progress", DialCallStatus="no-answer"))
    assert (found.dial_status, found.is_over) == ("no-answer", False)


def test_a_call_of_ours_that_is_over():
    """Callbacks are counted, and dated as mails are."""
    found = decode_status(
        form(
            CallStatus="completed",
            Direction="outbound-api",
            Timestamp="Fri, 20 Nov 2026 10:00:00 +0000",
            SequenceNumber="3",
            CallDuration="12",
            SipResponseCode="200",
            AnsweredBy="human",
        )
    )
    assert found == CallStatusChanged(
        call_id="CA1",
        account_id="AC1",
        from_number="+15550001",
        to_number="+15550002",
        is_incoming=False,
        status="completed",
        answered_by="human",
        sequence=3,
        occurred_at_s=1795168800.0,
        duration_s=12,
        sip_code="200",
    )
    assert found.is_over


def test_a_stream_that_failed():
    """Dated as everything else is."""
    found = decode_stream_status([
        ("StreamEvent", "stream-error"),
        ("StreamSid", "MZ1"),
        ("CallSid", "CA1"),
        ("StreamError", "31920"),
        ("Timestamp", "2026-11-20T10:00:00.5Z"),
    ])
    assert found == StreamStatusChanged(
        call_id="CA1",
        account_id="",
        stream_id="MZ1",
        name="",
        event="stream-error",
        error="31920",
        occurred_at_s=1795168800.5,
    )
    assert found.is_failure


def test_empty_fields_belong_to_a_form():
    """They are signed as well."""
    assert form_fields(b"a=&b=%2B1&a=x+y") == [("a", ""), ("b", "+1"), ("a", "x y")]


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join([b"a=1"] * 501)])
def test_what_is_no_form_is_refused(body):
    """Before anything is made of it."""
    with pytest.raises(RemoteProtocolError) as caught:
        form_fields(body)
    assert caught.value.code == "bad_webhook"


@pytest.mark.parametrize(
    ("decode", "name"),
    [(decode_call, "CallSid"), (decode_status, "CallStatus"), (decode_stream_status, "StreamSid")],
)
def test_a_field_that_is_missing_is_named(decode, name):
    """Somebody has to find it in a log."""
    fields = {**CALL, "StreamSid": "MZ1", "StreamEvent": "stream-started"}
    del fields[name]
    with pytest.raises(RemoteProtocolError) as caught:
        decode(list(fields.items()))
    assert caught.value.param == name


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_values_give_an_event(timestamp, number, duration):
    """Whatever stands in them."""
    found = decode_status(form(Timestamp=timestamp, SequenceNumber=number, CallDuration=duration))
    assert found.sequence >= 0


@given(st.binary(max_size=100))
def test_any_bytes_give_a_form_or_the_error_of_the_far_end(body):
    """A body may be anything."""
    with suppress(RemoteProtocolError):
        decode_call(form_fields(body))

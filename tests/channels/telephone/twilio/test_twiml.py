"""What Twilio is told to do; its own library writes the same."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from lxml import etree
from twilio.twiml.voice_response import Connect, Dial, Stream, VoiceResponse

from warmline.channels.telephone.twilio import twiml

pytestmark = pytest.mark.unit


def same(ours: bytes, theirs: VoiceResponse) -> bool:
    """Whether both are the same document, whatever the order of attributes."""
    return bool(etree.canonicalize(ours.decode()) == etree.canonicalize(str(theirs)))


def test_a_call_is_streamed_as_twilios_library_has_it():
    """With parameters, since an address has no query."""
    stream = Stream(url="wss://host/twilio", name="n", status_callback="https://host/s?a=1&b=2")
    stream.parameter(name="agent", value='7 & "8" <9>')
    connect = Connect()
    connect.append(stream)
    theirs = VoiceResponse()
    theirs.append(connect)
    theirs.hangup()
    ours = twiml.response(
        twiml.connect_stream(
            "wss://host/twilio",
            {"agent": '7 & "8" <9>'},
            name="n",
            status_callback="https://host/s?a=1&b=2",
        ),
        twiml.hangup(),
    )
    assert same(ours, theirs)


def test_all_verbs_are_as_twilios_library_has_them():
    """Each with what it takes."""
    theirs = VoiceResponse()
    theirs.say("We are closed – come back <later> & eat.", voice="Polly.Amy", language="en-GB")
    theirs.play("https://host/a.wav?x=1&y=2", loop=0)
    theirs.play("https://host/b.wav")
    theirs.pause(length=2)
    theirs.reject(reason="busy")
    dial = Dial(caller_id="+15550001", timeout=20, action="https://host/after")
    dial.number("+15550002")
    theirs.append(dial)
    sip = Dial()
    sip.sip("sip:a@example.com")
    theirs.append(sip)
    theirs.hangup()
    ours = twiml.response(
        twiml.say("We are closed – come back <later> & eat.", voice="Polly.Amy", language="en-GB"),
        twiml.play("https://host/a.wav?x=1&y=2", times=0),
        twiml.play("https://host/b.wav"),
        twiml.pause(2),
        twiml.reject("busy"),
        twiml.dial("+15550002", caller_id="+15550001", timeout_s=20, action="https://host/after"),
        twiml.dial("sip:a@example.com", is_sip=True),
        twiml.hangup(),
    )
    assert same(ours, theirs)


@given(st.text(max_size=80))
def test_any_text_can_be_said(text):
    """Models write anything; what XML can't write is left out."""
    document = etree.fromstring(twiml.response(twiml.say(text, voice="v")))
    kept = [
        each
        for each in text
        if each in "\t\n\r" or " " <= each <= "\ud7ff" or "\ue000" <= each <= "\ufffd" or each > "\uffff"
    ]
    # A carriage return is written so that a parser gives it back.
    assert (document[0].text or "") == "".join(kept)


@pytest.mark.parametrize("url", ["ws://host/a", "https://host/a", "wss://host/a?x=1", "wss://host/a#x"])
def test_an_address_that_twilio_does_not_take_is_refused(url):
    """It would cut the query off, and nobody would know why."""
    with pytest.raises(ValueError, match="wss://"):
        twiml.connect_stream(url)


@pytest.mark.parametrize("parameters", [{"": "x"}, {"a": "x" * 500}])
def test_a_parameter_that_twilio_does_not_take_is_refused(parameters):
    """Both have 500 characters at most."""
    with pytest.raises(ValueError, match="500"):
        twiml.connect_stream("wss://host/a", parameters)

"""Whether a request is Twilio's; Twilio's own library is asked as well."""

import hashlib

import hypothesis.strategies as st
import pytest
from hypothesis import given
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from warmline.channels.telephone.twilio.signature import TwilioSignatures, sign
from warmline.errors import ConfigError, RemoteProtocolError

pytestmark = pytest.mark.unit

TOKEN = "12345"
URL = "https://example.com/voice"
FORM = [("CallSid", "CA1"), ("From", "+15550001111"), ("To", "+15550002222")]
SIGNED = "bm44wyXo+0RfHo2abVmlg13Nvww="


def verify(url, signature, form=(), *, body=b"", settings="", shared_keys=None):
    headers = {"X-Twilio-Signature": signature}
    if settings:
        headers["X-Twilio-Webhooks-Signature-Settings"] = settings
    TwilioSignatures(TOKEN, shared_keys).verify(url, headers, form, body=body)


def refusal(*args, **options):
    with pytest.raises(RemoteProtocolError) as caught:
        verify(*args, **options)
    return caught.value.code


def test_a_known_form_is_twilios():
    """The vector was made apart from this code; the order of the form does not matter."""
    assert sign(TOKEN, URL, FORM) == SIGNED
    verify(URL, SIGNED, FORM)
    verify(URL, SIGNED, FORM[::-1])


def test_a_known_handshake_is_twilios():
    """A media socket is signed as well."""
    verify("wss://example.com/media", "7PR3qMkpDyEJtMrVOY/LDyNq8J8=")


@pytest.mark.parametrize(
    ("url", "form"),
    [
        (URL, [("CallSid", "CA2"), *FORM[1:]]),
        (URL, [*FORM, ("Extra", "")]),
        (URL, [*FORM, ("To", "+15550003333")]),
        (URL, ()),
        (URL + "?a=b", FORM),
        ("http://example.com/voice", FORM),
        ("https://example.org/voice", FORM),
    ],
)
def test_what_was_changed_is_forged(url, form):
    """In the form or in the address."""
    assert refusal(url, SIGNED, form) == "signature_forged"


urls = st.builds(
    lambda scheme, host, port, path, query: f"{scheme}://{host}{port}/{path}{query}",
    st.sampled_from(["https", "http", "wss"]),
    st.sampled_from(["example.com", "Example.COM", "a-b.example.com"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
    st.sampled_from(["", "voice", "a/b%20c", "voice/"]),
    st.sampled_from(["", "?a=b", "?a=b&c=%C3%BC", "?"]),
)
forms = st.lists(
    st.tuples(st.sampled_from(["CallSid", "From", "a", "B", "Digits"]), st.text(max_size=6)), max_size=6
)


@given(urls, forms, st.sampled_from(["HMAC_SHA1", "HMAC_SHA256"]))
def test_what_twilios_library_signs_we_take(url, form, algorithm):
    """With the port and without it, and where a name is repeated."""
    theirs = RequestValidator(TOKEN)
    signature = theirs.compute_signature(url, MultiDict(form), algorithm)
    settings = f"key=k1,algorithm={algorithm}" if algorithm == "HMAC_SHA256" else ""
    verify(url, signature, form, settings=settings, shared_keys={"k1": TOKEN})
    assert sign(TOKEN, url, form, algorithm) == signature


@given(urls, forms)
def test_what_we_sign_twilios_library_takes(url, form):
    """And what it takes for the other spelling of an address, we take too."""
    theirs = RequestValidator(TOKEN)
    assert theirs.validate(url.rstrip("?"), MultiDict(form), sign(TOKEN, url.rstrip("?"), form))
    for other in ("https://example.com:443/voice", "https://example.com/voice"):
        for signed in ("https://example.com:443/voice", "https://example.com/voice"):
            signature = sign(TOKEN, signed, form)
            assert theirs.validate(other, MultiDict(form), signature)
            verify(other, signature, form)


def test_the_port_of_a_secure_socket_may_be_in_the_address():
    """Twilio's own library takes 80 for it."""
    for port in ("", ":443", ":80"):
        verify("wss://example.com/media", sign(TOKEN, f"wss://example.com{port}/media"))


def test_a_body_that_is_no_form_is_known_by_its_hash():
    """Which is part of the address."""
    body = b'{"a":1}'
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = sign(TOKEN, url)
    verify(url, signature, body=body)
    assert RequestValidator(TOKEN).validate(url, body.decode(), signature)
    assert refusal(url, signature, body=b'{"a":2}') == "signature_forged"
    assert refusal(URL, sign(TOKEN, URL), body=body) == "signature_forged"


def test_a_shared_key_is_found_by_its_name():
    """Newer accounts sign with keys that can be replaced one by one."""
    settings = "key=k2,algorithm=HMAC_SHA256"
    signature = sign("secret", URL, FORM, "HMAC_SHA256")
    verify(URL, signature, FORM, settings=settings, shared_keys={"k2": "secret"})
    assert refusal(URL, signature, FORM, settings=settings) == "signature_forged"
    assert refusal(URL, signature, FORM, shared_keys={"k2": "secret"}) == "signature_forged"
    wrong = "algorithm=MD5"
    assert refusal(URL, signature, FORM, settings=wrong) == "signature_malformed"


def test_a_signature_that_is_missing_or_none_is_told_apart():
    """Such requests come from everywhere."""
    assert refusal(URL, "", FORM) == "signature_missing"
    assert refusal(URL, "no base64!", FORM) == "signature_malformed"
    assert refusal(URL, "ü", FORM) == "signature_malformed"
    with pytest.raises(RemoteProtocolError):
        TwilioSignatures(TOKEN).verify(URL, {}, FORM)


@given(st.text(max_size=40), st.text(max_size=40), forms, st.text(max_size=30))
def test_whatever_comes_is_refused_in_words(url, signature, form, settings):
    """And by no other error."""
    assert refusal(url, signature, form, settings=settings).startswith("signature_")


def test_a_token_that_is_none_is_told_to_the_operator():
    """At the start, and not when somebody calls."""
    with pytest.raises(ConfigError, match="TWILIO_AUTH_TOKEN"):
        TwilioSignatures(" ")

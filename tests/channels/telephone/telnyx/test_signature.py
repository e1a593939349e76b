"""Whether a webhook is Telnyx's; Telnyx's own library is asked as well."""

import base64
import json

import hypothesis.strategies as st
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from telnyx import Telnyx

from warmline.channels.telephone.telnyx.signature import TelnyxSignatures
from warmline.errors import ConfigError, RemoteProtocolError

pytestmark = pytest.mark.unit

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
SENT_AT = 1795132800
THEIRS = Telnyx(api_key="KEY", public_key=PUBLIC).webhooks
BODY = b'{"data":{"record_type":"event","event_type":"call.initiated"}}'
SIGNATURE = "zhfNAyoXzLIiRG5t+zxrtvix4UY/Fbc9uBzM5wX1JdFlyiEdo+QM7MJpim8l2abxUqZCXxGMcrNZYinecw9cDQ=="
HEADERS = {"telnyx-signature-ed25519": SIGNATURE, "telnyx-timestamp": str(SENT_AT)}


def refusal(body=BODY, headers=HEADERS, now_s=float(SENT_AT)):
    with pytest.raises(RemoteProtocolError) as caught:
        TelnyxSignatures(PUBLIC).verify(body, headers, now_s)
    return caught.value.code


def test_a_known_webhook_is_telnyxs():
    """The vector was made apart from this code."""
    assert TelnyxSignatures(PUBLIC).verify(BODY, HEADERS, SENT_AT + 1.5) == SENT_AT


def test_header_names_are_known_in_any_case():
    """Servers keep them as they like."""
    for change in (str.upper, str.title):
        headers = {change(name): value for name, value in HEADERS.items()}
        assert TelnyxSignatures(PUBLIC).verify(BODY, headers, SENT_AT) == SENT_AT


@given(st.text(max_size=300), st.integers(0, 10**11))
def test_what_we_take_telnyxs_library_takes(said, sent_at):
    """Signed by the same key over the same bytes."""
    body = json.dumps({"data": {"event_type": "call.initiated", "said": said}}).encode()
    signature = base64.b64encode(PRIVATE.sign(f"{sent_at}|".encode() + body)).decode()
    headers = {"Telnyx-Signature-Ed25519": signature, "Telnyx-Timestamp": str(sent_at)}
    assert TelnyxSignatures(PUBLIC).verify(body, headers, sent_at) == sent_at
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("time.time", lambda: float(sent_at))
        THEIRS.unwrap(body.decode(), headers=headers)
        with pytest.raises(ValueError, match="does not match"):
            THEIRS.unwrap(body.decode() + " ", headers=headers)
    assert refusal(body + b"x", headers, sent_at) == "signature_forged"


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_missing_is_named(name):
    """Such requests come from everywhere."""
    assert refusal(headers={**HEADERS, name: " "}) == "signature_missing"
    assert (
        refusal(headers={key: value for key, value in HEADERS.items() if key != name}) == "signature_missing"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"telnyx-timestamp": "now"},
        {"telnyx-timestamp": "-1"},
        {"telnyx-timestamp": "٣"},
        {"telnyx-timestamp": "9" * 400},
        {"telnyx-signature-ed25519": "no base64!"},
        {"telnyx-signature-ed25519": "ü"},
        {"telnyx-signature-ed25519": "AAAA"},
    ],
)
def test_a_header_that_is_no_such_thing_is_malformed(change):
    """Somebody tries something, or a proxy cut it."""
    assert refusal(headers=HEADERS | change) == "signature_malformed"


@pytest.mark.parametrize(("later_s", "code"), [(301, "signature_stale"), (-301, "signature_stale")])
def test_a_webhook_of_another_time_is_stale(later_s, code):
    """It may have been overheard."""
    assert refusal(now_s=SENT_AT + later_s) == code


@pytest.mark.parametrize("later_s", [300, -300, 299.4])
def test_a_webhook_may_be_five_minutes_old(later_s):
    """It is delivered again for a while, with the time of each delivery."""
    assert TelnyxSignatures(PUBLIC).verify(BODY, HEADERS, SENT_AT + later_s) == SENT_AT


def test_the_time_is_part_of_what_is_signed():
    """Else it could be changed."""
    assert refusal(headers=HEADERS | {"telnyx-timestamp": str(SENT_AT + 1)}) == "signature_forged"


@given(st.binary(max_size=80), st.text(max_size=100), st.text(max_size=20))
def test_whatever_comes_is_refused_in_words(body, signature, sent_at):
    """And by no other error."""
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": sent_at}
    assert refusal(body, headers).startswith("signature_")


@pytest.mark.parametrize("key", ["", "short", "AAAA", "ü", PUBLIC + "AAAA"])
def test_a_key_that_is_none_is_told_to_the_operator(key):
    """At the start, and not when somebody calls."""
    with pytest.raises(ConfigError, match="TELNYX_PUBLIC_KEY"):
        TelnyxSignatures(key)

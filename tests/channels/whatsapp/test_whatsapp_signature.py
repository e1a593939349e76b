"""Whose webhooks are believed, and who may point them at us."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from warmline.channels.whatsapp.signature import WhatsAppSignatures, verified_challenge
from warmline.errors import ConfigError, RemoteProtocolError

pytestmark = pytest.mark.unit

BODY = b'{"object":"whatsapp_business_account","entry":[]}'
SIGNED = "sha256=d3e4f9da0ce6c71ab3dba55929b8eeeee2455349e534924ead19f98d143e904f"
QUERY = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "open sesame"}

signatures = WhatsAppSignatures("app-secret")


@pytest.mark.parametrize("signature", [SIGNED, SIGNED.upper().replace("SHA", "sha"), f" {SIGNED} "])
def test_a_body_that_was_signed_with_the_secret_is_believed(signature):
    """A signature that was made by another program."""
    signatures.verify(BODY, signature)


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (None, "missing"),
        ("", "missing"),
        (" ", "missing"),
        ("d3e4f9", "malformed"),
        (SIGNED[7:], "malformed"),
        (SIGNED.replace("256", "1"), "malformed"),
        (SIGNED[:-1], "malformed"),
        (SIGNED + "0", "malformed"),
        (SIGNED[:-1] + "ß", "malformed"),
        (SIGNED[:-1] + "0", "forged"),
    ],
)
def test_any_other_signature_is_refused(signature, why):
    """And the log says what was wrong with it."""
    with pytest.raises(RemoteProtocolError) as refused:
        signatures.verify(BODY, signature)
    assert refused.value.code == f"signature_{why}"
    assert "app-secret" not in str(refused.value)


@given(st.binary(), st.integers(0, 10_000), st.integers(1, 255))
def test_a_body_in_which_one_byte_was_changed_is_refused(body, place, change):
    """Whatever it says."""
    body = body or b"x"
    changed = bytearray(body)
    changed[place % len(body)] ^= change
    signature = f"sha256={signatures.sign(body).hex()}"
    signatures.verify(body, signature)
    with pytest.raises(RemoteProtocolError):
        signatures.verify(bytes(changed), signature)


@given(st.binary(max_size=50), st.text(max_size=100))
def test_anything_in_the_header_is_told_as_a_refusal(body, signature):
    """It comes from anybody."""
    with pytest.raises(RemoteProtocolError):
        signatures.verify(body, signature)


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_empty_secret_is_no_secret(secret):
    """Anybody could sign with it."""
    with pytest.raises(ConfigError, match="WHATSAPP_APP_SECRET"):
        WhatsAppSignatures(secret)


def test_a_handshake_that_knows_the_token_is_answered_with_its_challenge():
    """Then the dashboard takes the address."""
    assert verified_challenge(QUERY, "open sesame") == "1158201444"


@pytest.mark.parametrize(
    ("changes", "token", "why"),
    [
        ({"hub.verify_token": "open barley"}, "open sesame", "refused"),
        ({"hub.verify_token": ""}, "open sesame", "refused"),
        ({"hub.verify_token": "öffne\ud800"}, "open sesame", "refused"),
        ({"hub.verify_token": ""}, "", "refused"),
        ({"hub.mode": "unsubscribe"}, "open sesame", "malformed"),
        ({"hub.challenge": ""}, "open sesame", "malformed"),
    ],
)
def test_any_other_handshake_is_refused(changes, token, why):
    """A token that is not set fits nobody's."""
    with pytest.raises(RemoteProtocolError) as refused:
        verified_challenge({**QUERY, **changes}, token)
    assert refused.value.code == f"handshake_{why}"
    assert "sesame" not in str(refused.value)

"""What is sent, and what is read, beside pywa: the library that most Python programs use for WhatsApp."""

from __future__ import annotations

import json

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.utils import webhook_updates_validator

from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.messages import read_receipt, text_message, voice_note_message
from warmline.channels.whatsapp.signature import WhatsAppSignatures

pytestmark = pytest.mark.unit

ANN = Addressee("48600100200")
BOB = Addressee(user_id="PL.13491208655302741918")


@pytest.fixture
def sent():
    """What pywa sends."""
    return []


@pytest.fixture
def pywa(sent):
    def take(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        answer = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": "48600100200", "wa_id": "48600100200", "user_id": "PL.1"}],
            "messages": [{"id": "wamid.S"}],
            "success": True,
        }
        return httpx.Response(200, json=answer)

    with httpx.Client(transport=httpx.MockTransport(take)) as session:
        yield WhatsApp(phone_id="111", token="TOKEN", session=session)


def same(ours, theirs):
    """Whether two bodies say the same: what is left out is the default."""
    defaults = {"recipient_type": "individual"}
    assert {**defaults, **ours} == {**defaults, **theirs}


def test_words_are_sent_as_pywa_sends_them(pywa, sent):
    """With a quotation, and what comes back with statuses."""
    pywa.send_message(ANN.phone, "Hello", reply_to_message_id="wamid.Q", tracker="job/1", preview_url=False)
    same(text_message(ANN, "Hello", callback_data="job/1", reply_to="wamid.Q"), sent[0])


def test_a_person_without_a_number_is_addressed_as_by_pywa(pywa, sent):
    """By their id."""
    pywa.send_message(BOB.user_id, "Hello", preview_url=False)
    same(text_message(BOB, "Hello"), sent[0])


def test_a_voice_note_is_sent_as_pywa_sends_it(pywa, sent):
    """By the id of its file."""
    pywa.send_voice(ANN.phone, "1234567890")
    same(voice_note_message(ANN, "1234567890"), sent[0])


def test_a_message_is_marked_as_read_as_by_pywa(pywa, sent):
    """And an answer announced."""
    pywa.mark_message_as_read("wamid.A")
    pywa.indicate_typing("wamid.A")
    assert sent == [read_receipt("wamid.A"), read_receipt("wamid.A", typing=True)]


def test_a_signature_is_what_pywa_takes_for_one():
    """Of any body."""
    body = b'{"object":"whatsapp_business_account","entry":["\\u0142"]}'
    signature = f"sha256={WhatsAppSignatures('app-secret').sign(body).hex()}"
    assert webhook_updates_validator("app-secret", body, signature)

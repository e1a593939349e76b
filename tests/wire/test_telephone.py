"""Webhooks, media streams and the calls' API over real sockets: who is believed, and who is not."""

import base64
import json
import time
from dataclasses import replace
from typing import Any, cast

import anyio
import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.wire.server import KEY, running_server
from warmline.channels.telephone.telnyx.signature import TelnyxSignatures
from warmline.channels.telephone.twilio.signature import sign
from warmline.server.settings import LimitsTable, PhoneTable, Secret, TelnyxTable, TwilioTable
from warmline.server.telephone.calls import Calls
from warmline.server.telephone.telnyx import TelnyxWebhooks

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
NOWHERE = ("http://127.0.0.1:9",)
"""The discard port: commands are refused at once."""

TABLES: dict[str, Any] = {
    "telnyx": TelnyxTable(Secret("telnyx-key"), Secret(PUBLIC), NOWHERE),
    "twilio": TwilioTable(Secret("AC1"), Secret("12345"), NOWHERE),
}


def webhook(kind="call.initiated", event_id="e1", call="v3:one", **payload):
    data = {
        "record_type": "event",
        "event_type": kind,
        "id": event_id,
        "occurred_at": "2026-11-20T10:00:00.123456Z",
        "payload": {
            "call_control_id": call,
            "direction": "incoming",
            "from": "+4915",
            "to": "+4930",
            **payload,
        },
    }
    return json.dumps({"data": data, "meta": {"attempt": 1}}).encode()


def signed(body, *, age_s=0.0, key=PRIVATE):
    at = str(int(time.time() - age_s))  # noqa: TID251 - what the network's clock says
    signature = base64.b64encode(key.sign(at.encode() + b"|" + body)).decode()
    return {"telnyx-timestamp": at, "telnyx-signature-ed25519": signature}


async def records(client, server):
    answer = await client.get(f"{server.url}/v1/calls", headers={"Authorization": f"Bearer {KEY}"})
    return answer.json()


async def test_a_webhook_that_is_signed_begins_a_call_and_one_that_is_not_changes_nothing():
    body = webhook()
    other = Ed25519PrivateKey.generate()
    async with running_server(**TABLES) as server, httpx2.AsyncClient() as client:
        url = f"{server.url}/telnyx/webhook"
        for headers in (
            {},
            signed(body, key=other),
            signed(body + b" "),
            signed(body, age_s=301),
            signed(body, age_s=-301),
            {**signed(body), "telnyx-timestamp": "yesterday"},
        ):
            answer = await client.post(url, content=body, headers=headers)
            assert answer.status_code in (400, 401), answer.text
            assert "error" in answer.json()
        assert (await client.post(url, content=b"x" * 300_000, headers={})).status_code == 413
        assert (await records(client, server))["live"] == []
        assert (await client.post(url, content=body, headers=signed(body))).status_code == 200
        with anyio.fail_after(20):
            # The network is not there, so that the call can't be answered; it is one call all the same.
            while not (over := (await records(client, server))["over"]):  # noqa: ASYNC110
                await anyio.sleep(0.05)
        for _ in range(3):
            assert (await client.post(url, content=body, headers=signed(body))).status_code == 200
        found = await records(client, server)
        assert found["over"] == over
        assert (over[0]["caller"], over[0]["ended_by"]) == ("+4915", "network")
        assert await server.session_count() == 0


async def test_a_webhook_that_is_signed_and_garbage_is_told_so():
    async with running_server(**TABLES) as server, httpx2.AsyncClient() as client:
        for body in (b"", b"{", b"[]", b'{"data": {}}', b"\xff\xfe", webhook(event_id="e2")[:-20]):
            answer = await client.post(f"{server.url}/telnyx/webhook", content=body, headers=signed(body))
            assert answer.status_code == 400, body
        unknown = webhook("call.cost", "e3")
        answer = await client.post(f"{server.url}/telnyx/webhook", content=unknown, headers=signed(unknown))
        assert answer.status_code == 200
        assert (await records(client, server))["over"] == []


class NoCalls:
    """Takes nothing: what reaches it fails the test."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was called")


@given(st.binary(max_size=200), st.binary(max_size=70), st.text(max_size=12))
def test_whatever_is_sent_without_the_key_is_refused(body, signature, timestamp):
    webhooks = TelnyxWebhooks(cast("Calls", NoCalls()), TelnyxSignatures(PUBLIC))
    headers = {
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
        "telnyx-timestamp": timestamp,
    }
    status, _ = webhooks.receive(body, headers, 1_795_132_800.0, "https://voice.example.com")
    assert status in (400, 401)


async def test_twilio_is_answered_with_what_to_do_if_it_is_twilio():
    form = {"CallSid": "CA1", "AccountSid": "AC1", "From": "+4915", "To": "+4930", "CallStatus": "ringing"}
    async with running_server(**TABLES) as server, httpx2.AsyncClient() as client:
        url = f"{server.url}/twilio/voice"
        signature = sign("12345", url, list(form.items()))
        wrong = await client.post(url, data=form, headers={"x-twilio-signature": sign("1", url, ())})
        assert wrong.status_code == 401
        assert (await client.post(url, data=form)).status_code == 401
        right = await client.post(url, data=form, headers={"x-twilio-signature": signature})
        assert right.status_code == 200
        assert right.headers["content-type"].startswith("text/xml")
        assert f"127.0.0.1:{server.port}/twilio/media/" in right.text
        over = {**form, "CallStatus": "completed"}
        url = f"{server.url}/twilio/status"
        headers = {"x-twilio-signature": sign("12345", url, list(over.items()))}
        assert (await client.post(url, data=over, headers=headers)).status_code == 204
        await server.has_no_session()


@pytest.mark.parametrize(
    "path", ["/telnyx/media/", "/telnyx/media/guess", "/twilio/media/x", "/telnyx/media"]
)
async def test_a_media_stream_that_nobody_asked_for_is_refused(path):
    async with running_server(**TABLES) as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{server.port}{path}"):
                pass
        assert refused.value.response.status_code == 404


async def test_the_api_is_for_whoever_has_the_key_and_says_what_is_wrong():
    key = {"Authorization": f"Bearer {KEY}"}
    async with running_server(**TABLES) as server, httpx2.AsyncClient() as client:
        url = f"{server.url}/v1/calls"
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}):
            for answer in (
                await client.get(url, headers=headers),
                await client.post(url, headers=headers, json={"to": "+4915550001"}),
                await client.post(f"{url}/call_1/hangup", headers=headers),
            ):
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        for body, told in (
            ({}, "to"),
            ({"to": "12"}, "to"),
            ({"to": "+4915550001", "greting": "Hi"}, "greting"),
            ({"to": "+4915550001", "greeting": 7}, "greeting"),
        ):
            answer = await client.post(url, headers=key, json=body)
            assert answer.status_code == 400
            assert told in answer.json()["error"]["message"]
        assert (await client.post(url, headers=key, content=b"x" * 70_000)).status_code == 400
        answer = await client.post(url, headers=key, json={"to": "+4915550001"})
        assert (answer.status_code, "phone.public_url" in answer.text) == (409, True)
        assert (await client.get(f"{url}/call_1", headers=key)).status_code == 404
        assert (await client.post(f"{url}/call_1/hangup", headers=key)).status_code == 404


async def test_a_call_of_ours_without_a_number_says_what_to_set():
    tables = {**TABLES, "phone": PhoneTable(public_url="https://voice.example.com")}
    key = {"Authorization": f"Bearer {KEY}"}
    async with running_server(**tables) as server, httpx2.AsyncClient() as client:
        answer = await client.post(f"{server.url}/v1/calls", headers=key, json={"to": "+4915550001"})
        assert answer.status_code == 409
        assert "telnyx.number" in answer.text
        assert (await records(client, server))["live"] == []
        assert await server.session_count() == 0


async def test_without_keys_there_is_no_telephone():
    async with running_server() as server, httpx2.AsyncClient() as client:
        assert (await client.post(f"{server.url}/telnyx/webhook", content=b"{}")).status_code == 404
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{server.port}/telnyx/media/x"):
                pass


async def test_a_server_that_is_full_says_so_to_the_network():
    tables = replace(LimitsTable(), sessions=1)
    body, second = webhook(), webhook(event_id="e2", call="v3:two")
    async with running_server(limits=tables, **TABLES) as server, httpx2.AsyncClient() as client:
        url = f"{server.url}/telnyx/webhook"
        await client.post(url, content=body, headers=signed(body))
        await client.post(url, content=second, headers=signed(second))
        with anyio.fail_after(20):
            while len(over := (await records(client, server))["over"]) < 2:  # noqa: ASYNC110
                await anyio.sleep(0.05)
        assert sorted(record["refusal"] for record in over) == ["", "full"]

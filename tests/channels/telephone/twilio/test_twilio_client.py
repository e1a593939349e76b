"""Commands to Twilio; its own library is asked to send the same."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.http.response import Response
from twilio.rest import Client

from tests.channels.telephone.answering import Answering
from warmline.channels.telephone.twilio import twiml
from warmline.channels.telephone.twilio.client import TwilioAnswer, TwilioClient, authorization
from warmline.channels.telephone.twilio.commands import account, create_call, end_call, update_call
from warmline.channels.telephone.twilio.failures import failure
from warmline.errors import LineLost, ProviderRejected, ProviderUnavailable

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

CREATED = json.dumps({"sid": "CA1", "status": "queued"}).encode()


class _Theirs:
    """Twilio's library, and what it would have sent."""

    def __init__(self):
        self.requests: list[Any] = []
        self.client = Client("AC1", "token", http_client=self)

    def request(
        self, method, url, params=None, data=None, headers=None, auth=None, timeout=None, **_: object
    ):
        fields = [
            (name, str(value))
            for name, values in (data or {}).items()
            for value in (values if isinstance(values, list) else [values])
        ]
        self.requests.append((method, url.removeprefix("https://api.twilio.com"), sorted(fields)))
        return Response(200, CREATED.decode())


def sent(command):
    request = command.request()
    return request.method, request.path, sorted(parse_qsl(request.body.decode()))


def client(*script) -> tuple[TwilioClient, Answering]:
    far_end: Any = Answering(*script)
    return TwilioClient(far_end), far_end


def test_a_call_is_dialled_as_twilios_library_does():
    """With all that can be given."""
    theirs = _Theirs()
    document = twiml.response(twiml.say("Hello & good bye"))
    theirs.client.calls.create(
        to="+15550002",
        from_="+15550001",
        twiml=document.decode(),
        status_callback="https://host/s",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
        timeout=25,
        time_limit=600,
        machine_detection="Enable",
    )
    command = create_call(
        "AC1",
        to="+15550002",
        from_number="+15550001",
        twiml=document,
        status_callback="https://host/s",
        timeout_s=25,
        time_limit_s=600,
        detection="Enable",
    )
    assert theirs.requests == [sent(command)]
    theirs.client.calls.create(to="+1", from_="+2", url="https://host/v")
    assert theirs.requests[1:] == [sent(create_call("AC1", to="+1", from_number="+2", url="https://host/v"))]


def test_a_call_is_changed_as_twilios_library_does():
    """To other TwiML, or to its end."""
    theirs = _Theirs()
    document = twiml.response(twiml.dial("+15550003"))
    theirs.client.calls("CA1").update(twiml=document.decode())
    theirs.client.calls("CA1").update(status="completed")
    assert theirs.requests == [sent(update_call("AC1", "CA1", document)), sent(end_call("AC1", "CA1"))]


def test_only_what_may_be_done_twice_is_sent_twice():
    """Somebody's telephone would ring again."""
    assert end_call("AC1", "CA1").request().is_idempotent
    assert not create_call("AC1", to="+1", from_number="+2", url="https://x").request().is_idempotent
    assert not update_call("AC1", "CA1", b"<Response/>").request().is_idempotent
    assert account("AC1").path == "/2010-04-01/Accounts/AC1.json"


@pytest.mark.parametrize("what", [{}, {"twiml": b"<Response/>", "url": "https://x"}])
def test_what_to_do_with_a_call_is_said_once(what):
    """Twilio would choose."""
    with pytest.raises(ValueError, match="give one"):
        create_call("AC1", to="+1", from_number="+2", **what)


def test_the_token_is_sent_as_http_has_it():
    """RFC 7617."""
    assert authorization("AC1", "t:x") == "Basic " + b64encode(b"AC1:t:x").decode()


async def test_an_answer_names_the_call():
    """Callbacks are about that."""
    twilio, far_end = client((0.1, 201, CREATED))
    answer = await twilio.send(create_call("AC1", to="+1", from_number="+2", url="https://x"))
    assert answer == TwilioAnswer(call_id="CA1", status="queued")
    assert len(far_end.requests) == 1


async def test_a_call_that_has_ended_is_no_failure():
    """Nothing can be done with it any more."""
    twilio, _ = client((
        0,
        400,
        b'{"code":21220,"message":"Call is not in-progress. Cannot redirect.","status":400}',
    ))
    assert (await twilio.send(update_call("AC1", "CA1", b"<Response/>"))).is_call_over


async def test_a_connection_that_is_lost_is_a_failure_of_twilios():
    """It is not sent again here: nobody knows whether it was done."""
    twilio, far_end = client((0, LineLost("cut")))
    with pytest.raises(ProviderUnavailable, match="dialling at Twilio: cut"):
        await twilio.send(create_call("AC1", to="+1", from_number="+2", url="https://x"))
    assert len(far_end.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (401, 20003, ProviderRejected, "TWILIO_AUTH_TOKEN"),
        (404, 20404, ProviderRejected, "twilio.account_sid"),
        (429, 20429, ProviderUnavailable, "fewer calls"),
        (400, 21211, ProviderRejected, "international form"),
        (400, 99999, ProviderRejected, "[twilio] settings"),
        (503, 0, ProviderUnavailable, "try again"),
    ],
)
async def test_an_error_says_what_to_do(status, code, kind, words):
    """And whether it helps to try again; numbers stay out of the log."""
    body = json.dumps({
        "code": code,
        "message": "The number +4915112345678 is odd.",
        "status": status,
    }).encode()
    twilio, _ = client((0, status, body))
    with pytest.raises(kind, match="Twilio") as caught:
        await twilio.send(end_call("AC1", "CA1"))
    assert words in str(caught.value)
    assert "4915112345678" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"code":"x","message":null}', b"\xff"])
def test_any_answer_is_told(body):
    """Proxies answer as well."""
    assert "HTTP status 502" in str(failure(502, {}, body, what="x"))

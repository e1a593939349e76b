"""Calls through the simulated Twilio: a server in the test answers with TwiML; the official SDK helps."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp import web
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.simulators.telephone_server import HELLO, over, place, say, telephone_server, tone, wav
from warmline.errors import ConfigError
from warmline.simulators.running import KEY, simulators_running
from warmline.simulators.script import Script
from warmline.simulators.telephone.placing import Callee, CallFaults, PlacedCall
from warmline.simulators.telephone.steps import Interrupt, Press, Stay, Wait, WaitForReply
from warmline.simulators.twilio.signing import signature
from warmline.simulators.twilio.twiml import Dial, Hangup, Pause, Play, Reject, Say, TwimlError, parsed

pytestmark = [
    pytest.mark.wire,
    pytest.mark.anyio,
    # The SDK gives its key in a way that its library wants to do away with.
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]


class HereHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]  # it has no types
    """Sends what is meant for Twilio to the simulator."""

    def __init__(self, url, session):
        super().__init__(pool_connections=False)
        self.url = url
        self.session = session

    async def request(self, method, url, *rest, **options):
        return await super().request(
            method, url.replace("https://api.twilio.com", self.url), *rest, **options
        )


@pytest.fixture(scope="module")
async def running(anyio_backend):
    async with simulators_running(only=["twilio"], scripts={"twilio": Script(key=KEY)}) as found:
        yield found


@pytest.fixture
def simulator(running):
    return running.simulators["twilio"]


@pytest.fixture
async def client_with(running):
    environment = running.environment
    trusted = ssl.create_default_context(cafile=running.certificate)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        http = HereHttpClient(running.base_urls["twilio"], session)

        def make(account=environment["TWILIO_ACCOUNT_SID"], token=environment["TWILIO_AUTH_TOKEN"]):
            return Client(account, token, http_client=http)

        yield make


@pytest.fixture
def client(client_with):
    return client_with()


def stream(server, inside="", **attributes):
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<Connect><Stream url="{server.media_url}"{written}>{inside}</Stream></Connect>'


def answering(server, reply, **options):
    """Have a server answer on every stream, by the stream's own name."""

    async def on_message(socket, message):
        if message["event"] == "start":
            answers[socket] = server.answering_after_silence(reply, streamSid=message["streamSid"], **options)
        elif message["event"] == "media":
            await answers[socket](socket, message)

    answers: dict[Any, Any] = {}
    server.on_message = on_message


@asynccontextmanager
async def serving(*documents):
    """Run a server that answers each question with the next document; a callable is given the server."""
    left = list(documents)
    validator = RequestValidator(KEY)

    async def on_hook(hook):
        assert validator.validate(hook.url, hook.form, hook.headers["x-twilio-signature"])
        if not hook.path.endswith("/voice"):
            return None
        document = left.pop(0)
        body = document(server) if callable(document) else document
        return web.Response(text=f"<Response>{body}</Response>", content_type="text/xml")

    async with telephone_server(on_hook) as server:
        server.on_message = None
        yield server


async def call_to(simulator, server, *caller, **fields):
    url = f"{server.url}/hooks/voice?agent=7"
    return await simulator.place(PlacedCall(webhook_url=url, caller=caller, **fields))


def events(server):
    return [
        hook.form.get("StreamEvent") or hook.form["CallStatus"]
        for hook in server.hooks
        if not hook.path.endswith("/voice")
    ]


async def test_a_call_is_streamed_measured_and_signed(simulator):
    """The far end answers 200 ms after the caller has stopped speaking."""
    inside = '<Parameter name="agent" value="7"/>'
    async with serving(
        lambda server: stream(server, inside, name="n", statusCallback=f"{server.url}/hooks/stream")
    ) as server:
        answering(server, tone(0.4))
        call = await call_to(
            simulator,
            server,
            HELLO,
            WaitForReply(silence_ms=300),
            Press(digits="5"),
            Wait(wait_s=0.05),
            status_callback=f"{server.url}/hooks/status",
            caller_name="ANN",
        )
        report = await over(call)
        await server.until(lambda: len(events(server)) == 3)
        assert sorted(events(server)) == ["completed", "stream-started", "stream-stopped"]
        assert server.hooks[0].form["CallStatus"] == "ringing"
        assert server.hooks[0].form["CallerName"] == "ANN"
        assert "<Response>" in report.webhooks[0].attempts[0].answer
        signed = server.handshakes[0]["x-twilio-signature"]
        assert RequestValidator(KEY).validate(server.media_url, {}, signed)
        connected, start = server.messages[:2]
        assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        assert start["start"]["customParameters"] == {"agent": "7"}
        assert start["start"]["mediaFormat"]["encoding"] == "audio/x-mulaw"
        assert start["sequenceNumber"] == "1"
        assert start["start"]["callSid"] == report.network_id
        (dtmf,) = server.of("dtmf")
        assert dtmf["dtmf"] == {"track": "inbound_track", "digit": "5"}
        assert server.of("mark")[0]["mark"] == {"name": "said"}
        assert server.messages[-1]["stop"]["callSid"] == report.network_id
        _, turn = report.turns
        assert turn.response_ms == pytest.approx(215, abs=30)
        assert (report.cause, report.ended_by, report.problem) == ("completed", "person", "")


async def test_clear_returns_marks_at_once_and_silences_the_agent(simulator):
    async with serving(stream) as server:
        answering(server, tone(5), clears=True)
        stop = Interrupt(audio=wav(tone(0.3)), after_ms=300)
        report = await over(await call_to(simulator, server, HELLO, stop, Wait(wait_s=0.1)))
        assert report.turns[2].silenced_after_ms == pytest.approx(25, abs=25)
        (mark,) = report.streams[0].marks
        assert mark.returned_at_s - mark.at_s < 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": "media", "media": {"payload": "/w=="}},
        {"event": "media", "streamSid": "MZother", "media": {"payload": "/w=="}},
        {"event": "media", "streamSid": None, "media": {"payload": "###"}},
        b"\xff\xff",
    ],
)
async def test_a_message_that_is_not_for_the_stream_ends_it_and_the_next_verb_follows(simulator, wrong):
    async with serving(
        lambda server: stream(server, statusCallback=f"{server.url}/hooks/stream") + "<Pause length='0'/>"
    ) as server:

        async def on_message(socket, message):
            if message["event"] != "start":
                return
            if isinstance(wrong, bytes):
                await socket.send_bytes(wrong)
            elif "streamSid" in wrong and wrong["streamSid"] is None:
                await socket.send_json({**wrong, "streamSid": message["streamSid"]})
            else:
                await socket.send_json(wrong)

        server.on_message = on_message
        report = await over(await call_to(simulator, server, Stay()))
        await server.until(lambda: len(events(server)) == 3)
        (failed,) = [hook.form for hook in server.hooks if hook.form.get("StreamEvent") == "stream-error"]
        assert failed["StreamError"].startswith("31950")
        assert (report.cause, report.ended_by) == ("completed", "server")


async def test_verbs_are_done_one_after_another(simulator):
    """The server's closing of the socket is the end of Connect."""
    async with serving(
        lambda server: (
            f"<Say>Hi.</Say><Play>{server.url}/files/a.wav</Play><Play digits='1w2'/>"
            + stream(server)
            + f"<Play>{server.url}/files/none.wav</Play><Hangup/>"
        )
    ) as server:
        server.files["a.wav"] = wav(tone(0.2, 5000))

        async def on_message(socket, message):
            if message["event"] == "start":
                await say(socket, tone(0.02), streamSid=message["streamSid"])
                await socket.close()

        server.on_message = on_message
        report = await over(await call_to(simulator, server, Stay()))
        assert (report.digits_heard, report.cause, report.ended_by) == ("12", "completed", "server")
        assert report.problem.startswith("11200 playing")
        assert server.of("start")
        greeting = report.turns[0]
        assert greeting.reply_began_s < 0.2


@pytest.mark.parametrize(
    ("document", "cause", "is_answered"),
    [
        ("<Reject reason='busy'/>", "busy", False),
        ("<Reject/>", "no-answer", False),
        ("<Hangup/>", "completed", True),
        ("", "completed", False),
        ("<Sing/>", "failed", False),
        ("<Connect><Stream url='wss://x/y?agent=7'/></Connect>", "failed", False),
        ("<Connect><Stream url='ws://example.com/y'/></Connect>", "failed", False),
        ("<Connect>", "failed", False),
    ],
)
async def test_what_a_document_makes_of_a_call(simulator, document, cause, is_answered):
    async with serving(document) as server:
        report = await over(await call_to(simulator, server, Stay()))
        assert (report.cause, report.answered_at_s is not None) == (cause, is_answered)
        assert bool(report.problem) is (cause == "failed")


async def test_a_server_that_does_not_answer_is_asked_elsewhere(simulator):
    async def on_hook(hook):
        if hook.path == "/hooks/fallback":
            return web.Response(text="<Response><Reject/></Response>")
        return web.Response(status=500)

    async with telephone_server(on_hook) as server:
        report = await over(
            await place(simulator, server, webhook_failover_url=f"{server.url}/hooks/fallback")
        )
        assert (report.cause, [attempt.status for attempt in report.webhooks[0].attempts]) == (
            "no-answer",
            [500, 200],
        )
        report = await over(await place(simulator, server))
        assert (report.cause, report.problem) == ("failed", "11200 HTTP retrieval failure")


async def test_dial_rings_somebody_and_goes_on_if_nobody_answers(simulator):
    simulator.callees["+7"] = Callee(number="+7", answer="busy", ring_s=0.05)
    async with serving(
        lambda server: f"<Dial action='{server.url}/hooks/voice'><Number>+7</Number></Dial>", "<Say>Hi.</Say>"
    ) as server:
        report = await over(await call_to(simulator, server, Stay()))
        assert server.hooks[1].form["DialCallStatus"] == "busy"
        assert report.turns[0].reply_began_s is not None


async def test_a_call_is_created_changed_and_completed_by_the_sdk(client, simulator):
    simulator.callees["+8"] = Callee(
        number="+8", ring_s=0.05, detected="machine", detect_s=0.05, caller=(Stay(),)
    )
    async with serving(stream, "<Pause length='30'/>") as server:
        created = await client.calls.create_async(
            to="+8",
            from_="+15550002222",
            url=f"{server.url}/hooks/voice",
            status_callback=f"{server.url}/hooks/status",
            status_callback_event=["initiated", "ringing", "answered", "completed"],
            machine_detection="Enable",
        )
        assert (created.status, created.direction) == ("queued", "outbound-api")
        await server.until(lambda: server.of("start"))
        assert (await client.calls(created.sid).fetch_async()).status == "in-progress"
        await client.calls(created.sid).update_async(url=f"{server.url}/hooks/voice")
        await server.until(lambda: sum(hook.path == "/hooks/voice" for hook in server.hooks) == 2)
        assert server.of("stop")
        done = await client.calls(created.sid).update_async(status="completed")
        assert done.status == "completed"
        await server.until(lambda: len(events(server)) == 4)
        assert events(server) == ["queued", "ringing", "in-progress", "completed"]
        numbers = [hook.form["SequenceNumber"] for hook in server.hooks if "SequenceNumber" in hook.form]
        assert numbers == ["0", "1", "2", "3"]
        assert server.hooks[-1].form["CallDuration"].isdecimal()
        assert [hook.form.get("AnsweredBy") for hook in server.hooks if hook.path == "/hooks/voice"] == [
            "machine_start",
            "machine_start",
        ]
        with pytest.raises(TwilioRestException) as caught:
            await client.calls(created.sid).update_async(status="completed")
        assert (caught.value.status, caught.value.code) == (400, 21220)


async def test_a_created_call_that_is_not_answered(client, simulator):
    simulator.callees["+9"] = Callee(number="+9", answer="no_answer", ring_s=0.05)
    created = await client.calls.create_async(to="+9", from_="+1", twiml="<Response/>")
    await over(simulator.find(created.sid))
    assert (await client.calls(created.sid).fetch_async()).status == "no-answer"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"to": "", "from_": "+1", "url": "http://x"}, 21201),
        ({"to": "+1", "from_": "+1"}, 21205),
        ({"to": "+1", "from_": "+1", "url": "ftp://x"}, 21205),
        ({"to": "+1", "from_": "+1", "url": "http://x", "status_callback_event": ["sung"]}, 21626),
    ],
)
async def test_a_call_that_can_not_be_created(client, fields, code):
    with pytest.raises(TwilioRestException) as caught:
        await client.calls.create_async(**fields)
    assert (caught.value.status, caught.value.code) == (400, code)


async def test_accounts_and_keys(client_with, client):
    for account, token in ((client.account_sid, "wrong"), ("AC" + "0" * 32, KEY)):
        with pytest.raises(TwilioRestException) as caught:
            await client_with(account, token).calls("CAx").fetch_async()
        assert (caught.value.status, caught.value.code) == (401, 20003)
    with pytest.raises(TwilioRestException) as caught:
        await client.calls("CAnobody").fetch_async()
    assert (caught.value.status, caught.value.code) == (404, 20404)


@pytest.mark.parametrize(
    ("faults", "check"),
    [
        (CallFaults(lose_stop=True), "stop"),
        (CallFaults(streaming_failed=True), "failed"),
        (CallFaults(duplicate_webhooks=True), "duplicates"),
        (CallFaults(reorder_webhooks=True), "order"),
        (CallFaults(lose_hangup=True), "hangup"),
    ],
)
async def test_a_fault(simulator, faults, check):
    async with serving(
        lambda server: stream(server, statusCallback=f"{server.url}/hooks/stream") + "<Pause length='0'/>"
    ) as server:
        status = f"{server.url}/hooks/status"
        await over(await call_to(simulator, server, Wait(wait_s=0.2), faults=faults, status_callback=status))
        match check:
            case "stop":
                await server.until(lambda: server.close_codes)
                assert server.of("stop") == []
            case "failed":
                await server.until(lambda: "stream-error" in events(server))
                assert server.handshakes == []
            case "duplicates":
                await server.until(lambda: len(events(server)) == 6)
                assert sorted(events(server))[::2] == ["completed", "stream-started", "stream-stopped"]
            case "order":
                await server.until(lambda: len(events(server)) == 3)
                assert events(server)[:2] == ["stream-stopped", "stream-started"]
            case "hangup":
                await server.until(lambda: "stream-stopped" in events(server))
                assert "completed" not in events(server)


async def test_a_forged_request_is_seen_through_by_the_sdk(simulator):
    verdicts = []

    async def on_hook(hook):
        verdicts.append(
            RequestValidator(KEY).validate(hook.url, hook.form, hook.headers["x-twilio-signature"])
        )
        return web.Response(status=403)

    async with telephone_server(on_hook) as server:
        report = await over(await place(simulator, server, faults=CallFaults(forge_webhooks=True)))
    assert (verdicts, report.cause) == ([False], "failed")


@pytest.mark.parametrize("point", ["initiated", "answered", "streaming", "speaking", "replying"])
async def test_a_caller_hangs_up_at_a_point(simulator, point):
    async with serving(stream) as server:
        answering(server, tone(1))
        faults = CallFaults(hang_up_at=point)
        report = await over(await call_to(simulator, server, HELLO, Stay(), faults=faults))
        assert (report.ended_by, report.cause) == (
            "person",
            "no-answer" if point == "initiated" else "completed",
        )
        assert bool(server.handshakes) is (point not in ("initiated", "answered"))


@pytest.mark.parametrize(
    "fields",
    [
        {"codec": "PCMA"},
        {"faults": CallFaults(stale_webhooks=True)},
        {"webhook_retry_s": (1.0,)},
        {"start_order": ("socket", "streaming", "answered")},
    ],
)
async def test_what_is_telnyxs_is_refused(simulator, fields: dict[str, Any]):
    async with serving() as server:
        with pytest.raises(ConfigError):
            await call_to(simulator, server, Stay(), **fields)


async def test_a_ringing_call_is_given_up(simulator):
    async def on_hook(hook):
        await anyio.sleep(0.5)
        return web.Response(text="<Response><Say>Too late.</Say></Response>")

    async with telephone_server(on_hook) as server:
        report = await over(await place(simulator, server, ring_s=0.1))
        assert (report.cause, report.answered_at_s) == ("no-answer", None)


def test_signatures_are_those_of_the_known_vectors():
    fields = {"From": "+15550001111", "To": "+15550002222", "CallSid": "CA1"}
    assert signature("12345", "https://example.com/voice", fields) == "bm44wyXo+0RfHo2abVmlg13Nvww="
    assert signature("12345", "wss://example.com/media") == "7PR3qMkpDyEJtMrVOY/LDyNq8J8="


def test_twiml_is_read_verb_by_verb():
    document = (
        "<Response><Say loop='2'>Hi</Say><Play>http://x/a.wav</Play><Pause length='2'/>"
        "<Dial timeout='5' action='/next'><Number>+1</Number></Dial><Dial>+2</Dial>"
        "<Reject reason='busy'/><Hangup/></Response>"
    )
    assert parsed(document) == [
        Say("Hi", 2),
        Play("http://x/a.wav"),
        Pause(2.0),
        Dial("+1", 5.0, "/next"),
        Dial("+2"),
        Reject("busy"),
        Hangup(),
    ]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("", 12100),
        ("<Answer/>", 12100),
        ("<Response><Gather/></Response>", 12200),
        ("<Response><Connect/></Response>", 12200),
        ("<Response><Play/></Response>", 12200),
        ("<Response><Pause length='long'/></Response>", 12200),
        ("<Response><Reject reason='tired'/></Response>", 12200),
        ("<Response><Connect><Stream url='wss://x' track='both_tracks'/></Connect></Response>", 12200),
        (
            "<Response><Connect><Stream url='wss://x'><Parameter name='a' value='"
            f"{'b' * 500}'/></Stream></Connect></Response>",
            12200,
        ),
        ("<Response><Connect><Stream url='https://x'/></Connect></Response>", 31941),
    ],
)
def test_what_is_no_twiml_has_its_code(document, code):
    with pytest.raises(TwimlError) as caught:
        parsed(document)
    assert caught.value.code == code

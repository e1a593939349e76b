"""Whole sessions with canaries in them: what was said, numbers and keys are in nothing that an operator sees.

The log is at its most talkative, as text and as JSON, libraries' lines included; metrics, traces, alerts and
a report are read by who gets them. Far ends fail, and quote what they were given, key and all.
"""

import io
import json
import logging
import socket
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace

import anyio
import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from tests.journeys.conversation import Stagehands
from tests.server.observability.test_telemetry import collecting
from tests.server.observability.test_webhook import receiving
from tests.simulators.telephone_server import tone, wav
from tests.wire.server import KEY, running_server, say, speak, until
from tests.wire.telephone import ANSWER, HANGS_UP, LISTENS, SAYS, telephone
from tests.wire.test_realtime_server import SILENCE, SPEECH
from warmline.errors import ProviderRejected, ProviderUnavailable
from warmline.interfaces.llm import ToolCall
from warmline.reporting.as_json import json_report
from warmline.reporting.html import html_report
from warmline.reporting.period import Period
from warmline.reporting.reading import LineCounts, read_turns
from warmline.reporting.report import made_report
from warmline.server.logs import LogLines
from warmline.server.settings import AlertsTable, PhoneTable, Secret, StoreTable, WhatsAppTable
from warmline.server.settings.provider_tables import LinesTable
from warmline.simulators.faults import parse_fault
from warmline.simulators.recordings import pcm16k
from warmline.simulators.running import KEY as SIMULATED_KEY
from warmline.simulators.running import simulators_running
from warmline.simulators.whatsapp.conversation import PlacedConversation
from warmline.simulators.whatsapp.notes import voice_note
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.script import WhatsAppScript
from warmline.simulators.whatsapp.simulator import WhatsAppSimulator
from warmline.simulators.whatsapp.steps import Speak, WaitForAnswer, Write
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID
from warmline.testing.scripted import ScriptedModel, Utterance
from warmline.tools.definition import tool
from warmline.tools.toolbox import Toolbox

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

ASKED = "canaryasked"
ANSWERED = "canaryanswered"
PROVIDER_KEY = "sk-canary-4f9aA81bX02c"
CALLER = "15557770123"
CANARIES = (ASKED, ANSWERED, PROVIDER_KEY, CALLER, KEY, "canary")


@dataclass
class Seen:
    """What an operator's tools were given."""

    text: io.StringIO = field(default_factory=io.StringIO)
    lines: io.StringIO = field(default_factory=io.StringIO)
    others: dict[str, str] = field(default_factory=dict)

    def events(self) -> list[str]:
        return [str(record["event"]) for record in self.records()]

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]

    def check(self, *more: str) -> None:
        """See that no canary is anywhere."""
        self.others["text log"] = self.text.getvalue()
        self.others["JSON log"] = self.lines.getvalue()
        self.others |= self.reports()
        for where, told in self.others.items():
            for canary in (*CANARIES, *more):
                place = told.find(canary)
                assert place < 0, f"{where}: …{told[max(place - 300, 0) : place + 100]}…"

    def reports(self) -> dict[str, str]:
        counts, period = LineCounts(), Period("now")
        for turn in read_turns(self.lines.getvalue().splitlines(), None, counts):
            period.add(turn)
        report = made_report(period, counts)
        return {"HTML report": html_report(report), "JSON report": json_report(report)}


class NotOfSimulators(logging.Filter):
    """The far ends' own log, which is in this process because they are."""

    def filter(self, record):
        return not record.name.startswith("warmline.simulators")


@contextmanager
def logged():
    """Keep all that is logged, by anybody, however little it matters."""
    seen = Seen()
    root = logging.getLogger()
    handlers = [logging.StreamHandler(seen.text), logging.StreamHandler(seen.lines)]
    for handler, as_json in zip(handlers, (False, True), strict=True):
        handler.setFormatter(LogLines(as_json=as_json))
        handler.addFilter(NotOfSimulators())
        root.addHandler(handler)
    before = root.level, logging.getLogger("warmline").level
    root.setLevel(logging.DEBUG)
    logging.getLogger("warmline").setLevel(logging.DEBUG)
    try:
        yield seen
    finally:
        root.setLevel(before[0])
        logging.getLogger("warmline").setLevel(before[1])
        for handler in handlers:
            root.removeHandler(handler)


@asynccontextmanager
async def watched(monkeypatch):
    """Be the operator: a log, a collector and a webhook; return what came, and the alerts' settings."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with logged() as seen:
        async with collecting(monkeypatch) as collector, receiving() as (receiver, url):
            limits = ("simple_turn=0.01", "turn_with_retrieval=0.01", "voice_first_audio=0.001")
            alerts = AlertsTable(
                judge_s=1,
                confirm_s=0,
                minimum=5,
                goals=limits,
                webhook_url=f"{url}/services/canary",
                secret=Secret("canary-of-some-length"),
            )
            yield seen, alerts, receiver
            await anyio.sleep(0.2)
        seen.others["traces"] = "".join(str(body) for _, body in collector.traces)
        seen.others["metrics sent"] = "".join(str(body) for _, body in collector.metrics)
        seen.others["alerts"] = "".join(body.decode() for _, body, _ in receiver.came)


async def metrics(seen, server):
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {KEY}"})
        seen.others["metrics"] = answer.text
        seen.others["ready"] = (await http.get(f"{server.url}/ready")).text
        seen.others["health"] = (await http.get(f"{server.url}/health")).text


def quoting(text):
    """What a provider says that quotes all it was given."""
    return f"Incorrect key {PROVIDER_KEY} of {CALLER} for the prompt {text!r}"


@dataclass
class QuotingModel(ScriptedModel):
    """Fails now and then, in every way, with words that quote."""

    def stream(self, request, on_line=None):
        told = quoting(request.messages[-1].text)
        match len(self.requests) % 5:
            case 1:
                self.requests.append(request)
                raise ProviderRejected(
                    told, provider="openai", phase="first_result", status=401, code=told, request_id=told
                )
            case 2 | 3:  # Whoever is unavailable is asked twice.
                self.requests.append(request)
                raise ProviderUnavailable(told, provider="openai", phase="stream") from OSError(111, told)
        return super().stream(request, on_line)


@tool
async def look_up(name: str) -> str:
    """Look somebody up.

    Args:
        name: Who.
    """
    raise ValueError(quoting(name))


def hands(*utterances, model=None):
    stage = Stagehands(model=model or QuotingModel([f"It is {ANSWERED} today."]))
    stage.recogniser.script = [Utterance(f"{ASKED} {text}") for text in utterances]
    return stage


async def typed(client, count):
    for number in range(count):
        await say(client, "warmline.text", text=f"{ASKED} number {number}, my key is {PROVIDER_KEY}")
        while (await until(client, "warmline.turn"))["turn"]["status"] == "playing":
            pass


async def test_typed_and_spoken_turns_that_fail_in_every_way_leave_no_word_behind(monkeypatch):
    async with watched(monkeypatch) as (seen, alerts, receiver):
        stage = hands("when", "where", "who")
        stage.retriever.error = ProviderRejected(quoting(ASKED), provider="embedder", phase="first_result")
        async with running_server(stage.providers(), alerts=alerts) as server:
            async with server.connect() as client:
                await until(client, "session.created")
                await typed(client, 12)
                await speak(client, SPEECH + SILENCE)
                await until(client, "conversation.item.input_audio_transcription.completed")
                await until(client, "warmline.turn")
                await receiver.until(1)
            await server.has_no_session()
            await metrics(seen, server)
    events = seen.events()
    assert {"session.started", "floor.moved", "turn.ended", "reply.failed", "goal.broken"} <= set(events)
    failed = [record for record in seen.records() if record["event"] == "reply.failed"]
    assert {record["problem"] for record in failed} >= {"ProviderRejected"}, "an operator needs the kind"
    assert any(record.get("status") == 401 for record in failed)
    assert any(record.get("cause") == "Connection refused" for record in failed)
    assert "gen_ai.operation.name" in seen.others["traces"]
    assert "warmline_turns_total" in seen.others["metrics"]
    assert "is broken" in seen.others["alerts"]
    seen.check()


async def test_bugs_are_told_by_their_kinds_and_places_and_not_by_what_they_quote(monkeypatch):
    """In a provider's callback, in a tool, and in what a library makes of them."""

    class Buggy(ScriptedModel):
        def stream(self, request, on_line=None):
            if len(self.requests) == 1:
                raise ValueError(quoting(request.messages[-1].text))
            return super().stream(request, on_line)

    with logged() as seen:
        model = Buggy([[ToolCall("call_1", "look_up", json.dumps({"name": ASKED}))], f"It is {ANSWERED}."])
        for each in (Buggy([f"It is {ANSWERED}."]), model):
            stage = hands(model=each)
            providers = replace(stage.providers(), tools=Toolbox([look_up]))
            async with running_server(providers) as server, server.connect(close_timeout=0.2) as client:
                await until(client, "session.created")
                with suppress(ConnectionClosed):
                    for _ in range(2):
                        await say(client, "warmline.text", text=f"{ASKED} {PROVIDER_KEY}")
                        await anyio.sleep(0.2)
                await server.has_no_session()
        logging.getLogger("uvicorn.error").error(quoting(ASKED))
        try:
            raise KeyError(quoting(ASKED))
        except KeyError:
            logging.getLogger("asyncio").exception("Task exception: %r", quoting(ASKED))
    assert {"session.crashed", "tool.failed", "library.told"} <= set(seen.events())
    crashed = next(record for record in seen.records() if record["event"] == "session.crashed")
    assert "ValueError" in str(crashed["traceback"])
    assert "test_privacy.py" in str(crashed["traceback"]), "an operator needs the place"
    seen.check()


@pytest.mark.parametrize("network", ["telnyx", "twilio"])
async def test_a_call_leaves_no_word_and_no_number_behind(monkeypatch, network):
    """The network's own troubles quote the number; its words are in nobody's log."""
    records = PhoneTable(records=None)
    async with watched(monkeypatch) as (seen, _, _):
        replies = [f"It is {ANSWERED} and {ANSWER}"]
        async with telephone(f"{ASKED} when", network=network, replies=replies, phone=records) as there:
            await there.call(SAYS, LISTENS, HANGS_UP, **{"from": f"+{CALLER}"})
            await there.record()
            wrong = await there.client.post(
                f"{there.server.url}/v1/calls",
                headers={"Authorization": f"Bearer {KEY}"},
                json={"to": f"+{CALLER}"},
            )
            assert wrong.status_code in (201, 502)
            await metrics(seen, there.server)
            await anyio.sleep(0.5)
    assert {"call.began", "call.ended", "turn.ended"} <= set(seen.events())
    seen.check()


async def test_messages_leave_no_word_and_no_number_behind(monkeypatch, tmp_path):
    """Answered by the real job engine, with a network that refuses and quotes."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    note = voice_note(pcm16k(wav(tone(1.0))))
    script = WhatsAppScript(key=SIMULATED_KEY)
    person = Person(phone=CALLER, user_id="US.4477009")
    async with simulators_running(only=["whatsapp"], scripts={"whatsapp": script}) as simulated:
        environment = simulated.environment
        table = WhatsAppTable(
            token=Secret(environment["WHATSAPP_TOKEN"]),
            app_secret=Secret(environment["WHATSAPP_APP_SECRET"]),
            verify_token=Secret(environment["WHATSAPP_VERIFY_TOKEN"]),
            base_urls=(simulated.base_urls["whatsapp"],),
            phone_number_id=PHONE_NUMBER_ID,
            look_ms=20,
        )
        async with watched(monkeypatch) as (seen, alerts, _):
            model = QuotingModel([f"It is {ANSWERED} today."])
            tables = {
                "whatsapp": table,
                "alerts": alerts,
                "store": StoreTable(url=f"sqlite:///{tmp_path / 'warmline.db'}", worker="one"),
                "lines": LinesTable(certificate=simulated.certificate),
            }
            simulator = simulated.simulators["whatsapp"]
            async with running_server(hands(model=model).providers(), port=port, **tables) as server:
                simulator.faults.add(parse_fault("429"))
                steps = [step for n in range(3) for step in (Write(text=f"{ASKED} {n}"), WaitForAnswer())]
                urls = (f"http://127.0.0.1:{port}/whatsapp/webhook",)
                placed = PlacedConversation(
                    person=person, webhook_urls=urls, steps=(*steps, Speak(audio=note))
                )
                assert isinstance(simulator, WhatsAppSimulator)
                conversation = await simulator.place(placed)
                with anyio.move_on_after(25):
                    await conversation.over()
                    await anyio.sleep(3)
                await metrics(seen, server)
    assert "whatsapp.job_over" in seen.events()
    assert any(ANSWERED in (message.text or "") for message in conversation.received)
    seen.check(*environment.values())

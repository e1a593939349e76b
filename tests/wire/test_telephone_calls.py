"""Whole calls over real sockets: a simulated Telnyx rings, hears, talks, interrupts and hangs up."""

import base64
import io
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import numpy as np
import pytest
import soundfile

from tests.journeys.conversation import Stagehands
from tests.wire.server import KEY, Server, running_server
from warmline.server.settings import PhoneTable, Secret, TelnyxTable
from warmline.server.settings.provider_tables import LinesTable
from warmline.simulators.running import simulators_running
from warmline.testing.scripted import ScriptedModel, Utterance

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

ANSWER = "It is open every day from nine in the morning."
LISTENS = {"step": "wait_for_reply", "silence_ms": 400, "within_s": 4}


def speech(duration_s: float = 0.6) -> str:
    """Return a recording that the scripted detector takes for speech, in base64."""
    wav = io.BytesIO()
    at_s = np.arange(int(duration_s * 8_000)) / 8_000
    soundfile.write(wav, 0.4 * np.sin(2 * np.pi * 440 * at_s), 8_000, format="WAV", subtype="PCM_16")
    return base64.b64encode(wav.getvalue()).decode()


SAYS = {"step": "say", "audio": speech()}


HEADERS = {"Authorization": f"Bearer {KEY}"}


@dataclass
class Telephone:
    """A server and the network that it is on."""

    server: Server
    client: httpx2.AsyncClient
    control: str

    async def call(self, *steps: dict[str, Any], within_s: float = 20, **placed: Any) -> dict[str, Any]:
        """Place a call, and return the network's report when it is over."""
        asked = {"webhook_url": f"{self.server.url}/telnyx/webhook", "caller": list(steps), **placed}
        report: dict[str, Any] = (await self.client.post(f"{self.control}/calls", json=asked)).json()
        with anyio.fail_after(within_s):
            while report["ended_at_s"] is None:
                await anyio.sleep(0.05)
                report = (await self.client.get(f"{self.control}/calls/{report['id']}")).json()
        await self.server.has_no_session()
        return report

    async def dial(self, **callee: Any) -> dict[str, Any]:
        """Have the server call somebody, and return what it says of the call at once."""
        await self.client.patch(f"{self.control}/script", json={"callees": [callee]})
        url = f"{self.server.url}/v1/calls"
        answer = await self.client.post(url, headers=HEADERS, json={"to": "+15550003333"})
        record: dict[str, Any] = answer.json()
        return record

    async def ask(self, call_id: str, what: str, **body: Any) -> dict[str, Any]:
        """Ask the server to do something about a call."""
        url = f"{self.server.url}/v1/calls/{call_id}/{what}"
        answer = await self.client.post(url, headers=HEADERS, json=body)
        found: dict[str, Any] = answer.json()
        return found

    async def record(self) -> dict[str, Any]:
        """Return what the server keeps of the last call."""
        with anyio.fail_after(5):
            while True:
                found = (await self.client.get(f"{self.server.url}/v1/calls", headers=HEADERS)).json()
                if found["over"] and not found["live"]:
                    record: dict[str, Any] = found["over"][0]
                    return record
                await anyio.sleep(0.05)


@asynccontextmanager
async def telephone(*utterances: str, replies=(ANSWER,), phone: PhoneTable | None = None):
    hands = Stagehands(model=ScriptedModel(list(replies)))
    hands.recogniser.script = [Utterance(text) for text in utterances]
    async with simulators_running(only=["telnyx"]) as simulated:
        trusted = ssl.create_default_context(cafile=simulated.certificate)
        environment = simulated.environment
        tables: dict[str, Any] = {
            "telnyx": TelnyxTable(
                Secret(environment["TELNYX_API_KEY"]),
                Secret(environment["TELNYX_PUBLIC_KEY"]),
                (simulated.base_urls["telnyx"],),
                connection_id="simulated",
                number="+15550002222",
            ),
            "lines": LinesTable(certificate=simulated.certificate),
            "phone": phone or PhoneTable(),
        }
        async with (
            running_server(hands.providers(), **tables) as server,
            httpx2.AsyncClient(verify=trusted) as client,
        ):
            yield Telephone(server, client, simulated.control_urls["telnyx"])


async def test_a_caller_is_answered_heard_and_told():
    """And what the server measured is what the caller's ear heard."""
    async with telephone("when do you open") as there:
        report = await there.call({"step": "wait", "wait_s": 0.5}, SAYS, LISTENS, {"step": "hang_up"})
        _, turn = report["turns"]
        assert turn["underruns"] == 0
        assert 400 < turn["response_ms"] < 1_000
        assert report["ended_by"] == "person"
        assert not any(stream["errors"] for stream in report["streams"])
        record = await there.record()
    assert (record["state"], record["ended_by"], record["streams"]) == ("ended", "caller", 1)
    assert record["figures"]["turns"] == 1
    assert abs(record["figures"]["response_p50_ms"] - turn["response_ms"]) < 60


async def test_an_interruption_is_silence_at_once():
    async with telephone("when do you open", "no wait", replies=(ANSWER * 3, "Yes?")) as there:
        interrupts = {"step": "interrupt", "audio": speech(0.9), "after_ms": 900}
        report = await there.call(SAYS, interrupts, LISTENS, {"step": "hang_up"})
        interruption = report["turns"][2]
        assert interruption["was_interruption"]
        assert interruption["silenced_after_ms"] < 400
        assert sum(stream["clears"] for stream in report["streams"]) >= 1
        assert (await there.record())["figures"]["interrupted"] == 1


@pytest.mark.parametrize(
    "faults",
    [
        {"duplicate_webhooks": True, "reorder_webhooks": True},
        {"duplicate_media": True, "reorder_media": True},
        {"codec": "PCMA"},
        {"codec": "L16/16000"},
        {"lose_stop": True},
        {"lose_hangup": True},
    ],
    ids=lambda faults: " ".join(faults),
)
async def test_a_network_at_its_worst_is_understood(faults):
    async with telephone("when do you open") as there:
        report = await there.call(SAYS, LISTENS, {"step": "hang_up"}, faults=faults)
        assert report["turns"][1]["response_ms"] is not None
        record = await there.record()
    assert (record["figures"]["turns"], record["state"]) == (1, "ended")


@pytest.mark.parametrize("faults", [{"forge_webhooks": True}, {"stale_webhooks": True}], ids=str)
async def test_a_network_that_is_none_begins_nothing(faults):
    async with telephone() as there:
        report = await there.call(SAYS, faults=faults, ring_s=1.5)
        assert report["answered_at_s"] is None
        assert report["commands"] == []
        assert await there.server.session_count() == 0


@pytest.mark.parametrize("moment", ["initiated", "answered", "streaming", "speaking", "replying"])
async def test_hanging_up_at_any_moment_leaves_nothing(moment):
    async with telephone("when do you open") as there:
        await there.call(SAYS, LISTENS, faults={"hang_up_at": moment})
        assert (await there.record())["state"] == "ended"


async def test_the_agent_that_is_told_goodbye_hangs_up():
    async with telephone("goodbye") as there:
        report = await there.call(SAYS, {"step": "stay"})
        assert report["ended_by"] == "server"
        assert [command["name"] for command in report["commands"]][-1] == "hangup"
        assert (await there.record())["reason"] == "goodbye"


async def test_keys_are_a_turn():
    async with telephone() as there:
        report = await there.call({"step": "press", "digits": "12#"}, LISTENS, {"step": "hang_up"})
        assert report["turns"][0]["reply_began_s"] is not None
        assert (await there.record())["figures"]["turns"] == 1


async def test_who_is_not_answered_hears_why():
    phone = PhoneTable(hours=("mon 00:00-00:01",), closed_text="We are closed.")
    async with telephone(phone=phone) as there:
        report = await there.call({"step": "stay"})
        assert [command["name"] for command in report["commands"]] == ["answer", "speak", "hangup"]
        assert report["turns"][0]["reply_began_s"] is not None
        assert (await there.record())["refusal"] == "closed"

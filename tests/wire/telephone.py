"""A server on a simulated telephone network, in the test's own loop."""

import base64
import io
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import httpx2
import numpy as np
import soundfile

from tests.journeys.conversation import Stagehands
from tests.wire.server import KEY, Server, running_server
from warmline.server.settings import AgentTable, PhoneTable, Secret, TelnyxTable, TwilioTable
from warmline.server.settings.provider_tables import LinesTable
from warmline.session.settings import SessionSettings
from warmline.simulators.running import Running, simulators_running
from warmline.testing.scripted import ScriptedModel, Utterance

ANSWER = "It is open every day from nine in the morning."
LISTENS = {"step": "wait_for_reply", "silence_ms": 400, "within_s": 4}
HANGS_UP = {"step": "hang_up"}
NUMBER = "+15550002222"
HEADERS = {"Authorization": f"Bearer {KEY}"}
WEBHOOKS = {"telnyx": "/telnyx/webhook", "twilio": "/twilio/voice"}


def speech(duration_s: float = 0.6) -> str:
    """Return a recording that the scripted detector takes for speech, in base64."""
    wav = io.BytesIO()
    at_s = np.arange(int(duration_s * 8_000)) / 8_000
    soundfile.write(wav, 0.4 * np.sin(2 * np.pi * 440 * at_s), 8_000, format="WAV", subtype="PCM_16")
    return base64.b64encode(wav.getvalue()).decode()


SAYS = {"step": "say", "audio": speech()}


@dataclass
class Telephone:
    """A server and the network that it is on."""

    server: Server
    client: httpx2.AsyncClient
    control: str
    network: str

    async def call(self, *steps: dict[str, Any], **placed: Any) -> dict[str, Any]:
        """Place a call, and return the network's report when it is over."""
        asked = {"webhook_url": self.server.url + WEBHOOKS[self.network], "caller": list(steps), **placed}
        if self.network == "twilio":
            asked["status_callback"] = f"{self.server.url}/twilio/status"
        report: dict[str, Any] = (await self.client.post(f"{self.control}/calls", json=asked)).json()
        report = await self.report(report["id"])
        await self.server.has_no_session()
        return report

    async def report(self, call_id: str = "") -> dict[str, Any]:
        """Return the network's report of a call when it is over; of the newest by default."""
        with anyio.fail_after(20):
            while True:
                calls = (await self.client.get(f"{self.control}/calls")).json()
                newest = call_id or (calls[-1]["id"] if calls else "")
                if newest:
                    url = f"{self.control}/calls/{newest}"
                    report: dict[str, Any] = (await self.client.get(url)).json()
                    if report["ended_at_s"] is not None:
                        return report
                await anyio.sleep(0.05)

    async def dial(self, *steps: dict[str, Any], **callee: Any) -> dict[str, Any]:
        """Have the server call somebody, and return what it says of the call at once."""
        answers = await self.client.post(f"{self.control}/callees", json={"caller": list(steps), **callee})
        assert answers.is_success, answers.text
        url = f"{self.server.url}/v1/calls"
        answer = await self.client.post(url, headers=HEADERS, json={"to": "+15550003333"})
        record: dict[str, Any] = answer.json()
        assert answer.status_code == 201, record
        return record

    async def ask(self, call_id: str, what: str, **body: Any) -> httpx2.Response:
        """Ask the server to do something about a call."""
        url = f"{self.server.url}/v1/calls/{call_id}/{what}"
        return await self.client.post(url, headers=HEADERS, json=body)

    async def state(self, call_id: str) -> str:
        """Return where the server says that a call is."""
        found = await self.client.get(f"{self.server.url}/v1/calls/{call_id}", headers=HEADERS)
        return str(found.json()["state"])

    async def until(self, call_id: str, state: str) -> None:
        """Wait until a call is there."""
        with anyio.fail_after(10):
            while await self.state(call_id) != state:  # noqa: ASYNC110 - a program outside would poll as well
                await anyio.sleep(0.05)

    async def record(self) -> dict[str, Any]:
        """Return what the server keeps of the last call, when it is over."""
        with anyio.fail_after(15):
            while True:
                found = (await self.client.get(f"{self.server.url}/v1/calls", headers=HEADERS)).json()
                if found["over"] and not found["live"]:
                    record: dict[str, Any] = found["over"][0]
                    return record
                await anyio.sleep(0.05)


@asynccontextmanager
async def telephone(
    *utterances: str,
    replies=(ANSWER,),
    phone: PhoneTable | None = None,
    network: str = "telnyx",
    greeting: str = "",
):
    """Run a server with scripted far ends and a simulated network; its speech is recognised as scripted."""
    hands = Stagehands(model=ScriptedModel(list(replies)), settings=SessionSettings())
    hands.recogniser.script = [Utterance(text) for text in utterances]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    async with simulators_running(only=[network]) as simulated:
        trusted = ssl.create_default_context(cafile=simulated.certificate)
        tables: dict[str, Any] = {
            network: table(network, simulated),
            "agent": AgentTable(greeting=greeting),
            "lines": LinesTable(certificate=simulated.certificate),
            "phone": replace(phone or PhoneTable(), public_url=f"http://127.0.0.1:{port}"),
        }
        async with (
            running_server(hands.providers(), port=port, **tables) as server,
            httpx2.AsyncClient(verify=trusted) as client,
        ):
            yield Telephone(server, client, simulated.control_urls[network], network)


def table(network: str, simulated: Running) -> TelnyxTable | TwilioTable:
    """Return the settings of a network."""
    keys = {name: Secret(value) for name, value in simulated.environment.items()}
    urls = (simulated.base_urls[network],)
    if network == "twilio":
        return TwilioTable(keys["TWILIO_ACCOUNT_SID"], keys["TWILIO_AUTH_TOKEN"], urls, number=NUMBER)
    return TelnyxTable(
        keys["TELNYX_API_KEY"],
        keys["TELNYX_PUBLIC_KEY"],
        urls,
        connection_id="simulated",
        number=NUMBER,
    )

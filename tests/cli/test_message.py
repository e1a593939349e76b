"""`warmline message --simulate` against a small server, with the simulator in this process."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.simulators.whatsapp_server import api, whatsapp_server
from warmline.cli.simulated_server import SimulatedServer, told_to_others
from warmline.simulators.running import simulators_running
from warmline.simulators.whatsapp.notes import sound_facts

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

QUESTION = Path(__file__).parents[2] / "examples" / "when-are-you-open.wav"


@asynccontextmanager
async def served(monkeypatch, tmp_path, on_message):
    """Run the simulator and a server that does something about messages; commands find them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    async with (
        simulators_running(only=["whatsapp"]) as running,
        whatsapp_server(running) as server,
        api(running) as client,
    ):

        async def on_any(message):
            await on_message(client, message)

        server.on_message = on_any
        url = server.url.removesuffix("/webhook")
        found = SimulatedServer(url, running.control_urls, str(running.certificate), os.getpid())
        with told_to_others(found):
            yield running.simulators["whatsapp"], server


async def message(*arguments: str) -> tuple[int, str, str]:
    """Return the exit status, the output and the messages of the command."""
    command = [sys.executable, "-m", "warmline.cli.main", "message", *arguments]
    done = await anyio.run_process(command, check=False, env={**os.environ, "COLUMNS": "160"})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def answer_in_kind(client, told):
    """Answer speech with what was said, and words by words."""
    await client.send(status="read", message_id=told["id"], typing_indicator={"type": "text"})
    if told["type"] == "audio":
        _, place = await client.ask("GET", told["audio"]["id"])
        async with client.client.get(place["url"]) as response:
            _, uploaded = await client.upload(await response.read())
        content = {"type": "audio", "audio": {"id": uploaded["id"], "voice": True}}
    else:
        content = {"type": "text", "text": {"body": f"You wrote: [{told['text']['body']}]"}}
    await client.send(to=told["from"], **content)


async def test_each_message_waits_for_the_answer_before(monkeypatch, tmp_path):
    """A table says when what came of it, and voice notes are files."""
    async with served(monkeypatch, tmp_path, answer_in_kind) as (simulator, _):
        out = tmp_path / "notes"
        arguments = ["--simulate", "--quiet", "0.1", "--out", str(out), str(QUESTION), "And on [Sundays]?"]
        status, output, errors = await message(*arguments)
        (chat,) = simulator.business.chats
    assert (status, errors) == (0, "")
    spoken, written = [line for line in output.splitlines() if " ms " in line]
    assert spoken.split()[0] == QUESTION.name
    assert "voice note" in spoken
    assert "1-1.ogg" in spoken
    assert "And on [Sundays]?" in written
    assert "You wrote: [And on [Sundays]?]" in written
    facts = sound_facts((out / "1-1.ogg").read_bytes())
    assert facts is not None
    assert facts.seconds == pytest.approx(chat.sent[0].seconds)
    assert [each.type for each in chat.sent] == ["audio", "text"]
    assert chat.received[0].at_s < chat.sent[1].at_s


async def test_a_person_may_be_somebody_else_and_the_report_json(monkeypatch, tmp_path):
    async def answer(client, told):
        await client.send(recipient=told["from_user_id"], type="text", text={"body": "Hello."})

    async with served(monkeypatch, tmp_path, answer):
        status, output, _ = await message("--simulate", "--json", "--quiet", "0", "--as", "US.1349", "hello")
    report = json.loads(output)
    assert (status, report["person"], report["state"]) == (0, "US.1349", "over")
    assert [each["text"] for each in report["received"]] == ["Hello."]
    assert report["turns"][0]["answer_ms"] > 0


async def test_what_is_not_answered_is_said_to_be_so(monkeypatch, tmp_path):
    async def say_nothing(_, __):
        pass

    async with served(monkeypatch, tmp_path, say_nothing) as (_, server):
        server.status = 503
        status, output, errors = await message("--simulate", "--wait", "0.5", "hello")
    assert (status, errors) == (1, "")
    assert "none came" in output
    assert f"the server answered {server.url.replace('/webhook', '/whatsapp/webhook')} with" in output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["hello"], "add --simulate"),
        (["--simulate", "missing.wav"], "reading missing.wav: No such file"),
        (["--simulate", "hello"], "start `warmline serve --simulate` first"),
    ],
)
async def test_what_cannot_be_done_is_one_message(monkeypatch, tmp_path, arguments, says):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    status, output, errors = await message(*arguments)
    assert (status, output) == (2, "")
    assert says in " ".join(errors.split())
    assert "Traceback" not in errors

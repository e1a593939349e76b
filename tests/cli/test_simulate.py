"""`warmline simulate`, and the commands that bring simulators along: real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from warmline.pool.dialling import ssl_context

pytestmark = [pytest.mark.wire, pytest.mark.alone]

COMMAND = [sys.executable, "-m", "warmline.cli.main"]


@contextmanager
def simulating(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run simulators; yield the process and what it tells of itself."""
    process = subprocess.Popen(
        [*COMMAND, "simulate", "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)
        yield process, json.loads(line)
    finally:
        process.kill()
        process.communicate(timeout=10)


def started_by(process_id: int) -> set[int]:
    """Return the processes that a process started, and those that they did."""
    parents = {}
    for folder in Path("/proc").iterdir():
        try:
            # After the name, which may have anything in it: the state and the parent.
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found = {process_id}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process_id}


def client_of(told: dict[str, Any]) -> httpx.Client:
    return httpx.Client(verify=ssl_context(told["certificate"]))


def test_what_it_tells_is_enough_to_use_and_to_change_them():
    with simulating() as (_, told):
        networks = {"telnyx", "twilio", "whatsapp"}
        assert set(told["base_urls"]) == {"openai", "anthropic", "elevenlabs", "deepgram", *networks}
        assert told["settings"]["openai.base_urls"] == [told["base_urls"]["openai"]]
        assert told["settings"]["telnyx.base_urls"] == [told["base_urls"]["telnyx"]]
        assert told["settings"]["whatsapp.phone_number_id"] == "106540352242922"
        assert len(told["environment"]["TELNYX_PUBLIC_KEY"]) == 44
        assert {"WHATSAPP_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN"} <= set(told["environment"])
        assert (told["proxy"], told["dns_server"]) == ("", "")
        with client_of(told) as client:
            base, control = told["base_urls"]["openai"], told["control_urls"]["openai"]
            headers = {"authorization": f"Bearer {told['environment']['OPENAI_API_KEY']}"}
            assert client.get(f"{base}/models", headers=headers).json()["data"]

            assert client.post(f"{control}/faults", content="503;times=1").json()[0]["kind"] == "503"
            assert client.get(f"{base}/models", headers=headers).status_code == 503
            assert client.get(f"{control}/faults").json() == []
            client.post(f"{control}/faults", json={"kind": "500", "times": 0})
            assert client.delete(f"{control}/faults").json() == []

            assert client.patch(f"{control}/script", json={"token_ms": 3}).json()["token_ms"] == 3
            assert client.get(f"{control}/script").json()["token_ms"] == 3
            asked = client.get(f"{control}/requests").json()
            assert [each["status"] for each in asked] == [200, 503]
            assert asked[1]["fault"] == "503"
            assert client.get(f"{control}/active").json() == {"active": 0}

            for wrong in (
                client.post(f"{control}/faults", content="explode"),
                client.post(f"{control}/faults", json={"kind": "cut", "afetr": 3}),
                client.patch(f"{control}/script", json={"tokens_ms": 3}),
                client.get(f"{base}/models", headers={**headers, "x-simulated-fault": "explode"}),
            ):
                assert wrong.status_code == 400
                assert wrong.json()["problem"]


def test_only_one_provider_on_a_port_of_ones_own_behind_a_network(tmp_path, free_tcp_port):
    certificate = tmp_path / "trust.pem"
    arguments = ["--only", "deepgram", "--port", str(free_tcp_port), "--certificate", str(certificate)]
    with simulating(*arguments, "--profile", "us-local") as (_, told):
        assert told["base_urls"] == {"deepgram": f"https://deepgram.warmline.test:{free_tcp_port}"}
        assert certificate.read_text() == Path(told["certificate"]).read_text()
        assert told["proxy"] == told["settings"]["lines.proxy"]
        assert told["dns_server"] == told["settings"]["lines.dns_server"]
        with httpx.Client(verify=ssl_context(str(certificate)), proxy=told["proxy"]) as client:
            headers = {"authorization": "Token any"}
            projects = client.get(f"{told['base_urls']['deepgram']}/v1/projects", headers=headers)
            assert projects.json()["projects"]


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc for processes")
@pytest.mark.parametrize("profile", ["loopback", "us-local"])
def test_ctrl_c_ends_it_without_a_word_and_nothing_is_left(profile):
    with simulating("--profile", profile) as (process, told):
        settings = {"proxy": told["proxy"]} if told["proxy"] else {}
        with httpx.Client(verify=ssl_context(told["certificate"]), **settings) as client:
            # The voice has a process of its own, and the connection is open at the end.
            headers = {"xi-api-key": "any"}
            url = f"{told['base_urls']['elevenlabs']}/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM"
            assert client.post(url, headers=headers, json={"text": "Hello."}).status_code == 200
            helpers = started_by(process.pid)
            assert helpers
            os.kill(process.pid, signal.SIGINT)
            told_last, complaint = process.communicate(timeout=10)
        assert (process.returncode, told_last, complaint) == (0, "", "")
        assert not [helper for helper in helpers if Path(f"/proc/{helper}").exists()]
        assert not Path(told["certificate"]).exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["simulate", "--profile", "mars"], "there is no profile 'mars'; there are loopback, us-local"),
        (["simulate", "--only", "acme"], "simulating acme: there is none such; there are openai"),
        (["simulate", "--vocabulary", "missing.txt"], "missing.txt"),
        (["talk", "--text", "hello", "--simulate", "--profile", "mars"], "there is no profile 'mars'"),
    ],
)
def test_what_it_does_not_know_is_one_message(arguments, says):
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_conversation_goes_through_all_three_providers():
    """Deepgram hears the recording, OpenAI answers, ElevenLabs speaks."""
    question = Path(__file__).parents[2] / "examples" / "when-are-you-open.wav"
    done = subprocess.run(
        [*COMMAND, "talk", str(question), "--text", "Hello", "--simulate", "--speed", "2", "--json"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    spoken, written = map(json.loads, done.stdout.splitlines())
    assert (spoken["user_text"], written["user_text"]) == ("when are you open", "Hello")
    for turn in (spoken, written):
        assert turn["status"] == "completed"
        assert turn["heard_text"].startswith("Here is what I know.")
        assert sum(part["duration_us"] for part in turn["contributions"]) == turn["response_us"] > 0
    used = [[line["endpoint"] for line in turn["lines"]] for turn in (spoken, written)]
    assert used == [["deepgram", "openai", "elevenlabs"], ["openai", "elevenlabs"]]

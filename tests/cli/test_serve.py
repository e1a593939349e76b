"""`warmline serve` as a person runs it: a process, a port, signals, and what it writes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.wire

KEY = "a-very-secret-key-of-mine"
WHISPER = "xylophone"


@dataclass
class Served:
    """A server's process and what it has written so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    is_ready: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if match := re.search(r"http://[\w.:\[\]]+/", line):
                self.url = match[0]
                self.is_ready.set()

    def stop(self, number: signal.Signals) -> int:
        """Send a signal to this process alone; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(10)

    def children(self) -> list[int]:
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(pid) for pid in listed.stdout.split()]


@contextmanager
def served(*arguments: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "warmline.cli.main", "serve", "--port", "0", *arguments]
    environment = {**os.environ, "WARMLINE_API_KEY": KEY}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        server = Served(process)
        reader = threading.Thread(target=server.read)
        reader.start()
        try:
            assert server.is_ready.wait(60), "".join(server.lines)
            yield server
        finally:
            process.kill()
            reader.join()


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_server_its_conversations_and_its_processes(number):
    """With status 0, and a word to whoever is connected."""
    with served() as server:
        children = server.children()
        assert len(children) >= 2
        address = server.url.replace("http", "ws") + "v1/realtime"
        with connect(address, additional_headers={"Authorization": f"Bearer {KEY}"}) as client:
            assert json.loads(client.recv())["type"] == "session.created"
            assert server.stop(number) == 0
            events: list[dict[str, str]] = []
            with pytest.raises(ConnectionClosedError) as closed:
                events.extend(json.loads(client.recv()) for _ in iter(int, 1))
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
            last = events[-1]
            assert (last["type"], last["reason"]) == ("warmline.session.ended", "shutdown")
        assert not any(map(is_alive, children))


def test_log_holds_neither_keys_nor_what_was_said():
    """At its most talkative, as JSON for programs."""
    with served("--set", "log.level=debug", "--set", "log.json=true") as server:
        address = server.url.replace("http", "ws") + "v1/realtime"
        with pytest.raises(InvalidStatus):
            connect(address, additional_headers={"Authorization": f"Bearer {KEY}x"})
        with connect(address, additional_headers={"Authorization": f"Bearer {KEY}"}) as client:
            client.send(json.dumps({"type": "warmline.text", "text": f"when can I play the {WHISPER}"}))
            reply = ""
            for message in client:
                event = json.loads(message)
                if event["type"] == "response.output_audio_transcript.delta":
                    reply += event["delta"]
                if event["type"] == "response.output_audio.delta":
                    break
        page = httpx2.get(server.url).text
        token = re.search(r'"token": "([^"]+)"', page)
        assert token is not None
        server.stop(signal.SIGINT)
    log = "".join(server.lines)
    records = [json.loads(line) for line in server.lines if line.startswith("{")]
    assert {"client.refused", "session.started", "floor.moved", "session.ended"} <= {
        r["event"] for r in records
    }
    assert reply.split(".")[0] not in log
    for secret in (KEY, WHISPER, token[1]):
        assert secret not in log


def test_taken_port_is_said_at_once():
    """Before anything is loaded."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "warmline.cli.main", "serve", "--port", str(port)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port 0" in done.stderr


def test_own_documents_are_read_and_the_unreadable_named(tmp_path):
    """Answers come from them; what was left out is said, and why."""
    (tmp_path / "boats.md").write_text(
        "# Boats\n\nThe red boat leaves the harbour at seven in the morning.\n"
    )
    (tmp_path / "fares.html").write_text("<h1>Fares</h1><p>A crossing costs four dollars for everybody.</p>")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nonsense")
    with served("--documents", str(tmp_path)) as server:
        assert any("broken.pdf" in line for line in server.lines)
        facts = json.loads(
            re.findall(r'id="warmline-session">(.*?)</script>', httpx2.get(server.url).text)[0]
        )
        assert facts["documents"]["files"] == 2
        address = server.url.replace("http", "ws") + "v1/realtime"
        with connect(address, additional_headers={"Authorization": f"Bearer {KEY}"}) as client:
            client.send(json.dumps({"type": "warmline.text", "text": "How much is a crossing?"}))
            said = next(
                event["delta"]
                for event in map(json.loads, client)
                if event["type"] == "response.output_audio_transcript.delta"
            )
        assert "four dollars" in said


def test_simulated_turns_are_not_kept_among_those_of_people(tmp_path):
    """Unless the command itself says where."""
    config = tmp_path / "warmline.toml"
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/real.db"\n', "utf-8")
    told = ["--simulate", "--config", str(config)]
    with served(*told) as server:
        history = httpx2.get(f"{server.url}health").json()["history"]
    assert history["is_on"]
    assert not (tmp_path / "real.db").exists()
    with served(*told, "--set", f"store.url=sqlite:///{tmp_path}/tried.db"):
        assert (tmp_path / "tried.db").exists()

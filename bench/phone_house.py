"""A server and the simulators, each a process of its own, as `phone.py` measures them."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import anyio
import anyio.abc
import msgspec

from warmline.cli.simulated import Simulated, simulated
from warmline.simulators.telephone.placing import CallFaults
from warmline.simulators.telephone.report import CallReport
from warmline.simulators.telephone.steps import Step

__all__ = ["House", "Process", "house"]

_KEY: Final = "the-key-of-this-bench"
_START_S: Final = 60.0
_STOP_S: Final = 10.0
_LOOK_S: Final = 0.2
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """What the operating system tells of one; Linux alone does it this way."""

    pid: int

    @property
    def cpu_s(self) -> float:
        """Processor time it has used, by itself and not by its children."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    @property
    def memory_mb(self) -> float:
        """What it holds in memory."""
        told = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", told)
        return int(found[1]) / 1024 if found else 0.0

    @property
    def sockets(self) -> int:
        """How many it has open."""
        count = 0
        for each in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(OSError):
                count += str(each.readlink()).startswith("socket:")
        return count


@dataclass(frozen=True)
class House:
    """Where everything is."""

    found: Simulated
    url: str
    """The server's."""

    server: Process
    simulators: Process
    log: Path
    """What the server said."""

    client: aiohttp.ClientSession

    async def script(self, provider: str, **changes: object) -> None:
        """Change a simulator's script."""
        await self.asked("PATCH", f"{self.found.control_urls[provider]}/script", changes)

    async def fault(self, provider: str, fault: str) -> None:
        """Have something go wrong with a simulator's next request."""
        await self.asked("POST", f"{self.found.control_urls[provider]}/faults", fault)

    async def has_fault_left(self, provider: str) -> bool:
        """Return whether a fault has met nothing yet."""
        return bool(await self.asked("GET", f"{self.found.control_urls[provider]}/faults"))

    async def warnings(self) -> int:
        """Return how many warnings and errors the server has logged; a line that is lost is one."""
        told = await anyio.Path(self.log).read_text("utf-8", "replace")
        return len(re.findall(r"^\S+ (?:warning|error) ", told, re.MULTILINE))

    async def active(self) -> dict[str, int]:
        """Return how many requests and sockets each simulator serves."""
        urls = self.found.control_urls.items()
        return {name: (await self.asked("GET", f"{url}/active"))["active"] for name, url in urls}

    async def health(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        return dict(await self.asked("GET", f"{self.url}/health"))

    async def record(self, network_id: str) -> dict[str, Any]:
        """Return what the server keeps of a call that is over."""
        for each in (await self.asked("GET", f"{self.url}/v1/calls"))["over"]:
            if each["network_id"] == network_id:
                return dict(each)
        raise LookupError(f"the server knows no call {network_id}")

    async def live_calls(self) -> set[str]:
        """Return the calls that the server holds, by the network's names for them."""
        return {each["network_id"] for each in (await self.asked("GET", f"{self.url}/v1/calls"))["live"]}

    async def place(self, steps: Sequence[Step], faults: CallFaults | None = None) -> str:
        """Call the server; return the simulator's name for the call, which rings."""
        placed = {
            "webhook_url": f"{self.url}/telnyx/webhook",
            "caller": msgspec.to_builtins(steps),
            "faults": msgspec.to_builtins(faults or CallFaults()),
        }
        return str((await self.asked("POST", f"{self._calls}", placed))["id"])

    async def over(self, names: Collection[str]) -> list[CallReport]:
        """Wait until calls are over; return how they went."""
        waiting = set(names)
        while waiting:
            await anyio.sleep(_LOOK_S)
            for each in await self.asked("GET", self._calls):
                if each["state"] == "ended":
                    waiting.discard(each["id"])
        return [await self.report(name) for name in names]

    async def report(self, name: str) -> CallReport:
        """Return how a call went, or has gone so far."""
        report: CallReport = msgspec.convert(await self.asked("GET", f"{self._calls}/{name}"), CallReport)
        return report

    async def heard(self, name: str) -> bytes:
        """Return what a caller heard, as a WAV file."""
        async with self.client.get(f"{self._calls}/{name}/heard.wav") as response:
            return await response.read()

    @property
    def _calls(self) -> str:
        return f"{self.found.control_urls['telnyx']}/calls"

    async def asked(self, method: str, url: str, body: object = None) -> Any:
        """Return what the server or a simulator answers."""
        data = body if isinstance(body, str) else None
        async with self.client.request(
            method, url, data=data, json=None if data is not None else body
        ) as response:
            told = await response.json(content_type=None)
            if response.status >= 300:
                raise RuntimeError(f"{method} {url}: {response.status} {told}")
            return told


@asynccontextmanager
async def house(sets: Sequence[str], profile: str = "loopback") -> AsyncIterator[House]:
    """Run simulators and a server until the context is left; the server has a core of its own.

    Args:
        sets: The server's settings, as `--set` takes them.
        profile: The network before the simulators.
    """
    cores = sorted(os.sched_getaffinity(0))
    # Processes inherit it. This one does next to nothing, and stays with the simulators.
    _pin(cores[1:] or cores)
    try:
        async with simulated(profile) as found:
            simulators = Process(_only_child())
            _pin(cores[:1])
            async with _served(found, sets) as (server, url, log):
                _pin(cores[1:] or cores)
                trusted = ssl.create_default_context(cafile=found.certificate)
                headers = {"authorization": f"Bearer {_KEY}"}
                connector = aiohttp.TCPConnector(ssl=trusted)
                async with aiohttp.ClientSession(connector=connector, headers=headers) as client:
                    yield House(found, url, server, simulators, log, client)
    finally:
        _pin(cores)


def _pin(cores: Collection[int]) -> None:
    os.sched_setaffinity(0, cores)


@asynccontextmanager
async def _served(found: Simulated, sets: Sequence[str]) -> AsyncIterator[tuple[Process, str, Path]]:
    chosen = {
        "providers.stt": "deepgram",
        "providers.llm": "openai",
        "providers.tts": "elevenlabs",
        **found.settings,
    }
    environment = {**os.environ, **found.environment, "WARMLINE_API_KEY": _KEY}
    with tempfile.TemporaryDirectory(prefix="warmline-bench-") as folder:
        chosen["store.url"] = f"sqlite:///{folder}/warmline.db"
        # TOML and JSON write texts, numbers and lists alike.
        told = [f"{name}={msgspec.json.encode(value).decode()}" for name, value in chosen.items()]
        command = [sys.executable, "-m", "warmline.cli.main", "serve", "--port", "0"]
        for each in [*told, *sets]:
            command += ["--set", each]
        log = Path(folder, "server.log")
        with open(log, "wb") as file:  # noqa: ASYNC230 - a file of this machine's, at start-up
            process = await anyio.open_process(
                command, stdin=subprocess.DEVNULL, stderr=file, env=environment
            )
        try:
            yield Process(process.pid), await _url(process, log), log
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)


async def _url(process: anyio.abc.Process, log: Path) -> str:
    told = ""
    with anyio.move_on_after(_START_S):
        while process.returncode is None:
            told = await anyio.Path(log).read_text("utf-8", "replace")
            if found := re.search(r"Talk at (http://[\d.:]+)/", told):
                return found[1]
            await anyio.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{told}")


async def _stop(process: anyio.abc.Process) -> None:
    if process.returncode is None:
        process.terminate()
    with anyio.move_on_after(_STOP_S):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
    await process.aclose()


def _only_child() -> int:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    if len(children) != 1:
        raise RuntimeError(f"there is one process of simulators, and {len(children)} were found")
    return int(children[0])

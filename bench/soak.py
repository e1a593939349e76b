"""Many callers on few lines for long: is any line, task or file descriptor left over?

A hundred sessions at once talk, interrupt, fall silent and hang up for ten minutes, against simulators
that drop, stall and refuse now and then. `python bench/soak.py [--json] [--quick]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import asyncio
import gc
import json
import logging
import random
import ssl
import sys
import urllib.request
from dataclasses import asdict, dataclass, field

import anyio
from rich.console import Console
from rich.table import Table

from warmline.channels.local.endpoint import LocalChannel
from warmline.channels.local.speakers import ReckonedSpeaker
from warmline.cli.simulated import Simulated, settings_with, simulated
from warmline.core.clock import SystemClock
from warmline.interfaces.channel import FloorChanged, SessionEvent, TurnMeasured
from warmline.server.assembly import open_providers, session_settings
from warmline.server.services.knowledge import load_knowledge
from warmline.server.settings import Settings
from warmline.session.session import Session
from warmline.session.settings import Providers
from warmline.timeline.report import TurnReport, TurnStatus
from warmline.turns.floor import Floor

CLOCK = SystemClock()
FAULTS = ("cut;after=3", "stall;after=2", "500", "429", "mute", "garbage;after=1")


@dataclass
class Counts:
    """What happened."""

    calls: int = 0
    turns: int = 0
    interrupted: int = 0
    unanswered: int = 0
    """Turns without a sound within 15 s."""

    reports: list[TurnReport] = field(default_factory=list)


@dataclass
class Left:
    """What a process holds."""

    file_descriptors: int
    tasks: int
    sockets: int


def held() -> Left:
    """Return what this process holds now."""
    gc.collect()
    names = os.listdir("/proc/self/fd")
    links = []
    for name in names:
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return Left(len(links), len(asyncio.all_tasks()), sum(link.startswith("socket:") for link in links))


def post(found: Simulated, provider: str, path: str, body: bytes, method: str = "POST") -> None:
    """Tell a simulator something."""
    request = urllib.request.Request(f"{found.control_urls[provider]}/{path}", body, method=method)
    context = ssl.create_default_context(cafile=found.certificate)
    urllib.request.urlopen(request, context=context).close()


class Caller:
    """One person after another, on one line of the house."""

    def __init__(self, settings: Settings, providers: Providers, counts: Counts, seed: int) -> None:
        self._settings = settings
        self._providers = providers
        self._counts = counts
        self._draw = random.Random(seed)
        self._is_open = True
        self._changed = anyio.Event()
        self._sounded = anyio.Event()

    async def run(self, until_s: float) -> None:
        """Call again and again."""
        await anyio.sleep(self._draw.uniform(0, 3))
        while CLOCK.now_s() < until_s:
            self._counts.calls += 1
            channel = LocalChannel(ReckonedSpeaker(CLOCK, speed=4), self._show)
            session = Session(channel, self._providers, session_settings(self._settings), CLOCK)
            channel.attach(session)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(channel.run)
                tasks.start_soon(session.run)
                await self._talk(session, until_s)
                session.hang_up()
                tasks.cancel_scope.cancel()

    async def _talk(self, session: Session, until_s: float) -> None:
        for _ in range(self._draw.randint(2, 6)):
            await anyio.sleep(self._draw.choice((0.2, 1.0, 3.0, 8.0)))
            if CLOCK.now_s() >= until_s:
                return
            self._counts.turns += 1
            self._sounded = anyio.Event()
            session.receive_text("When are you open, and what does it cost?")
            with anyio.move_on_after(15) as waiting:
                await self._sounded.wait()
            if waiting.cancelled_caught:
                self._counts.unanswered += 1
            if self._draw.random() < 0.4:
                self._counts.interrupted += 1
                continue
            with anyio.move_on_after(20):
                while not self._is_open:
                    await self._changed.wait()

    def _show(self, event: SessionEvent) -> None:
        if isinstance(event, FloorChanged):
            self._is_open = event.floor in (Floor.OPEN, Floor.CLOSED)
            self._changed.set()
            self._changed = anyio.Event()
        elif isinstance(event, TurnMeasured) and event.report.status is TurnStatus.PLAYING:
            self._counts.reports.append(event.report)
            self._sounded.set()


async def make_trouble(found: Simulated) -> None:
    """Have something go wrong every two seconds."""
    draw = random.Random(7)
    while True:
        await anyio.sleep(2)
        provider, fault = draw.choice(("openai", "elevenlabs", "deepgram")), draw.choice(FAULTS)
        await anyio.to_thread.run_sync(post, found, provider, "faults", fault.encode())


async def soak(sessions: int, duration_s: float, progress: Console) -> dict[str, object]:
    """Return what happened, and what was left over."""
    counts = Counts()
    async with simulated("us-local") as found:
        scripts = {
            "deepgram": {"transcript": "when are you open"},
            "openai": {"token_ms": 30.0},
            "elevenlabs": {"speech_speed": 8.0},
        }
        for provider, changes in scripts.items():
            body = json.dumps(changes).encode()
            await anyio.to_thread.run_sync(post, found, provider, "script", body, "PATCH")
        settings = settings_with(
            None, [f"limits.sessions={sessions}", f"lines.llm_connections={sessions}"], {}
        )(found)
        knowledge = await load_knowledge(settings)
        async with open_providers(settings, knowledge):
            await anyio.sleep(0.5)
        before = held()
        async with open_providers(settings, knowledge) as providers:
            began_s = CLOCK.now_s()
            until_s = began_s + duration_s
            async with anyio.create_task_group() as trouble:
                trouble.start_soon(make_trouble, found)
                trouble.start_soon(tell, counts, until_s, progress)
                async with anyio.create_task_group() as callers:
                    for number in range(sessions):
                        callers.start_soon(Caller(settings, providers, counts, number).run, until_s)
                trouble.cancel_scope.cancel()
            await anyio.sleep(3)
            idle = held()
        after = held()
        # What the other end still holds for a moment is no leak.
        with anyio.move_on_after(10):
            while after != before:
                await anyio.sleep(0.5)
                after = held()
    waits = sorted(use.waited_s * 1000 for report in counts.reports for use in report.lines)
    responses = sorted((report.response_us or 0) / 1000 for report in counts.reports)
    return {
        "sessions": sessions,
        "seconds": duration_s,
        "calls": counts.calls,
        "turns": counts.turns,
        "interrupted": counts.interrupted,
        "unanswered": counts.unanswered,
        "response_p50_ms": round(responses[len(responses) // 2], 1),
        "response_p95_ms": round(responses[int(0.95 * len(responses))], 1),
        "waited_for_a_line_p50_ms": round(waits[len(waits) // 2], 2),
        "waited_for_a_line_p95_ms": round(waits[int(0.95 * len(waits))], 2),
        "lines_given": len(waits),
        "held_before": asdict(before),
        "held_when_all_have_hung_up": asdict(idle),
        "held_after": asdict(after),
    }


async def tell(counts: Counts, until_s: float, progress: Console) -> None:
    """Say now and then how far it is."""
    while True:
        await anyio.sleep(15)
        left_s = max(until_s - CLOCK.now_s(), 0)
        progress.print(f"[dim]{left_s:.0f} s left: {counts.calls} calls, {counts.turns} turns, {held()}")


def main() -> None:
    """Measure and print; exit status 1 if anything was left over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print figures for programs")
    parser.add_argument("--quick", action="store_true", help="20 sessions for 12 s instead of 100 for 600")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    sessions, duration_s = (20, 12.0) if options.quick else (100, 600.0)
    use_uvloop = sys.platform != "win32"
    found = anyio.run(
        soak, sessions, duration_s, Console(stderr=True), backend_options={"use_uvloop": use_uvloop}
    )
    if options.json:
        print(json.dumps(found))
    else:
        table = Table(title=f"{sessions} sessions at once for {duration_s:g} s", show_header=False)
        for name, value in found.items():
            table.add_row(name.replace("_", " "), str(value))
        Console().print(table)
    sys.exit(found["held_after"] != found["held_before"])


if __name__ == "__main__":
    main()

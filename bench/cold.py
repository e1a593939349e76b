"""What connections cost a turn: the first turn against later ones, and warm lines against none.

Everything runs against the simulators, in a process of their own, behind a network that takes real round
trips. `python bench/cold.py [--json] [--quick]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import ssl
import statistics
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

from warmline.channels.local.endpoint import LocalChannel
from warmline.channels.local.speakers import ReckonedSpeaker
from warmline.cli.simulated import Simulated, settings_with, simulated
from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_24K
from warmline.interfaces.channel import SessionEvent, TurnMeasured
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.pool.lines import Lines
from warmline.providers.elevenlabs.rest import ElevenLabsRest
from warmline.providers.openai.chat import OpenAiChat, openai_headers
from warmline.providers.openai.protocol import MODELS, ChatSettings
from warmline.server.assembly import open_providers, session_settings
from warmline.server.services.knowledge import Knowledge, load_knowledge
from warmline.server.services.voices import speech_settings
from warmline.server.settings import Settings
from warmline.session.session import Session
from warmline.timeline.report import TurnReport, TurnStatus

IDLE_S = 3.0
"""After which the far ends close what is unused; the lines' own limits are set below it."""

LOOK_S = 1.5
"""From a page's opening to a person's first words, at the least."""

REPLY = (
    "Yes, it is. " + "And there is a good deal more to say about that, which takes its time to be made. " * 3
)
CLOCK = SystemClock()


class Turns:
    """One session's reports, as they come."""

    def __init__(self) -> None:
        self._reports: list[TurnReport] = []
        self._more = anyio.Event()

    def show(self, event: SessionEvent) -> None:
        """Take a session's event."""
        if isinstance(event, TurnMeasured) and event.report.status is TurnStatus.PLAYING:
            self._reports.append(event.report)
            self._more.set()
            self._more = anyio.Event()

    async def next(self) -> TurnReport:
        """Return the next turn's report, when its first sound is out."""
        while not self._reports:
            await self._more.wait()
        return self._reports.pop(0)


async def ask(session: Session, turns: Turns) -> TurnReport:
    """Hold one turn up to its first sound."""
    session.receive_text("When are you open?")
    report = await turns.next()
    return report


async def quiet(session: Session) -> None:
    """Stop the reply, and let what was being done come to its end."""
    session.cancel_reply()
    await anyio.sleep(0.4)


def control(found: Simulated, provider: str, **changes: object) -> None:
    """Change a simulator's script."""
    request = urllib.request.Request(
        f"{found.control_urls[provider]}/script", json.dumps(changes).encode(), method="PATCH"
    )
    context = ssl.create_default_context(cafile=found.certificate)
    urllib.request.urlopen(request, context=context).close()


async def one_session(settings: Settings, knowledge: Knowledge, later: int) -> list[tuple[str, TurnReport]]:
    """Return the turns of a server that was just started, with what came before each."""
    found: list[tuple[str, TurnReport]] = []
    turns = Turns()
    async with open_providers(settings, knowledge) as providers, anyio.create_task_group() as tasks:
        channel = LocalChannel(ReckonedSpeaker(CLOCK), turns.show)
        session = Session(channel, providers, session_settings(settings), CLOCK)
        channel.attach(session)
        tasks.start_soon(channel.run)
        tasks.start_soon(session.run)
        await anyio.sleep(LOOK_S)
        found.append(("turn 1", await ask(session, turns)))
        await quiet(session)
        for _ in range(later):
            found.append(("later", await ask(session, turns)))
            await quiet(session)
        # Spoken into: the model is still writing, and the voice speaking.
        await ask(session, turns)
        found.append(("after a barge-in", await ask(session, turns)))
        await quiet(session)
        # Given up before its first word, as a guess that did not come true.
        session.receive_text("When are")
        await anyio.sleep(0.1)
        session.cancel_reply()
        found.append(("after a cancelled draft", await ask(session, turns)))
        await quiet(session)
        await anyio.sleep(2 * IDLE_S)
        found.append(("after an idle period", await ask(session, turns)))
        session.hang_up()
        tasks.cancel_scope.cancel()
    return found


def waited_ms(report: TurnReport) -> float:
    """Return how long a turn waited for connections, all of them together."""
    return sum(use.waited_s for use in report.lines) * 1000


async def handshakes(
    costs_ms: list[int], sessions: int, later: int, progress: Console
) -> list[dict[str, Any]]:
    """Return, by what a handshake costs, each kind of turn against later ones."""
    rows: list[dict[str, Any]] = []
    for cost_ms in costs_ms:
        # TCP takes one round trip, and TLS another.
        async with simulated(f"rtt={cost_ms / 2:g}", idle_s=IDLE_S) as found:
            for provider, changes in (("openai", {"reply": REPLY}), ("elevenlabs", {"speech_speed": 4.0})):
                await anyio.to_thread.run_sync(lambda p=provider, c=changes: control(found, p, **c))  # type: ignore[misc]
            settings = settings_with(
                None,
                ["lines.llm_idle_s=2", "lines.tts_idle_s=2"],
                {},
            )(found)
            knowledge = await load_knowledge(settings)
            seen: dict[str, list[TurnReport]] = {}
            for number in range(sessions):
                progress.print(f"[dim]handshake {cost_ms} ms, server {number + 1} of {sessions}")
                for kind, report in await one_session(settings, knowledge, later):
                    seen.setdefault(kind, []).append(report)
        base_ms = statistics.median((each.response_us or 0) / 1000 for each in seen["later"])
        for kind, reports in seen.items():
            took_ms = statistics.median((each.response_us or 0) / 1000 for each in reports)
            rows.append({
                "handshake_ms": cost_ms,
                "turn": kind,
                "turns": len(reports),
                "response_ms": round(took_ms, 1),
                "ratio": round(took_ms / base_ms, 3),
                "waited_for_lines_ms": round(statistics.median(map(waited_ms, reports)), 2),
                "lines_reused": sum(use.reused for each in reports for use in each.lines),
                "lines_used": sum(len(each.lines) for each in reports),
            })
    return rows


@asynccontextmanager
async def lines_to(found: Simulated) -> AsyncIterator[Lines]:
    """Open lines as a server has them, to nobody yet."""
    async with Lines(
        certificate=found.certificate, proxy=found.proxy or None, dns_server=found.dns_server or None
    ) as lines:
        yield lines


async def first_token_ms(lines: Lines, found: Simulated, warm: int) -> float:
    """Return how long a model's first text takes on these lines, which may be cold."""
    headers = openai_headers(found.environment["OPENAI_API_KEY"])
    endpoint = await lines.endpoint(
        "openai", found.base_urls["openai"], warm=warm, headers=headers, probe=MODELS if warm else None
    )
    if warm:
        await endpoint.pool.until_warm()
    chat = OpenAiChat(endpoint, ChatSettings("gpt-5.4-mini"))
    began_s = CLOCK.now_s()
    async with chat.stream(LlmRequest([Message(Role.USER, "When are you open?")])) as text:
        async for _ in text:
            break
    return (CLOCK.now_s() - began_s) * 1000


async def first_audio_ms(lines: Lines, found: Simulated, warm: int) -> float:
    """Return how long a text's first audio takes over HTTP on these lines, which may be cold."""
    settings = Settings()
    endpoint = await lines.endpoint(
        "elevenlabs",
        found.base_urls["elevenlabs"],
        warm=warm,
        headers={"xi-api-key": found.environment["ELEVENLABS_API_KEY"]},
    )
    if warm:
        await endpoint.pool.until_warm()
    rest = ElevenLabsRest(endpoint, speech_settings(settings.elevenlabs, settings.lines.tts_idle_s))
    began_s = CLOCK.now_s()
    async with rest.synthesise("Yes, it is open.", PCM_24K) as chunks:
        async for _ in chunks:
            break
    return (CLOCK.now_s() - began_s) * 1000


async def far_away(times: int, progress: Console) -> list[dict[str, Any]]:
    """Return the earlier systems' tables anew: India to the US."""
    progress.print("[dim]India to the US")
    rows: list[dict[str, Any]] = []

    def row(what: str, before: str, took_ms: float) -> None:
        rows.append({"what": what, "earlier_systems_ms": before, "ms": round(took_ms, 1)})

    async with simulated("india-us") as found:
        async with lines_to(found) as lines:
            row("model, first call of all, nothing warm", "4067", await first_token_ms(lines, found, 0))
        cold = []
        for _ in range(times):
            async with lines_to(found) as lines:
                cold.append(await first_token_ms(lines, found, 0))
        row("model, a connection for the call", "-", statistics.median(cold))
        warm = []
        for _ in range(times):
            async with lines_to(found) as lines:
                warm.append(await first_token_ms(lines, found, 2))
        row("model, first call on a warm line", "300 expected", statistics.median(warm))
        spoken = []
        async with lines_to(found) as lines:
            await first_audio_ms(lines, found, 1)
            for _ in range(times):
                async with lines_to(found) as fresh:
                    spoken.append(await first_audio_ms(fresh, found, 0))
        row("voice, a connection for the text", "639-642", statistics.median(spoken))
        spoken = []
        for _ in range(times):
            async with lines_to(found) as lines:
                spoken.append(await first_audio_ms(lines, found, 1))
        row("voice, first audio on a warm line", "254-307", statistics.median(spoken))
    async with simulated("india-us") as found:
        settings = settings_with(None, ['providers.stt="offline"'], {})(found)
        knowledge = await load_knowledge(settings)
        turns = Turns()
        began_s = CLOCK.now_s()
        async with open_providers(settings, knowledge) as providers, anyio.create_task_group() as tasks:
            row("warm-up, before anybody speaks", "4448", (CLOCK.now_s() - began_s) * 1000)
            channel = LocalChannel(ReckonedSpeaker(CLOCK), turns.show)
            session = Session(channel, providers, session_settings(settings), CLOCK)
            channel.attach(session)
            tasks.start_soon(channel.run)
            tasks.start_soon(session.run)
            await anyio.sleep(LOOK_S)
            voice, waited = [], []
            for _ in range(times):
                report = await ask(session, turns)
                voice.append(next(part.duration_us for part in report.contributions if part.name == "voice"))
                waited.append(waited_ms(report))
                await quiet(session)
            session.hang_up()
            tasks.cancel_scope.cancel()
        row("voice, first audio on the call's socket", "254-307", statistics.median(voice) / 1000)
        row("connections of a turn, all of them", "316-386", statistics.median(waited))
    return rows


def shown(rows: list[dict[str, Any]], title: str) -> Table:
    """Return a table of rows."""
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        is_text = name in ("turn", "what")
        table.add_column(name.replace("_", " "), justify="left" if is_text else "right", no_wrap=is_text)
    last: object = None
    for row in rows:
        if last is not None and row.get("handshake_ms") != last:
            table.add_section()
        last = row.get("handshake_ms")
        style = "red" if row.get("ratio", 0) > 1.02 else ""
        table.add_row(*map(str, row.values()), style=style)
    return table


async def measure(is_quick: bool) -> dict[str, list[dict[str, Any]]]:
    """Return all tables' rows."""
    progress = Console(stderr=True)
    costs_ms, sessions, later = ([150], 1, 2) if is_quick else ([0, 50, 150, 300], 5, 6)
    return {
        "handshakes": await handshakes(costs_ms, sessions, later, progress),
        "india_us": await far_away(1 if is_quick else 7, progress),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="fewer handshake costs, servers and turns")
    options = parser.parse_args()
    tables = anyio.run(measure, options.quick, backend_options={"use_uvloop": sys.platform != "win32"})
    if options.json:
        print(json.dumps(tables))
        return
    console = Console()
    console.print(
        shown(tables["handshakes"], "Each kind of turn against later ones, by what a handshake costs")
    )
    console.print(
        shown(tables["india_us"], "India to the US: DNS 100 ms, TCP 200, TLS 500, and the voice 185")
    )


if __name__ == "__main__":
    main()

"""Where the time of a spoken turn goes, with the offline providers: real speech, real processes, real time.

Plays a recorded question in again and again, stops each reply at its first sound, and shows each
contribution's median and 95th percentile. `python bench/offline_turn.py [--json] [--quick]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import statistics
import sys
from pathlib import Path

import anyio
from rich.console import Console
from rich.table import Table

from warmline.audio.recordings import read_recording
from warmline.channels.local.endpoint import LocalChannel
from warmline.channels.local.recorded import RecordedCaller
from warmline.channels.local.speakers import ReckonedSpeaker
from warmline.core.clock import SystemClock
from warmline.interfaces.channel import SessionEvent, TurnMeasured
from warmline.server.assembly import open_providers, session_settings
from warmline.server.services.knowledge import load_knowledge
from warmline.server.settings import Settings
from warmline.session.session import Session
from warmline.timeline.report import TurnReport, TurnStatus

EXAMPLES = Path(__file__).parents[1] / "examples"
ENGINE = ("commit", "prompt", "clause", "dispatch", "send")
"""The contributions that are warmline's own code and no provider's."""


class Turns:
    """The turns measured so far."""

    def __init__(self) -> None:
        self.reports: list[TurnReport] = []
        self.changed = anyio.Event()

    def show(self, event: SessionEvent) -> None:
        """Take a session's event."""
        if isinstance(event, TurnMeasured) and event.report.status is TurnStatus.PLAYING:
            self.reports.append(event.report)
            self.changed.set()


async def measure(turns: int) -> list[TurnReport]:
    """Return the reports of so many turns of one session."""
    settings = Settings()
    clock = SystemClock()
    knowledge = await load_knowledge(settings)
    questions = [
        await anyio.to_thread.run_sync(read_recording, EXAMPLES / name)
        for name in ("when-are-you-open.wav", "how-many-books.wav")
    ]
    measured = Turns()
    async with open_providers(settings, knowledge) as providers, anyio.create_task_group() as tasks:
        channel = LocalChannel(ReckonedSpeaker(clock), measured.show)
        session = Session(channel, providers, session_settings(settings), clock)
        channel.attach(session)
        caller = RecordedCaller(session, clock)
        tasks.start_soon(channel.run)
        tasks.start_soon(session.run)
        tasks.start_soon(caller.run)
        await anyio.sleep(0.5)
        for number in range(turns):
            measured.changed = anyio.Event()
            await caller.say(questions[number % len(questions)])
            await measured.changed.wait()
            session.cancel_reply()
            await anyio.sleep(0.3)
        session.hang_up()
        tasks.cancel_scope.cancel()
    return measured.reports


def rows(reports: list[TurnReport]) -> list[dict[str, float | str]]:
    """Return the table: a row for each contribution, the engine's own share, and the response time."""
    series: dict[str, list[float]] = {}
    for report in reports:
        shares = {part.name: part.duration_us / 1000 for part in report.contributions}
        for name, share in shares.items():
            series.setdefault(name, []).append(share)
        series.setdefault("warmline itself", []).append(sum(shares[name] for name in ENGINE))
        series.setdefault("response time", []).append((report.response_us or 0) / 1000)
    order = [name for name in series if name not in ("warmline itself", "response time")]
    return [
        {
            "contribution": name,
            "median_ms": round(statistics.median(series[name]), 2),
            "p95_ms": round(sorted(series[name])[int(0.95 * (len(series[name]) - 1))], 2),
        }
        for name in [*order, "warmline itself", "response time"]
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="8 turns instead of 40")
    options = parser.parse_args()
    count = 8 if options.quick else 40
    reports = anyio.run(measure, count, backend_options={"use_uvloop": sys.platform != "win32"})
    if options.json:
        print(json.dumps(rows(reports)))
        return
    table = Table(title=f"From the end of speech to the first sound, {len(reports)} turns")
    for heading in ("contribution", "median ms", "p95 ms"):
        table.add_column(heading, justify="left" if heading == "contribution" else "right")
    for row in rows(reports):
        table.add_row(str(row["contribution"]), f"{row['median_ms']:.2f}", f"{row['p95_ms']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""Telephone calls: one, phase by phase as its caller hears it, and many at once on one server.

The server is `warmline serve`, a process with a core of its own. The telephone network, the recogniser, the
model, the voice and the callers are simulated, in another process on the other core: Flux ends a turn after
600 ms of silence and hints at it after 200, the model's first token comes after 250 ms and the others 12 ms
apart, the voice's first sound after 120 ms. Times are from the caller's last sample of speech to the first
that is heard, both found by their loudness. `python bench/phone.py [--json] [--quick] [--calls N]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import sys
from typing import Any

import anyio
from phone_house import House, house
from phone_load import Load, many_calls
from phone_rows import MOMENTS, Phases
from rich.console import Console
from rich.table import Table

from warmline.core.event_loop import new_event_loop

COUNTS = (10, 50, 100)
LONG_CALL_S, PAUSE_S = 360.0, 180.0
QUICK_LONG_CALL_S, QUICK_PAUSE_S = 15.0, 7.0
STARTED_S = 0.5
"""After which a server has made its greeting."""


def settings(most_calls: int, *, is_quick: bool) -> list[str]:
    """Return what the server is set to."""
    sets = [
        'agent.greeting="Hello."',
        'deepgram.model="flux-general-en"',
        'providers.tts_fallbacks=["offline"]',
        f"limits.sessions={most_calls + len(MOMENTS)}",
        f"lines.llm_connections={max(most_calls, 10)}",
        f"lines.llm_warm={max(most_calls // 10, 2)}",
    ]
    # So that what is unused for long has to be kept alive in the pause, as in the full length.
    return [*sets, "lines.tts_idle_s=4"] if is_quick else sets


async def prepare(there: House, *, is_quick: bool) -> None:
    """Set the simulators' pace."""
    await there.script("openai", first_token_ms=250.0, token_ms=12.0)
    await there.script("elevenlabs", speech_ms=120.0, idle_s=6.0 if is_quick else 0.0)
    flux = {"transcript_ms": 0.0, "eager_end_ms": 200.0, "end_of_turn_ms": 600.0}
    await there.script("deepgram", transcript="when are you open", **flux)
    await anyio.sleep(STARTED_S)


async def measure(counts: list[int], progress: Console, *, is_quick: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of both tables."""
    async with house(settings(max(counts, default=1), is_quick=is_quick)) as there:
        await prepare(there, is_quick=is_quick)
        phases = Phases(there, progress)
        memory_mb = there.server.memory_mb
        if is_quick:
            one = await quick(there, phases, progress)
        else:
            one = await full(there, phases, progress)
        loads = [one.told(one, memory_mb, beside=1 if is_quick else 0)]
        for count in counts:
            progress.print(f"[dim]{count} calls at once")
            load = await many_calls(there, count, questions=2 if is_quick else 6)
            loads.append(load.told(one, memory_mb, beside=0))
    return {"one_call": [row.told() for row in phases.rows], "many_calls": loads}


async def quick(there: House, phases: Phases, progress: Console) -> Load:
    """Measure what can be in half a minute; return what was seen of the call for itself."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phases.long_call, QUICK_LONG_CALL_S, QUICK_PAUSE_S)
        progress.print("[dim]a call with a pause; beside it one question after another")
        one = await many_calls(there, 1, questions=2)
        phases.note_singles(one.reports)
        progress.print("[dim]three sentences, and an interruption")
        tasks.start_soon(phases.three_sentences)
        tasks.start_soon(phases.interruption)
    progress.print("[dim]hang-ups")
    await phases.hang_ups(MOMENTS)
    return one


async def full(there: House, phases: Phases, progress: Console) -> Load:
    """Measure everything; return what was seen of a call for itself."""
    progress.print("[dim]one question after another")
    one = await many_calls(there, 1, questions=20)
    phases.note_singles(one.reports)
    progress.print("[dim]the voice is cut in mid-reply")
    await phases.voice_cut(5)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phases.long_call, LONG_CALL_S, PAUSE_S)
        for what, work in (
            ("three sentences", phases.three_sentences),
            ("an interruption", phases.interruption),
        ):
            progress.print(f"[dim]{what}, beside a call with a long pause")
            for _ in range(5):
                await work()
        progress.print("[dim]ten sentences")
        for _ in range(2):
            await phases.ten_sentences()
        progress.print("[dim]rapid exchanges, and the end of the long call")
        for _ in range(2):
            await phases.rapid_exchanges(8)
    progress.print("[dim]hang-ups")
    for _ in range(3):
        for moment in MOMENTS:
            await phases.hang_ups([moment])
    return one


def shown_rows(rows: list[dict[str, Any]]) -> Table:
    """Return the table of one call's phases."""
    table = Table(title="One call, as its caller hears it", title_justify="left")
    for name in ("what", "median", "worst", "goal", "met", "the earlier agent"):
        table.add_column(name, justify="left" if name in ("what", "the earlier agent") else "right")
    for row in rows:
        met = row["met_times"] == row["times"]
        table.add_row(
            row["what"],
            f"{row['median']:,g}",
            f"{row['worst']:,g} {row['unit']}",
            f"{row['goal']:,g}",
            f"{row['met_times']} of {row['times']}",
            row["earlier_agent"],
            style="" if met else "red",
        )
    return table


def shown_loads(rows: list[dict[str, Any]]) -> Table:
    """Return the table of many calls; a row for each figure."""
    table = Table(
        title="Many calls at once, each asking every four seconds: a core for the server, one for all else",
        title_justify="left",
    )
    table.add_column("calls")
    for row in rows:
        table.add_column(str(row["calls"]), justify="right", style="" if row["met"] else "red")
    for name in list(rows[0])[1:]:
        table.add_row(name.replace("_", " "), *(str(row[name]) for row in rows))
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument(
        "--quick", action="store_true", help="fewer phases, shorter calls, at most 10 at once"
    )
    parser.add_argument("--calls", type=int, default=100, metavar="N", help="most calls at once")
    options = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("bench/phone.py reads /proc, which Linux alone has")
    counts = [count for count in COUNTS[: 1 if options.quick else None] if count <= options.calls]
    progress = Console(stderr=True)

    async def run() -> dict[str, list[dict[str, Any]]]:
        return await measure(counts, progress, is_quick=options.quick)

    tables = anyio.run(run, backend_options={"loop_factory": new_event_loop})
    if options.json:
        print(json.dumps(tables))
        return
    console = Console()
    console.print(shown_rows(tables["one_call"]))
    console.print(shown_loads(tables["many_calls"]))


if __name__ == "__main__":
    main()

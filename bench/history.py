"""What the timeline costs, what it costs to keep a turn, and how soon kept turns are found.

    python bench/history.py [--json] [--quick] [--store URL]

Three tables: microseconds that a turn takes of the event loop, from its marks to its place among those that
wait; microseconds of the thread that writes, how late the event loop is beside it, and the bytes in the
database; how long it takes to read an overview, lists and one turn, with 10,000 turns kept and with
1,000,000, which `--quick` leaves out. They are kept in a file of SQLite in a folder that is deleted
afterwards, or in the database at `--store`, which must be there for this alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import math
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import anyio
import sqlalchemy as sa
from history_turns import DAYS, FROM_S, arrived_turns
from rich.console import Console
from rich.table import Table

from warmline.core.clock import SystemClock, unix_now_s
from warmline.server.observability.history import History
from warmline.server.observability.keeping import Keeping
from warmline.server.observability.observer import KeptTurn, Observer
from warmline.server.settings import HistoryTable, StoreTable
from warmline.server.vitals import Vitals
from warmline.store.database import Database
from warmline.store.turn_keeping import ArrivedTurn, TurnKeeping
from warmline.store.turn_reading import TurnReading, Window
from warmline.store.turn_upkeep import TurnUpkeep
from warmline.timeline.marks import Mark
from warmline.timeline.notes import NoteKind
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus, turn_report
from warmline.timeline.timeline import Timeline

FEW, MANY = 10_000, 1_000_000
BULK = 5_000
"""Turns in a transaction of those that are made to be read."""

REPEATS = 5
EVER = Window(0, math.inf)
DAY_S = 86_400.0
LAST_S = FROM_S + DAYS * DAY_S
MARKS: Final = [
    (Mark.SPEECH_STARTED, 0.0),
    (Mark.RETRIEVAL_STARTED, 0.9),
    (Mark.RETRIEVAL_DONE, 0.95),
    (Mark.SPEECH_ENDED, 1.5),
    (Mark.DRAFT_BEGUN, 1.7),
    (Mark.LLM_STARTED, 1.701),
    (Mark.TRANSCRIPT_FINAL, 1.8),
    (Mark.LLM_FIRST_TEXT, 1.95),
    (Mark.FIRST_CLAUSE, 1.98),
    (Mark.TTS_STARTED, 1.98),
    (Mark.SILENCE_REACHED, 2.0),
    (Mark.TURN_COMMITTED, 2.0),
    (Mark.TTS_FIRST_AUDIO, 2.1),
    (Mark.AUDIO_SENT, 2.1),
    (Mark.AUDIO_PLAYED, 2.14),
    (Mark.LLM_DONE, 2.6),
    (Mark.TTS_DONE, 3.0),
    (Mark.PLAYOUT_DONE, 6.0),
]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one thing costs."""

    what: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How long something takes with so many turns kept: the first time, and the median of later ones."""

    turns: int
    what: str
    first_ms: float
    later_ms: float


class Nowhere:
    """A storage that takes everything and keeps nothing."""

    is_there = True

    def keep(self, arrived: Sequence[ArrivedTurn]) -> None:
        """Do nothing."""

    def reopen(self) -> None:
        """Do nothing."""


def marked(at_s: float) -> Timeline:
    """Return a turn's timeline, as a session makes it."""
    timeline = Timeline()
    for mark, after_s in MARKS:
        timeline.record(mark, at_s + after_s)
    for kind in (NoteKind.DRAFT_BEGUN, NoteKind.DRAFT_ADOPTED):
        timeline.note(kind, at_s + 1.7, "a final, and 200 ms of silence")
    return timeline


def reported(timeline: Timeline) -> TurnReport:
    """Return its report."""
    return turn_report(
        timeline,
        number=1,
        reply_id="resp_1",
        status=TurnStatus.COMPLETED,
        user_text="when are you open",
        reply_text="We open at nine in the morning, and we close at six in the evening.",
        heard_text="We open at nine in the morning, and we close at six in the evening.",
        playout=PlayoutTruth.REPORTED,
    )


def microseconds(work: Callable[[], object], times: int) -> float:
    """Return what a call takes, the median of nine rows of them."""
    rows = []
    for _ in range(9):
        began_s = time.perf_counter()
        for _ in range(times):
            work()
        rows.append((time.perf_counter() - began_s) / times * 1e6)
    return statistics.median(rows)


async def loop_costs() -> list[Cost]:
    """Return what a turn takes of the event loop."""
    clock = SystemClock()
    timeline = marked(clock.now_s())
    report = reported(timeline)
    facts = {"llm": "openai", "stt": "deepgram", "tts": "elevenlabs", "channel": "browser"}
    keeping = Keeping(Nowhere(), unix_now_s, keeps_texts=False)
    [arrived] = arrived_turns(1)
    kept = KeptTurn(arrived.turn, "", "", "")

    def observed(*sinks: Callable[[KeptTurn], None]) -> Callable[[], None]:
        observer = Observer(sinks, clock, unix_now_s, Vitals(clock), facts)
        return partial(observer.over, report, "sess_1", facts, again=False)

    times = 2_000
    return [
        Cost(f"{len(MARKS)} marks and 2 notes", microseconds(lambda: marked(10.0), times), "us"),
        Cost("the turn's report", microseconds(lambda: reported(timeline), times), "us"),
        Cost("told of to whoever wants turns", microseconds(observed(), times), "us"),
        Cost("put among those that wait", microseconds(lambda: keeping.take(kept), times), "us"),
    ]


def thread_costs(url: str, transactions: int) -> list[Cost]:
    """Return what keeping takes of the thread that writes; each turn in a transaction of its own, or many."""
    costs = []
    with Database(url) as database:
        keeping = TurnKeeping(database, "bench")
        turns = arrived_turns(60 * transactions, seed=2)
        for size in (1, 50):
            took: list[tuple[float, float]] = []

            def work(size: int = size, took: list[tuple[float, float]] = took) -> None:
                for _ in range(transactions):
                    some = list(islice(turns, size))
                    cpu_s, began_s = time.thread_time(), time.perf_counter()
                    keeping.keep(some)
                    took.append((time.thread_time() - cpu_s, time.perf_counter() - began_s))

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            cpu_us, whole_us = (statistics.median(each) / size * 1e6 for each in zip(*took, strict=True))
            costs += [
                Cost(f"a turn, {size} in a transaction: the thread's work", cpu_us, "us"),
                Cost(f"a turn, {size} in a transaction: with the disk", whole_us, "us"),
            ]
    return costs


async def loop_lateness(url: str, seconds: float) -> list[Cost]:
    """Return how late the event loop is without keeping, and beside the keeping of 20 turns a second."""
    turns = arrived_turns(10_000, seed=3)

    async def lateness_ms(every_s: float, take: Callable[[KeptTurn], None]) -> list[float]:
        late_ms, next_s = [], time.perf_counter()
        for tick in range(int(seconds / every_s)):
            if tick % 10 == 0:
                take(KeptTurn(next(turns).turn, "", "", ""))
            next_s += every_s
            await anyio.sleep(max(next_s - time.perf_counter(), 0))
            late_ms.append(max(time.perf_counter() - next_s, 0.0) * 1000)
        return sorted(late_ms)

    alone = await lateness_ms(0.005, lambda _: None)
    history = History(StoreTable(url, "late"), HistoryTable(keep_days=0), port=0)
    async with history.running():
        beside = await lateness_ms(0.005, history.take)
    return [
        Cost(f"event loop late, {name}, {share}", values[int(at * (len(values) - 1))], "ms")
        for name, values in (("nothing kept", alone), ("20 turns a second kept", beside))
        for share, at in (("p99", 0.99), ("most", 1.0))
    ]


def filled(database: Database, count: int) -> None:
    """Keep that many turns, as fast as it goes, and fold them as upkeep would have by now."""
    keeping, upkeep = TurnKeeping(database, "bench"), TurnUpkeep(database)
    turns = arrived_turns(count)
    while some := list(islice(turns, BULK)):
        keeping.keep(some)
    while upkeep.fold(LAST_S + DAY_S):
        pass


def readings(database: Database, count: int) -> Iterator[Reading]:
    """Yield how long each way of reading takes."""
    reading = TurnReading(database)
    day, hour = Window(LAST_S - DAY_S, LAST_S), Window(LAST_S - 3_600, LAST_S)
    phone = {"channel": "telephone"}
    some = reading.turns(EVER, order="newest").lines[-1]
    asked: dict[str, Callable[[], Any]] = {
        "overview of everything": lambda: reading.overview(EVER),
        "overview of everything, 60 points at most, by model": lambda: reading.overview(
            EVER, group_by="llm_model"
        ),
        "overview of calls by telephone": lambda: reading.overview(EVER, phone),
        "overview of the last 7 days": lambda: reading.overview(Window(LAST_S - 7 * DAY_S, LAST_S)),
        "overview of the last day": lambda: reading.overview(day),
        "overview of the last hour": lambda: reading.overview(hour),
        "facts for the filters": lambda: reading.facts(EVER),
        "the 100 newest": lambda: reading.turns(EVER, order="newest"),
        "the 100 slowest": lambda: reading.turns(EVER, order="slowest"),
        "the 100 slowest by telephone in the last hour": lambda: reading.turns(hour, phone, order="slowest"),
        "one turn": lambda: reading.turn(some.call, some.number),
    }
    for what, ask in asked.items():
        took_ms = []
        for _ in range(1 + REPEATS):
            began_s = time.perf_counter()
            ask()
            took_ms.append((time.perf_counter() - began_s) * 1000)
        yield Reading(count, what, took_ms[0], statistics.median(took_ms[1:]))


def bytes_in(database: Database) -> int:
    """Return how large a database is."""
    asked = "SELECT pg_database_size(current_database())"
    if database.engine.dialect.name == "sqlite":
        asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    with database.engine.connect() as connection:
        return int(connection.execute(sa.text(asked)).scalar() or 0)


def emptied(database: Database) -> None:
    """Delete everything that is kept of turns."""
    with database.engine.begin() as connection:
        for table in ("turn_texts", "turns", "turn_rollups", "turn_facts"):
            connection.execute(sa.text(f"DELETE FROM {table}"))


def measured(
    url: str, counts: Sequence[int], *, is_quick: bool
) -> tuple[list[Cost], list[Cost], list[Reading]]:
    """Return the rows of the three tables."""
    of_loop = anyio.run(loop_costs)
    of_thread = thread_costs(url, 60 if is_quick else 400)
    of_thread += anyio.run(
        loop_lateness, url, 3.0 if is_quick else 20.0, backend_options={"use_uvloop": sys.platform != "win32"}
    )
    rows: list[Reading] = []
    for count in counts:
        with Database(url) as database:
            emptied(database)
            before = bytes_in(database)
            began_s = time.perf_counter()
            filled(database, count)
            made_us = (time.perf_counter() - began_s) / count * 1e6
            of_thread.append(Cost(f"a turn of {count:,} in bulk, with folding", made_us, "us"))
            if count == counts[-1]:
                size = (bytes_in(database) - before) / count
                of_thread.append(Cost(f"a turn of {count:,} in the database", size, "bytes"))
            rows += readings(database, count)
    return of_loop, of_thread, rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help=f"{FEW:,} turns alone, in less than 40 s")
    parser.add_argument("--store", metavar="URL", help="another database, that is there for this alone")
    options = parser.parse_args()
    counts = [FEW] if options.quick else [FEW, MANY]
    with tempfile.TemporaryDirectory(prefix="warmline-") as folder:
        url = options.store or f"sqlite:///{folder}/warmline.db"
        of_loop, of_thread, rows = measured(url, counts, is_quick=options.quick)
    if options.json:
        tables: dict[str, Sequence[Cost | Reading]] = {
            "event_loop": of_loop,
            "writing": of_thread,
            "reading": rows,
        }
        print(json.dumps({name: [asdict(row) for row in each] for name, each in tables.items()}))
        return
    console = Console()
    for title, costs in (("Of the event loop, a turn", of_loop), ("Behind it", of_thread)):
        table = Table("", title, box=None)
        table.columns[0].justify = "right"
        for cost in costs:
            table.add_row(f"{cost.value:,.1f} {cost.unit}", cost.what)
        console.print(table)
    table = Table("reading", "turns kept", "first ms", "later ms", title="Finding turns again")
    for row in rows:
        table.add_row(row.what, f"{row.turns:,}", f"{row.first_ms:.1f}", f"{row.later_ms:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()

"""The history on real databases: killed, full, locked, vanished, and never in a call's way."""

import math
import sqlite3
import subprocess
import sys
from contextlib import closing

import anyio
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.store.turns import NOON_S, many, turn
from warmline.core.clock import SystemClock
from warmline.server.observability.history import History
from warmline.server.observability.observer import KeptTurn
from warmline.server.settings import HistoryTable, StoreTable
from warmline.store.database import Database
from warmline.store.turn_keeping import TurnKeeping
from warmline.store.turn_reading import TurnReading, Window

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

EVER = Window(0, math.inf)
CLOCK = SystemClock()
SURE_S = 20.0
"""For what must happen; it takes a second or two."""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "warmline.db"


@pytest.fixture
def sqlite_url(file):
    return f"sqlite:///{file}"


def history(url, **settings):
    return History(StoreTable(url, "worker"), HistoryTable(**settings), port=0)


def numbers(url):
    with Database(url) as database:
        return [each.number for each in TurnReading(database).each(EVER)]


class Teller:
    """Tells a history of turns, and measures how long each telling takes."""

    def __init__(self, told):
        self._told = told
        self.count = 0
        self.longest_s = 0.0

    def tell(self):
        self.count += 1
        kept = KeptTurn(turn(self.count, at_s=NOON_S + self.count), "a question", "an answer", "an")
        began_s = CLOCK.now_s()
        self._told.take(kept)
        self.longest_s = max(self.longest_s, CLOCK.now_s() - began_s)

    async def tell_for(self, seconds):
        for _ in range(int(seconds / 0.02)):
            self.tell()
            await anyio.sleep(0.02)


def vanish(file):
    for each in file.parent.glob("warmline.db*"):
        each.unlink()


async def until(is_so):
    with anyio.fail_after(SURE_S):
        while not is_so():  # noqa: ASYNC110 - a thread's work
            await anyio.sleep(0.02)


async def test_turns_are_kept_by_what_runs_and_the_last_ones_when_it_ends(store_url):
    told = history(store_url, transcripts=True)
    async with told.running():
        assert told.reading is not None
        teller = Teller(told)
        await teller.tell_for(0.5)
        await until(lambda: told.figures()["kept"] > 0)
        teller.tell()
    assert (told.database, told.reading) == (None, None)
    assert numbers(store_url) == list(range(1, teller.count + 1))


async def test_cancelled_from_outside_it_still_writes_what_comes_until_its_body_is_left(sqlite_url):
    """A server's last sessions end, and tell of their turns, after it was asked to stop."""
    told = history(sqlite_url)
    teller = Teller(told)
    async with anyio.create_task_group() as tasks, told.running():
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.1)
            teller.tell()
    assert numbers(sqlite_url) == [1]


def test_a_killed_process_loses_no_more_than_the_last_second(store_url):
    command = [sys.executable, "-m", "tests.server.observability.keeping_process", store_url]
    told = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told[int(line)] = killed_s = CLOCK.now_s()
            if int(line) == 200:
                process.kill()
    kept = numbers(store_url)
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) > 50
    assert all(at_s > killed_s - 1.0 for number, at_s in told.items() if number > len(kept))


async def test_a_locked_database_holds_up_nobody_and_gets_its_turns_later(file, sqlite_url):
    told = history(sqlite_url)
    async with told.running():
        teller = Teller(told)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await teller.tell_for(2.0)
            assert told.figures()["kept"] == 0
            other.execute("ROLLBACK")
        await until(lambda: told.figures()["kept"] == teller.count)
    assert teller.longest_s < 0.05
    assert numbers(sqlite_url) == list(range(1, teller.count + 1))


async def test_a_full_disk_holds_up_nobody_and_its_turns_wait_for_room(sqlite_url, caplog):
    told = history(sqlite_url)
    pages = 60

    async with told.running():
        assert told.database is not None

        def limit(connection, _record, _proxy):
            connection.execute(f"PRAGMA max_page_count={pages}")

        event.listen(told.database.engine, "checkout", limit)
        teller = Teller(told)
        await teller.tell_for(3.0)
        await until(lambda: told.figures()["problem"] == "database or disk is full")
        assert told.figures()["waiting"] > 0
        pages = 1_000_000
        await until(lambda: told.figures()["kept"] == teller.count)
        assert told.figures()["problem"] == ""
    assert teller.longest_s < 0.05
    assert numbers(sqlite_url) == list(range(1, teller.count + 1))
    events = [each.getMessage() for each in caplog.records if each.getMessage().startswith("history.")]
    assert events.count("history.failing") == 1


async def test_a_file_that_vanishes_is_made_anew_for_what_comes_then(file, sqlite_url):
    told = history(sqlite_url)
    async with told.running():
        teller = Teller(told)
        await teller.tell_for(0.2)
        await until(lambda: told.figures()["kept"] == teller.count)
        vanish(file)
        teller.tell()
        await until(lambda: told.figures()["kept"] == teller.count)
    assert numbers(sqlite_url) == [teller.count]


async def test_tables_that_vanish_are_waited_for_and_made_anew(postgres_url):
    told = history(postgres_url)
    async with told.running():
        teller = Teller(told)
        await teller.tell_for(0.1)
        await until(lambda: told.figures()["kept"] == teller.count)
        assert told.database is not None
        with told.database.engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        teller.tell()
        await until(lambda: told.figures()["kept"] == teller.count)
    assert numbers(postgres_url) == [teller.count]


async def test_a_store_that_cannot_be_opened_is_warned_of_and_nothing_is_kept(tmp_path, caplog):
    (tmp_path / "folder").write_text("a file where a folder should be")
    told = history(f"sqlite:///{tmp_path}/folder/warmline.db")
    async with told.running():
        Teller(told).tell()
        assert (told.database, told.reading) == (None, None)
        assert told.figures()["is_on"] is False
        assert "store.url" in told.figures()["problem"]
        assert told.health() == {"is_on": False, "problem": True}
    assert [each.getMessage() for each in caplog.records] == ["history.not_kept"]


async def test_nothing_is_opened_where_nothing_is_to_be_kept(file, sqlite_url):
    told = history(sqlite_url, keep=False)
    async with told.running():
        Teller(told).tell()
        assert told.health() == {"is_on": False, "problem": False}
    assert not file.exists()


async def test_upkeep_folds_and_deletes_beside_the_calls(store_url):
    with Database(store_url) as database:
        TurnKeeping(database, "before").keep(many(100, from_s=NOON_S - 40 * 86_400))
        TurnKeeping(database, "before").keep(many(100))
    store, settings = StoreTable(store_url, "worker"), HistoryTable(keep_days=30)
    told = History(store, settings, port=0, now_s=lambda: NOON_S + 86_400, upkeep_s=0.05)
    async with told.running():
        reading = told.reading
        assert reading is not None
        await until(lambda: min(each.at_s or 0 for each in reading.each(EVER)) == NOON_S)
        assert reading.overview(EVER).whole[""].turns == 100

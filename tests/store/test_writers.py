"""Threads that write to a file of SQLite's take turns."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from warmline.store.database import Database
from warmline.store.schema import PAUSES

pytestmark = pytest.mark.wire

THREADS = 8


@pytest.fixture
def database(tmp_path):
    with Database(f"sqlite:///{tmp_path / 'warmline.db'}") as database:
        yield database


def pause(name: str) -> sa.Insert:
    return sa.insert(PAUSES).values(name=name, reason="", since_s=0.0)


def test_a_writer_waits_for_the_one_before_it_and_a_reader_for_nobody(database):
    """The second one does not find SQLite busy: it is not at it yet."""
    writes, may_end = threading.Event(), threading.Event()
    order = []

    def first() -> None:
        with database.engine.begin() as connection:
            connection.execute(pause("first"))
            writes.set()
            may_end.wait(10)
            order.append("first")

    def second() -> None:
        writes.wait(10)
        with database.engine.begin() as connection:
            connection.execute(pause("second"))
            order.append("second")

    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(first), threads.submit(second)]
        writes.wait(10)
        with database.engine.connect() as connection:
            assert connection.execute(sa.select(PAUSES.c.name)).all() == []
        may_end.set()
        for each in done:
            each.result(10)
    assert order == ["first", "second"]


def test_a_write_that_fails_gives_its_turn_back(database):
    def write_twice() -> None:
        with database.engine.begin() as connection:
            connection.execute(pause("same"))
            connection.execute(pause("same"))

    for _ in range(2):
        with pytest.raises(sa.exc.IntegrityError):
            write_twice()
    with database.engine.begin() as connection:
        connection.execute(pause("same"))


def test_many_write_at_once_and_nothing_is_lost(database):
    def write(number: int) -> None:
        with database.engine.begin() as connection:
            connection.execute(pause(str(number)))

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(write, range(50)))
    with database.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PAUSES)).scalar() == 50


def test_what_is_acknowledged_survives_a_loss_of_power(database):
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar() == 2

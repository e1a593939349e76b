"""Jobs are done once, in order, and by somebody else if need be; on either database."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import pytest
import sqlalchemy as sa

from tests.server.whatsapp.engines import WAIT_S, engine_of, until, wanted
from tests.server.whatsapp.house import START_S, House, Portal, voice
from warmline.core.clock import SystemClock
from warmline.errors import InputError, ProviderUnavailable
from warmline.server.whatsapp.engine import JobEngine, Stopping, queued
from warmline.server.whatsapp.work import MessageWork
from warmline.store.database import Database
from warmline.store.messages import JobState
from warmline.store.schema import METADATA

pytestmark = pytest.mark.wire

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what does not depend on the database: an engine takes seconds to start and to stop."""


@pytest.fixture
def database(store_url):
    with Database(store_url) as database:
        yield database


class Record:
    """Work that notes what it does, and stops in the middle until it is let go on."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.waits = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, engine: JobEngine, job: str) -> None:
        number = engine.step("first", lambda: self.note(f"{job} first"))
        self.waits.set()
        while not self.may_go_on.is_set():
            engine.pause(0.01)
        engine.step("second", lambda: self.note(f"{job} second, behind {number}"))

    def note(self, what: str) -> int:
        self.done.append(what)
        return len(self.done)


def cut_short(database: Database, record: Record) -> None:
    """Begin the job `j` as the worker `a`, and end in the middle of it."""
    with engine_of(database, record) as engine:
        engine.enqueue(wanted("j"))
        assert record.waits.wait(WAIT_S)
    assert record.done == ["j first"]
    record.may_go_on.set()


def test_a_job_that_was_left_is_gone_on_with_after_the_next_start(database):
    """What was done is not done again, and what it came to is known."""
    record = Record()
    cut_short(database, record)
    with engine_of(database, record):
        until(lambda: len(record.done) == 2)
    assert record.done == ["j first", "j second, behind 1"]


def test_a_job_of_a_process_that_is_dead_is_gone_on_with_by_another_one(database):
    """Only when it is told so, and only once."""
    record = Record()
    cut_short(database, record)
    with engine_of(database, record, worker="b") as engine:
        time.sleep(0.3)
        assert len(record.done) == 1
        assert engine.take_over("a") == 1
        until(lambda: len(record.done) == 2)
        assert engine.take_over("a") == 0
    assert record.done == ["j first", "j second, behind 1"]


@on_sqlite
def test_what_a_step_raised_is_raised_again_and_nothing_is_tried_for_it(database):
    """Whoever goes on with a job comes to the same place by the same way."""
    record, raised = Record(), list[str]()

    def refuse() -> None:
        record.note("refused")
        raise InputError("it is no recording")

    def work(engine: JobEngine, job: str) -> None:
        try:
            engine.step("hear", refuse)
        except InputError as problem:
            raised.append(str(problem))
        record(engine, job)

    with engine_of(database, work) as engine:
        engine.enqueue(wanted("j"))
        assert record.waits.wait(WAIT_S)
    record.may_go_on.set()
    with engine_of(database, work):
        until(lambda: len(record.done) == 3)
    assert raised == ["it is no recording"] * 2
    assert record.done.count("refused") == 1


@on_sqlite
def test_a_step_in_which_the_process_ends_is_done_again(database):
    """Ending is nothing that a step comes to."""
    tries = []

    def act(engine: JobEngine) -> None:
        tries.append("")
        if len(tries) == 1:
            engine.pause(WAIT_S)

    def work(engine: JobEngine, _: str) -> None:
        engine.step("act", lambda: act(engine))
        tries.append("done")

    with engine_of(database, work) as engine:
        engine.enqueue(wanted("j"))
        until(lambda: tries)
    assert tries == [""]
    with engine_of(database, work):
        until(lambda: "done" in tries)
    assert tries == ["", "", "done"]


@on_sqlite
def test_a_wait_that_was_cut_short_goes_on_for_its_rest_alone(database):
    """The clock here is a number: the wait ends where it would have ended."""
    now_s, waited = [1_000.0], list[float]()

    def work(engine: JobEngine, _: str) -> None:
        began_s = now_s[0]
        engine.wait("wait", 30.0, lambda: now_s[0])
        waited.append(now_s[0] - began_s)

    with engine_of(database, work) as engine:
        engine.enqueue(wanted("j"))
        until(lambda: steps_of(database) == 1)
    now_s[0] += 31.0
    with engine_of(database, work):
        until(lambda: waited)
    assert waited == [0.0]


def steps_of(database: Database) -> object:
    with database.engine.connect() as connection:
        schema = "dbos." if connection.dialect.name == "postgresql" else ""
        return connection.execute(sa.text(f"SELECT count(*) FROM {schema}operation_outputs")).scalar_one()


def test_one_user_s_jobs_are_done_one_after_another_by_their_times_and_others_beside_them(database):
    """Webhooks come in any order; of two messages of one second, the one that came first is first."""
    record = Record()
    with engine_of(database, record) as engine:
        engine.enqueue(wanted("u1", priority=50))
        assert record.waits.wait(WAIT_S)
        for job, priority, received_s in (("u5", 54, 2), ("u3", 52, 3), ("u2", 51, 4), ("u4", 52, 5)):
            engine.enqueue(wanted(job, priority=priority, received_s=received_s))
        record.waits.clear()
        engine.enqueue(wanted("other", "other user", 99))
        assert record.waits.wait(WAIT_S)
        assert record.done == ["u1 first", "other first"]
        record.may_go_on.set()
        until(lambda: len(record.done) == 12)
    order = [each.split()[0] for each in record.done if each.startswith("u") and "first" in each]
    assert order == ["u1", "u2", "u3", "u4", "u5"]
    its = [each.split(",")[0] for each in record.done if each.startswith("u")]
    assert its == [f"u{number} {step}" for number in range(1, 6) for step in ("first", "second")]


def test_a_job_is_done_once_for_each_run_however_often_it_is_queued(database):
    record = Record()
    record.may_go_on.set()
    with engine_of(database, record) as engine:
        for run in (1, 1, 2, 1, 2):
            engine.enqueue(wanted("j", run=run))
        until(lambda: len(record.done) == 4)
        engine.enqueue(wanted("j"))
        time.sleep(0.2)
    assert len(record.done) == 4


@on_sqlite
def test_a_job_that_ends_in_a_mistake_disturbs_no_other(database, caplog):
    done = []

    def work(_: JobEngine, job: str) -> None:
        if job == "bad":
            raise ZeroDivisionError
        done.append(job)

    with engine_of(database, work) as engine:
        for priority, job in enumerate(["bad", "good"]):
            engine.enqueue(wanted(job, priority=priority + 1))
        until(lambda: done)
    assert done == ["good"]


def test_stopping_leaves_no_thread_and_a_job_meets_it_at_its_next_step(database):
    """However long it would have waited."""
    before = set(threading.enumerate())
    ended = []

    def work(engine: JobEngine, _: str) -> None:
        try:
            engine.step("first", lambda: None)
            ended.append("began")
            engine.pause(3_600.0)
        except Stopping:
            ended.append("left")
            raise

    began_s = SystemClock().now_s()
    with engine_of(database, work) as engine:
        engine.enqueue(wanted("j"))
        until(lambda: ended)
        assert not engine.is_stopping
    assert engine.is_stopping
    assert ended == ["began", "left"]
    until(lambda: not {thread for thread in threading.enumerate() if thread.is_alive()} - before)
    assert SystemClock().now_s() - began_s < WAIT_S
    with pytest.raises(Stopping):
        engine.step("another", lambda: None)


def test_no_word_of_a_conversation_and_nobody_s_number_is_in_the_engine_s_tables(database):
    """It keeps which steps are done: what was said is kept in one place, where it can be deleted."""
    house = House(database)
    [job] = house.receive(voice(name="Annabel"))
    house.agent.failures["hear"] = [ProviderUnavailable("it is down", provider="x", phase="connect")]
    agent, portal = cast("tuple[Any, Any]", (house.agent, Portal()))

    def do(engine: JobEngine, job_id: str) -> None:
        MessageWork(engine, portal, agent, house.messages, house.outbox, house.policy, lambda: START_S)(
            job_id
        )

    with engine_of(database, do) as engine:
        engine.enqueue(queued(house.job(job)))
        until(lambda: house.job(job).state is JobState.ANSWERED)
    kept = "\n".join(engine_s_values(database))
    assert "whatsapp.message" in kept
    assert "it is down" in kept
    for personal in ("when are you open", "answer to", "Annabel", "4915112345678", "wamid", "media"):
        assert personal not in kept


def engine_s_values(database: Database) -> Iterator[str]:
    """Yield all that is in DBOS's tables, also as it is when it is unpacked."""
    with database.engine.connect() as connection:
        is_postgres = connection.dialect.name == "postgresql"
        tables = sa.inspect(connection).get_table_names(schema="dbos" if is_postgres else None)
        for table in set(tables) - set(METADATA.tables):
            name = f"dbos.{table}" if is_postgres else table
            for row in connection.execute(sa.text(f"SELECT * FROM {name}")):
                for value in row:
                    yield str(value)
                    with suppress(ValueError):
                        yield base64.b64decode(str(value), validate=True).decode("latin-1")


class Process:
    """`tests/server/whatsapp/engine_process.py`, running."""

    def __init__(self, url: str, worker: str, record: Path) -> None:
        arguments = [sys.executable, "-m", "tests.server.whatsapp.engine_process", url, worker, str(record)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.said = ""

    def ready(self) -> None:
        assert self._out.readline() == "ready\n", self._process.communicate()[1]

    def tell(self, *commands: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{command}\n" for command in commands))
        self._process.stdin.flush()

    def answer(self) -> str:
        return self._out.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self.said = self._process.communicate()[1]

    def stop(self) -> None:
        self.said = self._process.communicate("stop\n", timeout=WAIT_S)[1]
        assert self._process.returncode == 0, self.said

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


@pytest.fixture
def started(store_url, tmp_path):
    """Start processes on one database; returns them when they are ready."""
    running: list[Process] = []

    def start(*workers: str) -> list[Process]:
        new = [Process(store_url, worker, tmp_path / "record") for worker in workers]
        running.extend(new)
        for process in new:
            process.ready()
        return new

    yield start
    for process in running:
        process.kill()


def lines(folder: Path) -> list[list[str]]:
    record = folder / "record"
    return [line.split() for line in record.read_text().splitlines()] if record.exists() else []


def test_two_processes_that_queue_the_same_jobs_at_the_same_time_do_each_once(started, tmp_path):
    """A webhook may be delivered to two machines at once; and DBOS, idle or busy, says nothing of it."""
    processes = started("a", "b")
    jobs = [f"j{number}" for number in range(30)]
    for process in processes:
        process.tell(*(f"enqueue {job} user{number % 6} {number + 1}" for number, job in enumerate(jobs)))
    until(lambda: len(lines(tmp_path)) >= 2 * len(jobs))
    time.sleep(0.2)
    for process in processes:
        process.stop()
    done = lines(tmp_path)
    assert sorted((job, step) for _, job, step in done) == sorted(
        (job, step) for job in jobs for step in ("first", "second")
    )
    for number in range(6):
        its = [job for _, job, step in done if step == "first" and int(job[1:]) % 6 == number]
        assert set(its) == set(jobs[number::6])
    assert [process.said for process in processes] == ["", ""]


def test_what_a_killed_process_has_begun_is_gone_on_with_by_one_of_its_name_or_another(started, tmp_path):
    """Killed as by a loss of power: nothing was tidied up. No step that was done is done again."""
    [first] = started("a")
    first.tell("enqueue slow1 user 1", "enqueue next user 2")
    until(lambda: ["a", "slow1", "waits"] in lines(tmp_path))
    first.kill()
    [again] = started("a")
    until(lambda: lines(tmp_path).count(["a", "slow1", "waits"]) == 2)
    again.kill()
    (tmp_path / "record.go").touch()
    [other] = started("b")
    other.tell("take_over a")
    assert other.answer() == "1"
    until(lambda: ["b", "next", "second"] in lines(tmp_path))
    other.stop()
    done = [(job, step) for _, job, step in lines(tmp_path) if step != "waits"]
    assert done == [("slow1", "first"), ("slow1", "second"), ("next", "first"), ("next", "second")]
    assert (first.said, again.said, other.said) == ("", "", "")

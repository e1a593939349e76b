"""`warmline jobs`, as a person runs it, on a store that was left by a server or is used by one."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.server.whatsapp.engines import engine_of, until
from warmline.cli.main import app, main
from warmline.errors import ConfigError
from warmline.server.whatsapp.engine import JobEngine, queued
from warmline.server.whatsapp.policy import PAUSE
from warmline.store.database import Database
from warmline.store.messages import Job, JobState, Messages
from warmline.store.outbox import Outbox, Status
from warmline.store.workers import Workers

pytestmark = pytest.mark.wire

NOW_S = 1_795_132_800
NUMBER = "4915112345678"
JOB = Job(
    id="wa_11112222333344445555666677778888",
    user_key=NUMBER,
    phone_number_id="111",
    kind="audio",
    message='{"text": "secret question"}',
    sent_s=NOW_S,
    received_s=NOW_S + 1.5,
    state=JobState.ANSWERED,
    heard="secret question",
    answer="secret answer",
    finished_s=NOW_S + 6.0,
)


def job(number: int, state: JobState, **others: Any) -> Job:
    id_ = f"wa_{number:08d}{'0' * 24}"
    finished_s = NOW_S + 8.0 if state.is_over else None
    return replace(JOB, id=id_, state=state, received_s=NOW_S + number, finished_s=finished_s, **others)


@pytest.fixture(autouse=True)
def log_as_before():
    """A command sends the log to standard error, which here is its own."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    root.handlers[:] = before


@pytest.fixture
def database(store_url):
    with Database(store_url) as database:
        yield database


@pytest.fixture
def messages(database):
    return Messages(database)


@pytest.fixture
def run(database, tmp_path, monkeypatch):
    """Run `warmline jobs` on the store; return the exit status and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments, answer=""):
        where = ("--set", f"store.url={database.url}")
        done = CliRunner().invoke(app, ["jobs", *arguments, *where], input=answer)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    return invoke


@pytest.fixture
def printed(run):
    """Return what a command prints that succeeds."""

    def output(*arguments):
        status, said = run(*arguments)
        assert status == 0, said
        return said

    return output


on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@on_sqlite
def test_messages_are_listed_newest_first_and_tell_nobody_s_number(messages, printed):
    messages.add(job(1, JobState.ANSWERED))
    messages.add(job(2, JobState.FAILED, reason="it is no recording"))
    messages.add(job(3, JobState.QUEUED, user_key="US.1349"))
    shown = printed()
    assert "1 queued, 1 answered, 1 failed" in shown
    assert NUMBER not in shown
    assert "secret" not in shown
    lines = [line for line in shown.splitlines() if line.startswith("wa_")]
    assert [line.split()[0] for line in lines] == ["wa_00000003", "wa_00000002", "wa_00000001"]
    assert all(part in lines[1] for part in ("…678", "audio", "failed", "6.0 s", "it is no recording"))
    assert "…349" in lines[0]
    assert "No server answers messages now" in shown
    assert NUMBER in printed("--full")


@on_sqlite
def test_some_messages_are_listed_by_what_became_of_them_and_by_who_sent_them(messages, printed):
    messages.add(job(1, JobState.ANSWERED))
    messages.add(job(2, JobState.FAILED))
    messages.add(job(3, JobState.PARTLY))
    messages.add(job(4, JobState.PARTLY, user_key="US.1349"))

    def listed(*arguments):
        told = json.loads(printed(*arguments, "--json"))
        return [int(each["id"][3:11]) for each in told["jobs"]]

    assert listed() == [4, 3, 2, 1]
    assert listed("--state", "failed", "--state", "partly") == [4, 3, 2]
    assert listed("--user", "+49 1511 2345678") == [3, 2, 1]
    assert listed("--user", "US.1349") == [4]
    assert listed("-n", "2") == [4, 3]
    assert "None of those" in printed("--state", "held")


@on_sqlite
def test_programs_are_told_the_same_and_no_number_either(messages, database, printed):
    messages.add(job(1, JobState.FAILED, reason="it is no recording"))
    messages.pause(PAUSE, "the token has expired", 1.0)
    Workers(database).seen("desk:8080", NOW_S * 2)
    told = json.loads(printed("--json"))
    assert told["stands_still"] == "the token has expired"
    assert told["workers"] == ["desk:8080"]
    assert {state: count for state, count in told["counts"].items() if count} == {"failed": 1}
    assert told["jobs"] == [
        {
            "id": f"wa_00000001{'0' * 24}", "from": "…678", "phone_number_id": "111", "kind": "audio",
            "sent_s": NOW_S, "received_s": NOW_S + 1.0, "finished_s": NOW_S + 8.0, "state": "failed",
            "reason": "it is no recording", "runs": 1,
        }
    ]  # fmt: skip
    assert json.loads(printed("--json", "--full"))["jobs"][0]["from"] == NUMBER


@on_sqlite
def test_what_stands_still_says_why_and_goes_on_when_told_to(messages, printed):
    messages.add(JOB)
    messages.pause(PAUSE, "the token has expired", 1.0)
    assert "Everything stands still: the token has expired" in printed()
    assert "the token has expired" in printed("resume")
    assert messages.pause_reason(PAUSE) is None
    assert "Nothing stood still" in printed("resume")
    assert "stands still" not in printed()


@on_sqlite
def test_the_life_of_a_message_is_shown_and_its_words_only_if_they_are_asked_for(messages, database, printed):
    messages.add(replace(JOB, state=JobState.PARTLY, reason="part 2 of 2 could not be sent: undeliverable"))
    outbox = Outbox(database)
    for part in (0, 1, 900):
        outbox.intend(JOB.id, part)
    outbox.accepted(f"{JOB.id}/0", "wamid.0", NOW_S + 5.0)
    for at_s, state in enumerate(("sent", "delivered", "played")):
        outbox.told(Status("wamid.0", state, NOW_S + at_s, f"{JOB.id}/0", proves_acceptance=True), 1.0)
    outbox.accepted(f"{JOB.id}/1", "wamid.1", NOW_S + 5.0)
    outbox.told(Status("wamid.1", "failed", NOW_S + 9, f"{JOB.id}/1", 131026, "Undeliverable"), 1.0)
    shown = printed("show", "wa_1111")
    assert JOB.id in shown
    assert "after 4.5 s" in shown
    assert all(
        word in shown for word in ("answered in part", "delivered", "played", "131026 Undeliverable", "aside")
    )
    assert "secret" not in shown
    assert NUMBER not in shown
    told = json.loads(printed("show", JOB.id, "--json"))
    assert [(part["part"], part["state"]) for part in told["parts"]] == [
        ("1", "accepted"),
        ("2", "failed"),
        ("aside", "ready"),
    ]
    assert [status["state"] for status in told["parts"][0]["statuses"]] == ["sent", "delivered", "played"]
    assert "secret" not in json.dumps(told)
    assert "secret question" in printed("show", "wa_1111", "--texts")
    assert json.loads(printed("show", "wa_1111", "--texts", "--json"))["answer"] == "secret answer"


class Server:
    """Work as a server's, which fails until it is mended; records what it does."""

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self.is_mended = False
        self.done: list[str] = []

    def __call__(self, engine: JobEngine, job_id: str) -> None:
        self.messages.change(job_id, state=JobState.WORKING)
        engine.step("answer", lambda: self.done.append(job_id))
        state = JobState.ANSWERED if self.is_mended else JobState.FAILED
        engine.step("end", lambda: self.messages.change(job_id, state=state, finished_s=NOW_S + 9.0))

    def receive(self, engine: JobEngine, received: Job) -> None:
        self.messages.add(received)
        engine.enqueue(queued(received))

    def states(self) -> list[JobState]:
        return [each.state for each in self.messages.listed()]


def test_what_has_failed_is_answered_by_the_next_server_or_by_one_that_runs(database, messages, run, printed):
    """Once for each time that it is asked for."""
    server = Server(messages)
    with engine_of(database, server) as engine:
        for number in (1, 2):
            server.receive(engine, job(number, JobState.QUEUED))
        until(lambda: server.states() == [JobState.FAILED] * 2)
    assert "it waits for one" not in run("replay", "wa_00000001")[1]
    assert server.states() == [JobState.FAILED, JobState.QUEUED]
    status, said = run("replay", "wa_00000001")
    assert (status, "it waits for its turn already" in said) == (1, True)
    server.is_mended = True
    with engine_of(database, server):
        until(lambda: server.states() == [JobState.FAILED, JobState.ANSWERED])
        told = json.loads(printed("replay", "--failed", "--json"))
        assert [(each["id"][:11], each["queued"]) for each in told] == [("wa_00000002", True)]
        until(lambda: server.states() == [JobState.ANSWERED] * 2)
    assert [done[:11] for done in server.done] == ["wa_00000001", "wa_00000002"] * 2
    assert [each.runs for each in messages.listed()] == [2, 2]
    assert "No message has failed" in printed("replay", "--failed")
    status, said = run("replay", "wa_00000001", "wa_00000002")
    assert (status, said.count("it was answered; --anew has it answered once more")) == (1, 2)


@on_sqlite
def test_what_waits_for_no_run_or_was_left_by_one_that_ended_is_replayed(database, messages, run, printed):
    """A webhook's process may die between keeping a message and queueing it; a run may end by a mistake."""
    server = Server(messages)
    server.is_mended = True
    begun: list[str] = []

    def work(engine: JobEngine, job_id: str) -> None:
        begun.append(job_id)
        if len(begun) == 1:
            messages.change(job_id, state=JobState.WORKING)
            raise ZeroDivisionError
        server(engine, job_id)

    with engine_of(database, work) as engine:
        server.receive(engine, job(2, JobState.QUEUED))
        until(lambda: begun and run("replay", "wa_00000002")[0] == 0)
        until(lambda: server.states() == [JobState.ANSWERED])
        messages.add(job(1, JobState.QUEUED, user_key="US.1349"))
        assert "queued again" in printed("replay", "wa_00000001")
        until(lambda: server.states() == [JobState.ANSWERED] * 2)
    assert [each.runs for each in messages.listed()] == [2, 1]
    assert len(begun) == 3


@on_sqlite
def test_what_cannot_be_replayed_says_why(database, messages, run):
    with engine_of(database, lambda engine, _: engine.pause(3_600)) as engine:
        for number, state in enumerate((JobState.IGNORED, JobState.WORKING, JobState.ANSWERED), 1):
            messages.add(job(number, state, user_key=f"US.{number}"))
        messages.forget("US.3")
        working = job(2, JobState.WORKING)
        engine.enqueue(queued(replace(working, user_key="US.2")))
        ids = [f"wa_0000000{number}" for number in (1, 2, 3)]
        status, said = run("replay", *ids)
    assert status == 1
    for why in ("nothing that wants an answer", "is being answered", "it was forgotten"):
        assert why in said, said


def test_an_answer_that_is_wanted_anew_is_made_from_nothing(database, messages, printed):
    server = Server(messages)
    server.is_mended = True
    with engine_of(database, server) as engine:
        server.receive(engine, replace(JOB, state=JobState.QUEUED))
        until(lambda: server.states() == [JobState.ANSWERED])
        messages.pause(PAUSE, "the token has expired", 1.0)
        assert "stands still" in printed("replay", "--anew", "wa_1111")
        until(lambda: len(server.done) == 2)
    [kept] = messages.listed()
    assert (kept.heard, kept.answer, kept.runs, kept.answers) == (None, None, 2, 2)


@on_sqlite
def test_a_person_is_forgotten_after_asking(messages, run):
    messages.add(JOB)
    messages.add(job(1, JobState.FAILED))
    messages.add(job(2, JobState.FAILED, user_key="US.1349"))
    status, said = run("forget", "+49 151 12345678", answer="n\n")
    assert (status, "Delete 2 messages" in said) == (1, True)
    assert messages.get(JOB.id) == JOB
    status, said = run("forget", "+49 151 12345678", answer="y\n")
    assert (status, "Deleted: 2 messages" in said) == (0, True)
    assert messages.listed(user_key=NUMBER) == []
    assert run("forget", "US.1349", "--yes")[0] == 0
    with pytest.raises(ConfigError, match="nothing is kept of them"):
        run("forget", NUMBER, "--yes")


@on_sqlite
def test_a_job_that_is_not_found_or_not_the_only_one_is_told(messages, run):
    for number in (1, 2):
        messages.add(job(number, JobState.ANSWERED))
    for arguments, problem in (
        (["show", "wa_9"], "there is none"),
        (["show", "wa_0000000"], "several begin so: wa_00000001"),
        (["replay", "wa_0000000"], "several begin so"),
        (["show", "wa_"], "at least 4"),
        (["replay"], "name the jobs"),
        (["--state", "lost"], "there are queued, working"),
    ):
        with pytest.raises(ConfigError, match=problem):
            run(*arguments)


def test_a_store_that_is_empty_or_cannot_be_had_is_told_and_the_status_is_2(
    store_url, tmp_path, capsys, monkeypatch
):
    """Nothing is made where there is nothing, as by a name that is mistyped."""
    monkeypatch.chdir(tmp_path)
    with Database(store_url):
        pass
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database, and long enough to be seen to be none" * 20)
    for url, problem in (
        (store_url, "there are no messages in"),
        (f"sqlite:///{tmp_path}/none.db", "no server has kept messages there yet"),
        ("postgresql://me:s3cret@127.0.0.1:1/x", "opening postgresql"),
        (f"sqlite:///{broken}", "opening sqlite"),
    ):
        monkeypatch.setattr(sys, "argv", ["warmline", "jobs", "--set", f"store.url={url}"])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert ended.value.code == 2
        assert problem in said.replace("\n", " ")
        assert "s3cret" not in said
    assert not (tmp_path / "none.db").exists()


@on_sqlite
def test_options_before_a_subcommand_hold_for_it(database, messages):
    messages.add(JOB)
    where = ["--set", f"store.url={database.url}"]
    done = CliRunner().invoke(app, ["jobs", *where, "show", "wa_1111"])
    assert (done.exit_code, JOB.id in done.output) == (0, True)

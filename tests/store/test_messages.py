"""Messages are kept once, found again, and forgotten when that is asked for; on either database."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from warmline.errors import ConfigError
from warmline.store.database import Database, database_url
from warmline.store.messages import Exchange, Job, JobState, Messages
from warmline.store.outbox import Note, Outbox, SendState, Status
from warmline.store.workers import Workers

pytestmark = pytest.mark.wire

JOB = Job(
    id="wa_1",
    user_key="4915112345678",
    phone_number_id="111",
    kind="text",
    message='{"text": "when are you open"}',
    sent_s=1_000,
    received_s=1_001.5,
    state=JobState.QUEUED,
)


@pytest.fixture
def database(store_url):
    with Database(store_url) as database:
        yield database


def answered(number: int, **others) -> Job:
    return replace(
        JOB, id=f"wa_{number}", sent_s=1_000 + number, state=JobState.ANSWERED,
        heard=f"question {number}", answer=f"answer {number}", **others,
    )  # fmt: skip


def test_a_message_is_kept_once_however_many_try_at_the_same_time(database):
    messages = Messages(database)
    added = []
    threads = [threading.Thread(target=lambda: added.append(messages.add(JOB))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [False] * 7 + [True]
    assert messages.get("wa_1") == JOB
    assert messages.get("wa_2") is None


def test_the_conversation_so_far_is_what_the_same_person_said_to_the_same_number_before(database):
    """Oldest first, and no more of it than is wanted; what is not answered yet is no part of it."""
    messages = Messages(database)
    for number in (3, 1, 2):
        messages.add(answered(number))
    messages.add(replace(answered(1), id="other person", user_key="US.1"))
    messages.add(replace(answered(1), id="other number", phone_number_id="222"))
    messages.add(replace(JOB, id="unanswered", sent_s=1_002))
    now = replace(JOB, id="now", sent_s=1_003, received_s=JOB.received_s + 1)
    messages.add(now)
    assert messages.history(now, most=2) == [
        Exchange("question 2", "answer 2"),
        Exchange("question 3", "answer 3"),
    ]
    assert messages.last_sent_s("4915112345678", "111") == 1_003
    assert messages.last_sent_s("nobody", "111") == 0


def test_a_person_who_is_forgotten_leaves_nothing_but_the_knowledge_that_it_was_answered(database):
    """Not a word, not a number: neither in the messages nor in what was sent for them."""
    messages, outbox = Messages(database), Outbox(database)
    messages.add(answered(1))
    messages.add(replace(answered(2), id="other person", user_key="US.1"))
    asking = replace(JOB, id="this one", sent_s=1_001)
    messages.add(asking)
    messages.add(replace(JOB, id="said since", sent_s=1_002))
    outbox.intend("wa_1", 0)
    outbox.accepted("wa_1/0", "wamid.1", 5.0)
    outbox.keep_notes("wa_1", [Note(0, b"OggS", 1.0)])
    outbox.told(Status("wamid.1", "read", 5, callback_data="wa_1/0", proves_acceptance=True), 5.0)
    assert messages.forget(JOB.user_key, up_to=asking) == 1
    assert messages.forget(JOB.user_key, up_to=asking) == 0
    with database.engine.connect() as connection:
        for table in ("whatsapp_jobs", "whatsapp_sends", "whatsapp_notes", "whatsapp_statuses"):
            rows = [tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table}"))]
            left = str([row for row in rows if "wa_1" in str(row)])
            assert "question" not in left
            assert JOB.user_key not in left
            assert "wamid.1" not in str(rows)
    assert messages.add(JOB) is False
    assert len(messages.listed(user_key="US.1")) == 1
    assert {job.id for job in messages.listed(user_key=JOB.user_key)} == {"this one", "said since"}


def test_what_is_old_is_forgotten_unless_it_is_still_to_be_answered(database):
    messages = Messages(database)
    messages.add(answered(1, received_s=10.0))
    messages.add(answered(2, received_s=30.0))
    messages.add(replace(JOB, id="waits", received_s=10.0))
    assert messages.forget_older(20.0) == 1
    assert [job.id for job in messages.listed(user_key=JOB.user_key)] == ["wa_2", "waits"]


def test_a_message_that_is_over_can_be_run_again_and_one_that_is_not_cannot(database):
    """Parts that failed are sent anew; parts that arrived are not."""
    messages, outbox = Messages(database), Outbox(database)
    messages.add(answered(1, finished_s=9.0))
    messages.add(replace(JOB, id="waits"))
    for part in (0, 1):
        outbox.intend("wa_1", part)
    outbox.accepted("wa_1/0", "wamid.1", 5.0)
    outbox.failed("wa_1/1", 131026, "not deliverable")
    assert messages.begin_again("wa_1") == 2
    assert messages.begin_again("wa_1") is None
    assert messages.begin_again("waits") is None
    assert [send.state for send in outbox.of("wa_1")] == [SendState.ACCEPTED, SendState.READY]
    assert messages.counts()[JobState.QUEUED] == 2


def test_a_call_is_begun_by_one_and_no_other_until_it_is_known_to_have_failed(database):
    outbox = Outbox(database)
    send = outbox.intend("wa_1", 0)
    assert (send.id, send.state) == ("wa_1/0", SendState.READY)
    assert outbox.begin_call(send.id, 1.0) is True
    assert outbox.begin_call(send.id, 2.0) is False
    outbox.take_back(send.id)
    assert outbox.begin_call(send.id, 3.0) is True
    outbox.accepted(send.id, "wamid.1", 3.5)
    outbox.take_back(send.id)
    assert outbox.intend("wa_1", 0).state is SendState.ACCEPTED


@pytest.mark.parametrize("state", ["sent", "delivered", "read", "played"])
def test_a_status_tells_of_a_message_whose_call_got_no_answer(database, state):
    outbox = Outbox(database)
    outbox.intend("wa_1", 0)
    outbox.begin_call("wa_1/0", 1.0)
    status = Status("wamid.9", state, 2, callback_data="wa_1/0", proves_acceptance=True)
    assert outbox.told(status, 2.0) is None
    assert outbox.told(status, 3.0) is None
    send = outbox.intend("wa_1", 0)
    assert (send.state, send.message_id) == (SendState.ACCEPTED, "wamid.9")


def test_a_message_that_was_taken_and_could_not_be_delivered_has_failed(database):
    outbox = Outbox(database)
    outbox.intend("wa_1", 0)
    outbox.begin_call("wa_1/0", 1.0)
    outbox.accepted("wa_1/0", "wamid.9", 1.5)
    assert outbox.told(Status("wamid.9", "failed", 2, "", 131053, "Media upload error"), 2.0) == "wa_1"
    send = outbox.intend("wa_1", 0)
    assert (send.state, send.error_code) == (SendState.FAILED, 131053)
    assert outbox.told(Status("wamid.unknown", "failed", 2, "", 131026, "x"), 2.0) is None


def test_what_stands_still_does_so_once_and_goes_on_once(database):
    messages = Messages(database)
    assert messages.pause_reason("whatsapp") is None
    assert messages.pause("whatsapp", "the token has expired", 1.0) is True
    assert messages.pause("whatsapp", "again", 2.0) is False
    assert messages.pause_reason("whatsapp") == "the token has expired"
    assert messages.resume("whatsapp") is True
    assert messages.resume("whatsapp") is False


def test_a_process_that_is_not_seen_any_more_is_found_by_one_other_alone(database):
    workers = Workers(database)
    workers.seen("a", 10.0)
    workers.seen("b", 10.0)
    workers.seen("a", 100.0)
    assert workers.bury(50.0) == ["b"]
    assert workers.bury(50.0) == []


def test_processes_that_start_at_once_create_the_tables_once(store_url):
    problems = []

    def start() -> None:
        try:
            with Database(store_url):
                pass
        except ConfigError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_database_that_cannot_be_had_says_so_without_its_password(tmp_path):
    with pytest.raises(ConfigError, match=r"store\.url"):
        Database("mysql://x/y")
    with pytest.raises(ConfigError, match=r"store\.url"):
        Database("nothing")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match="opening sqlite"), Database(f"sqlite:///{tmp_path}/file/x.db"):
        pass
    with pytest.raises(ConfigError) as told, Database("postgresql://me:s3cret@127.0.0.1:1/x"):
        pass
    assert "s3cret" not in str(told.value)
    assert "127.0.0.1" in str(told.value)


def test_by_default_it_is_a_file_of_the_user_s():
    assert database_url("").startswith("sqlite:///")
    assert database_url("postgresql://host/name") == "postgresql://host/name"


def test_of_several_that_open_a_new_database_at_once_one_makes_its_tables(store_url):
    """As when two machines are started together for the first time."""
    start, problems = threading.Barrier(6), list[Exception]()

    def use() -> None:
        start.wait()
        try:
            with Database(store_url) as database:
                Messages(database).counts()
        except (ConfigError, sa.exc.SQLAlchemyError) as problem:
            problems.append(problem)

    threads = [threading.Thread(target=use) for _ in range(start.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_run_is_queued_together_with_what_asks_for_it_or_not_at_all(database):
    """Otherwise a message could wait for ever for a run that nobody knows of."""
    messages = Messages(database)
    messages.add(answered(1))

    def fail(_: sa.Connection, run: int) -> None:
        raise OSError(f"run {run} could not be queued")

    with pytest.raises(OSError, match="run 2"):
        messages.begin_again("wa_1", fail)
    kept = messages.get("wa_1")
    assert kept is not None
    assert (kept.state, kept.runs) == (JobState.ANSWERED, 1)
    queued: list[int] = []
    assert messages.begin_again("wa_1", lambda _, run: queued.append(run)) == 2
    assert queued == [2]


def test_a_message_whose_last_run_has_ended_can_be_run_again_whatever_its_state(database):
    messages = Messages(database)
    messages.add(replace(JOB, state=JobState.WORKING))
    assert messages.begin_again("wa_1") is None
    assert messages.begin_again("wa_1", ended_run=1) == 2
    assert messages.begin_again("wa_1", ended_run=1) is None


def test_an_answer_made_anew_is_none_of_the_one_before(database):
    """Nothing is known of it: what is told of the earlier answer is not taken for news of the new one."""
    messages, outbox = Messages(database), Outbox(database)
    messages.add(answered(1))
    outbox.intend("wa_1", 0)
    outbox.accepted("wa_1/0", "wamid.1", 5.0)
    outbox.keep_notes("wa_1", [Note(0, b"OggS", 1.0)])
    assert messages.begin_again("wa_1", anew=True) == 2
    kept = messages.get("wa_1")
    assert kept is not None
    assert (kept.heard, kept.answer, kept.answers) == (None, None, 2)
    assert outbox.note_count("wa_1") == 0
    assert outbox.of("wa_1") == []
    assert outbox.intend("wa_1", 0).id == "wa_1~2/0"
    played = Status("wamid.1", "played", 6, callback_data="wa_1/0", proves_acceptance=True)
    failed = Status("wamid.1", "failed", 7, "wa_1/0", 131026, "x")
    assert outbox.told(played, 6.0) is None
    assert outbox.told(failed, 7.0) is None
    assert [send.state for send in outbox.of("wa_1")] == [SendState.READY]
    assert [(status.callback_data, status.state) for status in outbox.statuses("wa_1")] == [
        ("wa_1/0", "played"),
        ("wa_1/0", "failed"),
    ]


def test_what_is_told_late_of_a_part_that_failed_does_not_keep_it_from_being_sent_again(database):
    """Statuses come in any order."""
    messages, outbox = Messages(database), Outbox(database)
    messages.add(answered(1))
    outbox.intend("wa_1", 0)
    outbox.accepted("wa_1/0", "wamid.1", 5.0)
    assert outbox.told(Status("wamid.1", "failed", 7, "wa_1/0", 131026, "x"), 7.0) == "wa_1"
    messages.begin_again("wa_1")
    assert outbox.told(Status("wamid.1", "sent", 6, "wa_1/0", proves_acceptance=True), 8.0) is None
    assert [send.state for send in outbox.of("wa_1")] == [SendState.READY]
    assert outbox.told(Status("wamid.2", "sent", 9, "wa_1/0", proves_acceptance=True), 9.0) is None
    assert [send.state for send in outbox.of("wa_1")] == [SendState.ACCEPTED]


def test_after_somebody_was_forgotten_nothing_of_them_is_kept_any_more(database):
    """Neither by who is just answering them, nor by what WhatsApp still tells; and nobody waits for it."""
    messages, outbox = Messages(database), Outbox(database)
    messages.add(replace(JOB, state=JobState.WORKING))
    messages.add(answered(2))
    outbox.intend("wa_2", 0)
    outbox.accepted("wa_2/0", "wamid.2", 5.0)
    assert messages.forget(JOB.user_key) == 2
    messages.change("wa_1", heard="secret words", state=JobState.ANSWERED)
    outbox.keep_notes("wa_1", [Note(0, b"OggS", 1.0)])
    outbox.told(Status("wamid.2", "read", 9, "wa_2/0", proves_acceptance=True), 9.0)
    kept = messages.get("wa_1")
    assert kept is not None
    assert (kept.heard, kept.state, kept.is_forgotten) == (None, JobState.IGNORED, True)
    assert outbox.note_count("wa_1") == 0
    assert messages.begin_again("wa_1") is None
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM whatsapp_statuses")).scalar() == 0


def test_a_message_is_found_by_the_beginning_of_its_id(database):
    messages = Messages(database)
    for number in (1, 12, 13, 2):
        messages.add(answered(number))
    assert [job.id for job in messages.found("wa_1")] == ["wa_1", "wa_12", "wa_13"]
    assert [job.id for job in messages.found("wa_2")] == ["wa_2"]
    assert messages.found("wa%") == []
    assert len(messages.listed(most=None)) == 4


def test_an_error_of_the_database_tells_nothing_of_what_was_to_be_kept(database):
    """Errors are logged."""
    with database.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE whatsapp_jobs"))
    with pytest.raises(sa.exc.SQLAlchemyError) as failed:
        Messages(database).change("wa_1", heard="secret words")
    assert "secret words" not in str(failed.value)

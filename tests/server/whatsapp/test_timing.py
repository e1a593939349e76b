"""Where the time of a message went is known, and nothing of what was said with it."""

from __future__ import annotations

import logging

import pytest

from tests.server.whatsapp.house import START_S, House, voice
from warmline.server.whatsapp.timing import JobTiming, timed, timing
from warmline.store.database import Database

pytestmark = pytest.mark.wire


class Clock:
    """Stands where it is put."""

    now_s = START_S

    def __call__(self) -> float:
        return self.now_s


def test_what_is_done_is_told_as_it_began_and_counted_from_the_message_s_receipt():
    clock = Clock()
    job = JobTiming(START_S - 0.25, clock)
    job.note("queue", START_S - 0.25, START_S)
    with timing(job), timed("step hear"):
        clock.now_s += 0.002
        with timed("download"):
            clock.now_s += 0.01
    assert job.told() == [
        {"name": "queue", "at_ms": 0.0, "took_ms": 250.0},
        {"name": "step hear", "at_ms": 250.0, "took_ms": 12.0},
        {"name": "download", "at_ms": 252.0, "took_ms": 10.0},
    ]


def test_what_fails_took_its_time_as_well():
    clock = Clock()
    job = JobTiming(START_S, clock)

    def fail() -> None:
        with timed("download"):
            clock.now_s += 1.0
            raise OSError("gone")

    with timing(job), pytest.raises(OSError, match="gone"):
        fail()
    assert job.told() == [{"name": "download", "at_ms": 0.0, "took_ms": 1000.0}]


def test_what_is_done_for_no_job_is_noted_nowhere():
    job = JobTiming(START_S, Clock())
    with timing(job):
        pass
    with timed("download"):
        pass
    assert job.told() == []


def test_a_job_that_is_over_has_told_where_its_time_went(caplog):
    with Database("sqlite://") as database, caplog.at_level(logging.INFO, logger="warmline"):
        house = House(database)
        [job] = house.receive(voice())
        house.now_s += 3.0
        house.run()
    [record] = [each for each in caplog.records if each.message == "whatsapp.job_timed"]
    assert record.job == job
    assert record.spans[0] == {"name": "queue", "at_ms": 0.0, "took_ms": 3000.0}
    assert "answer to" not in str(record.spans)


def test_how_long_a_job_waited_is_not_known_when_it_is_done_again(caplog):
    with Database("sqlite://") as database, caplog.at_level(logging.INFO, logger="warmline"):
        house = House(database)
        [job] = house.receive(voice())
        house.run()
        caplog.clear()
        assert house.messages.begin_again(job) == 2
        house.engine.kept.clear()
        house.queue.append(job)
        house.run()
    [record] = [each for each in caplog.records if each.message == "whatsapp.job_timed"]
    assert record.spans == []

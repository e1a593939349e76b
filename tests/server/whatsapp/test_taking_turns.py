"""Many jobs at once leave the interpreter to others: one works, and the others wait."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.server.whatsapp.house import START_S
from warmline.channels.whatsapp.signature import WhatsAppSignatures
from warmline.server.whatsapp.engine import JobEngine, Queued
from warmline.server.whatsapp.receiving import Receiving
from warmline.store.database import Database
from warmline.store.messages import Job, JobState, Messages
from warmline.store.outbox import Outbox

pytestmark = pytest.mark.wire

JOBS = 4
WITHIN_S = 20.0


@dataclass
class Crowd:
    """Jobs that work, wait until all of them do, and work again."""

    engine: JobEngine | None = None
    all_wait: threading.Barrier = field(default_factory=lambda: threading.Barrier(JOBS))
    all_done: threading.Barrier = field(default_factory=lambda: threading.Barrier(JOBS + 1))
    at_work: int = 0
    most_at_work: int = 0

    def __call__(self, job_id: str) -> None:
        assert self.engine is not None
        self.engine.step("before", self._work)
        with self.engine.waiting():
            self.all_wait.wait(WITHIN_S)
        self.engine.step("after", self._work)
        with self.engine.waiting():
            self.all_done.wait(WITHIN_S)

    def _work(self) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        threading.Event().wait(0.005)
        self.at_work -= 1


def test_one_job_works_at_a_time_and_all_of_them_wait_at_once(tmp_path):
    """The barrier is passed only if every job waits while others do; no two were ever at work."""
    switch_s = sys.getswitchinterval()
    with Database(f"sqlite:///{tmp_path / 'warmline.db'}") as database:
        crowd = Crowd()
        engine = crowd.engine = JobEngine(database, crowd, worker="one", at_once=JOBS, look_s=0.02)
        engine.start()
        try:
            for number in range(JOBS):
                engine.enqueue(Queued(f"wa_{number}", 1, f"user {number}", 1, float(number)))
            crowd.all_done.wait(WITHIN_S)
        finally:
            engine.stop()
    assert crowd.most_at_work == 1
    assert sys.getswitchinterval() == switch_s


@dataclass
class Queue:
    """Notes what is queued."""

    queued: list[tuple[str, int]] = field(default_factory=list)

    def enqueue(self, wanted: Queued) -> None:
        self.queued.append((wanted.job_id, wanted.run))


def test_what_was_kept_and_not_begun_is_queued_again_in_its_order():
    with Database("sqlite://") as database:
        messages, queue = Messages(database), Queue()
        states = [JobState.QUEUED, JobState.WORKING, JobState.ANSWERED, JobState.QUEUED]
        for number, state in enumerate(states):
            messages.add(
                Job(f"wa_{number}", "u", "111", "text", "{}", 1, START_S + number, state, runs=1 + number)
            )
        engine = cast("Any", queue)
        Receiving(
            WhatsAppSignatures("secret"), messages, Outbox(database), engine, lambda: START_S
        ).queue_again()
    assert queue.queued == [("wa_0", 1), ("wa_3", 4)]

"""The real engine in a test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from warmline.core.clock import SystemClock
from warmline.server.whatsapp.engine import JobEngine, Queued
from warmline.store.database import Database

WAIT_S = 20.0
"""For what must happen; it takes a fraction of a second."""


@contextmanager
def engine_of(
    database: Database, work: Callable[[JobEngine, str], None], worker: str = "a"
) -> Iterator[JobEngine]:
    """Run an engine; there can be one at a time."""
    engine = JobEngine(database, lambda job: work(engine, job), worker=worker, at_once=20, look_s=0.02)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def wanted(
    job: str, key: str = "user", priority: int = 1, *, run: int = 1, received_s: float = 1.0
) -> Queued:
    """Return a job as it is queued."""
    return Queued(job, run, key, priority, received_s)


def until(is_so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    clock = SystemClock()
    deadline_s = clock.now_s() + WAIT_S
    while not is_so():
        assert clock.now_s() < deadline_s, "it did not happen"
        time.sleep(0.005)

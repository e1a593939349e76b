"""Durable jobs: DBOS, on threads of its own, beside the event loop.

DBOS keeps which steps of a job are done, and gives a job that was cut short to whoever runs next. What the
steps do, and what they know, is elsewhere; the text of a conversation never reaches its tables.
"""

from __future__ import annotations

import datetime
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from dbos import DBOS, DBOSConfig

from warmline.server.whatsapp.policy import priority_of, queue_key
from warmline.server.whatsapp.timing import timed
from warmline.store.database import Database
from warmline.store.messages import Job

__all__ = ["APPLICATION", "JobEngine", "Queued", "Stopping", "queued", "quiet_dbos", "run_options"]

APPLICATION: Final = "warmline"
"""Whose jobs these are, among those in the same database."""

_WORKFLOW: Final = "whatsapp.message"
_QUEUE: Final = "whatsapp"
_VERSION: Final = "2"
"""Of the steps: a job that was begun with some is not gone on with by others. Raise it when they change."""

_AT_A_TIME: Final = 200
_LISTEN_S: Final = 0.2

_STOP_S: Final = 3.0
"""How long jobs have to reach a place where they can be left."""

_AT_WORK: Final = 1
"""Jobs whose threads do something at a time, and do not wait. Each thread that has something to do keeps the
event loop waiting for the interpreter's lock, and the others for the database's: fifty at once would hold up
live audio for a second, and end no sooner."""

_SWITCH_S: Final = 0.0005
"""How long a thread may keep the interpreter's lock while another wants it, in place of Python's 5 ms: what
the event loop waits each time, once for every job's thread that is starting or ending."""

_T = TypeVar("_T")


class Stopping(BaseException):
    """The process ends: the job is left as it is, and is gone on with by the next one.

    Not an Exception, because DBOS takes those for the job's own end.
    """


@dataclass(frozen=True, slots=True)
class Queued:
    """A job that waits for its turn."""

    job_id: str
    run: int
    """Counts from 1."""

    key: str
    """What jobs wait for each other by: those of one key are done one after another."""

    priority: int
    """1 to 2**31 - 1; the lowest is done first."""

    received_s: float
    """Of several with one priority, the first is done first; the same whenever a job is queued."""

    @property
    def name(self) -> str:
        """DBOS's name for it.

        Among jobs of equal priority it goes by when they were queued, in SQLite to the second, and then by
        this.
        """
        return f"{round(self.received_s * 1000):014}-{self.job_id}-{self.run}"


class JobEngine:
    """Runs jobs: at most one of each user's at a time, in the order of their messages.

    Use from worker threads: every method blocks, but for `leave` and `is_stopping`. There can be one in a
    process.

    What changes here: `_running`, with each job; `_stopping`, once.
    """

    def __init__(
        self, database: Database, work: Callable[[str], None], *, worker: str, at_once: int, look_s: float
    ) -> None:
        """Prepare.

        Args:
            database: Where jobs are kept.
            work: Does a job, by `step` and `wait`; called on a thread of its own.
            worker: This process's name, under which it finds its jobs again; no other process that runs
                now may have it.
            at_once: Jobs at a time.
            look_s: How often the queue is looked at.
        """
        self._database = database
        self._work = work
        self._worker = worker
        self._at_once = at_once
        self._look_s = look_s
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._running = 0
        self._switch_s = sys.getswitchinterval()
        self._at_work = threading.Semaphore(_AT_WORK)

    @property
    def is_stopping(self) -> bool:
        """Whether the process ends."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin to run jobs, those first that were cut short."""
        quiet_dbos()
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(min(_SWITCH_S, self._switch_s))
        config = DBOSConfig(
            name=APPLICATION,
            system_database_url=self._database.url,
            application_version=_VERSION,
            executor_id=self._worker,
            use_listen_notify=False,
            # Nothing here waits for notifications; stopping waits for who looks for them.
            notification_listener_polling_interval_sec=_LISTEN_S,
            enable_otlp=False,
            log_level="WARNING",
        )
        if self._database.engine.dialect.name == "sqlite":
            # So that its threads stand in the line of the file's writers.
            config["system_database_engine"] = self._database.engine
        DBOS(config=config)
        quiet_dbos()

        def run(job_id: str) -> None:  # A function: DBOS writes on what it is given.
            self._run(job_id)

        DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)(run)
        DBOS.launch()
        DBOS.register_queue(
            _QUEUE,
            partition_concurrency=1,
            worker_concurrency=self._at_once,
            polling_interval_sec=self._look_s,
            on_conflict="always_update",
        )

    def leave(self) -> None:
        """Have every job left where it is, as soon as it comes to a place for that; never blocks."""
        self._stopping.set()

    def stop(self) -> None:
        """Wait for that, and end."""
        self.leave()
        with self._idle:
            self._idle.wait_for(lambda: not self._running, _STOP_S)
        DBOS.destroy(destroy_registry=True)
        sys.setswitchinterval(self._switch_s)

    def enqueue(self, wanted: Queued) -> None:
        """Have a job done, once for each of its runs, however often this is called."""
        DBOS.enqueue_workflow_with_options(run_options(wanted), wanted.job_id)

    def take_over(self, worker: str) -> int:
        """Go on with the jobs of a process that is dead; return how many those are."""
        return len(DBOS._recover_pending_workflows([worker]))

    def forget_done(self, before: datetime.datetime) -> int:
        """Delete the engine's own notes on jobs that were over before; return how many those are."""
        count = 0
        while done := DBOS.list_workflows(
            name=_WORKFLOW,
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=_AT_A_TIME,
            load_input=False,
            load_output=False,
        ):
            DBOS.delete_workflows([each.workflow_id for each in done])
            count += len(done)
        return count

    def step(self, name: str, act: Callable[[], _T]) -> _T:
        """Do something once: what it returned, or raised, is returned or raised when the job is gone on with.

        Raises:
            Stopping: the process ends; nothing is kept.
        """
        self.check()

        def measured() -> _T:
            with timed(f"step {name}"):
                return act()

        return DBOS.run_step({"name": name}, measured)

    def wait(self, name: str, seconds: float, clock: Callable[[], float]) -> None:
        """Wait until an instant that is kept: whoever goes on with the job waits for the rest alone.

        Raises:
            Stopping: the process ends meanwhile.
        """
        until_s = self.step(name, lambda: clock() + seconds)
        self.pause(until_s - clock())

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopping: the process ends meanwhile.
        """
        with self.waiting():
            is_stopping = self._stopping.wait(max(seconds, 0.0))
        if is_stopping:
            raise Stopping

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let other jobs work while this one, on its thread, waits for something."""
        self._at_work.release()
        try:
            yield
        finally:
            self._at_work.acquire()

    def check(self) -> None:
        """Go on.

        Raises:
            Stopping: the process ends.
        """
        if self._stopping.is_set():
            raise Stopping

    def _run(self, job_id: str) -> None:
        with self._idle:
            self._running += 1
        try:
            with self._at_work:
                self._work(job_id)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()


def queued(job: Job) -> Queued:
    """Return a message's job as it is queued, for the run that it is at."""
    key = queue_key(job.user_key, job.phone_number_id)
    return Queued(job.id, job.runs, key, priority_of(job.sent_s), job.received_s)


def run_options(wanted: Queued) -> Any:
    """Return with what DBOS is given a job."""
    return {
        "workflow_name": _WORKFLOW,
        "queue_name": _QUEUE,
        "workflow_id": wanted.name,
        "queue_partition_key": wanted.key,
        "priority": wanted.priority,
        "application_name": APPLICATION,
    }


def quiet_dbos() -> None:
    """Have DBOS's log go where ours goes, and only what matters of it."""
    log = logging.getLogger("dbos")
    log.handlers.clear()
    log.addHandler(logging.NullHandler())  # Without any, it adds one of its own.
    log.propagate = True
    log.setLevel(logging.WARNING)

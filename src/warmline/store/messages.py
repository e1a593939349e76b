"""Messages to be answered: a row each, from its webhook to long after its answer.

Methods block, each for one transaction: for worker threads alone. Times are seconds since 1970, handed in.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from warmline.store.database import Database
from warmline.store.schema import NOTES, PAUSES, SENDS, STATUSES, WHATSAPP_JOBS

__all__ = ["Exchange", "Forgotten", "Job", "JobState", "Messages", "Queue", "insert_new", "ready_again"]

_JOB: Final = WHATSAPP_JOBS.c
_FORGOTTEN: Final = "(forgotten)"

_SOME: Final = 10

Queue = Callable[[sa.Connection, int], None]
"""Has a run of a job done, by its number, if the transaction of the connection comes to its end."""


class Forgotten(Exception):
    """What was to be done is for a person of whom nothing is kept any more."""


class JobState(enum.Enum):
    """What became of a message."""

    QUEUED = "queued"
    """It waits for its turn: its sender's messages are answered one after another."""

    WORKING = "working"
    ANSWERED = "answered"
    PARTLY = "answered in part"
    HELD = "held"
    """It has an answer, which may not be sent before the person writes again."""

    IGNORED = "ignored"
    """It is nothing that wants an answer, such as a reaction."""

    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done about it by itself."""
        return self not in (JobState.QUEUED, JobState.WORKING, JobState.HELD)


@dataclass(frozen=True, slots=True)
class Job:
    """A message and what became of it; its texts are personal data."""

    id: str
    user_key: str
    phone_number_id: str
    kind: str
    message: str
    """As it came, in JSON."""

    sent_s: int
    received_s: float
    state: JobState
    reason: str = ""
    """Why it is as it is, in words for people; none of the conversation's."""

    heard: str | None = None
    """What was understood; None as long as that is not known."""

    answer: str | None = None
    runs: int = 1
    answers: int = 1
    """How often an answer was made from nothing."""

    finished_s: float | None = None

    @property
    def is_forgotten(self) -> bool:
        """Whether nothing is kept of it but that it came."""
        return self.user_key == _FORGOTTEN


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message that was answered."""

    heard: str
    answer: str


def insert_new(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> bool:
    """Insert a row, unless there is one of its key; return whether there was none."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    key = next(iter(table.primary_key))
    inserted = dialect.insert(table).values(**values).on_conflict_do_nothing().returning(key)
    return connection.execute(inserted).first() is not None


def ready_again(job_id: str) -> sa.Update:
    """Return what lets those parts of an answer that did not arrive be sent anew, file and all."""
    is_its = (SENDS.c.job_id == job_id, SENDS.c.state == "failed")
    return sa.update(SENDS).where(*is_its).values(state="ready", media_id="", message_id="", called_s=None)


class Messages:
    """The messages that were received, and what is known of their senders."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine

    def add(self, job: Job) -> bool:
        """Keep a message; return whether it is new. Of several who try at once one succeeds."""
        values = {name: getattr(job, name) for name in _JOB.keys()}  # noqa: SIM118
        with self._engine.begin() as connection:
            return insert_new(connection, WHATSAPP_JOBS, {**values, "state": job.state.value})

    def get(self, job_id: str) -> Job | None:
        """Return a message, or None."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(WHATSAPP_JOBS).where(_JOB.id == job_id)).one_or_none()
        return None if row is None else _job(row)

    def found(self, prefix: str) -> Sequence[Job]:
        """Return the messages whose ids begin so; of many, some."""
        is_its = _JOB.id.startswith(prefix, autoescape=True)
        wanted = sa.select(WHATSAPP_JOBS).where(is_its).order_by(_JOB.id).limit(_SOME)
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(wanted)]

    def change(self, job_id: str, **values: object) -> None:
        """Write columns of a message, unless it was forgotten; `state` as a `JobState`."""
        written = {
            name: value.value if isinstance(value, JobState) else value for name, value in values.items()
        }
        is_its = (_JOB.id == job_id, _JOB.user_key != _FORGOTTEN)
        with self._engine.begin() as connection:
            connection.execute(sa.update(WHATSAPP_JOBS).where(*is_its).values(**written))

    def begin_again(
        self, job_id: str, queue: Queue | None = None, *, ended_run: int | None = None, anew: bool = False
    ) -> int | None:
        """Have a message that is over done by another run; return its number, or None if it is not over.

        What has arrived of its answer is not sent again.

        Args:
            job_id: Which.
            queue: Queues the run, in the same transaction: there is no message that waits for no run.
            ended_run: A run that is known to have ended: if it is the message's last one, the message is
                taken to be over whatever its state says.
            anew: Forget what was understood and answered, so that it is answered as if it came now; what
                arrived of the answer before is no part of the new one.
        """
        over = [state.value for state in JobState if state.is_over or state is JobState.HELD]
        may_begin = sa.or_(_JOB.state.in_(over), _JOB.runs == ended_run)
        values: dict[str, Any] = {"state": JobState.QUEUED.value, "reason": "", "finished_s": None}
        if anew:
            values |= {"heard": None, "answer": None, "answers": _JOB.answers + 1}
        with self._engine.begin() as connection:
            run = connection.execute(
                sa
                .update(WHATSAPP_JOBS)
                .where(_JOB.id == job_id, may_begin, _JOB.user_key != _FORGOTTEN)
                .values(**values, runs=_JOB.runs + 1)
                .returning(_JOB.runs)
            ).scalar()
            if run is None:
                return None
            if anew:
                connection.execute(sa.delete(NOTES).where(NOTES.c.job_id == job_id))
            else:
                connection.execute(ready_again(job_id))
            if queue is not None:
                queue(connection, run)
        return int(run)

    def listed(
        self, *, states: Sequence[JobState] = (), user_key: str = "", most: int | None = 50
    ) -> Sequence[Job]:
        """Return the newest messages, newest first; all of them if `most` is None."""
        wanted = sa.select(WHATSAPP_JOBS).order_by(_JOB.received_s.desc()).limit(most)
        if states:
            wanted = wanted.where(_JOB.state.in_([state.value for state in states]))
        if user_key:
            wanted = wanted.where(_JOB.user_key == user_key)
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(wanted)]

    def counts(self) -> dict[JobState, int]:
        """Return how many messages are in each state."""
        wanted = sa.select(_JOB.state, sa.func.count()).group_by(_JOB.state)
        with self._engine.connect() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(wanted)}
        return {state: found.get(state.value, 0) for state in JobState}

    def history(self, job: Job, most: int) -> Sequence[Exchange]:
        """Return what was said and answered before a message by the same person, oldest first."""
        wanted = (
            sa
            .select(_JOB.heard, _JOB.answer)
            .where(
                _JOB.user_key == job.user_key,
                _JOB.phone_number_id == job.phone_number_id,
                _JOB.id != job.id,
                sa.or_(
                    _JOB.sent_s < job.sent_s,
                    sa.and_(_JOB.sent_s == job.sent_s, _JOB.received_s < job.received_s),
                ),
                _JOB.answer.is_not(None),
                _JOB.heard.is_not(None),
            )
            .order_by(_JOB.sent_s.desc(), _JOB.received_s.desc())
            .limit(most)
        )
        with self._engine.connect() as connection:
            rows = list(connection.execute(wanted))
        return [Exchange(row.heard, row.answer) for row in reversed(rows)]

    def last_sent_s(self, user_key: str, phone_number_id: str) -> int:
        """Return when a person wrote last; 0 if they never did."""
        wanted = sa.select(sa.func.max(_JOB.sent_s)).where(
            _JOB.user_key == user_key, _JOB.phone_number_id == phone_number_id
        )
        with self._engine.connect() as connection:
            return int(connection.execute(wanted).scalar() or 0)

    def forget(self, user_key: str, *, up_to: Job | None = None) -> int:
        """Delete what a person said and was answered, and who they are; return how many messages it was.

        A row stays for each message, without any of that, so that a webhook that comes again is known.

        Args:
            user_key: The person.
            up_to: The message that asks for it, which stays, as does what they said after it; None for all.
        """
        which = [_JOB.user_key == user_key]
        if up_to is not None:
            which += [_JOB.id != up_to.id, _JOB.sent_s <= up_to.sent_s]
        return self._forget(*which)

    def forget_older(self, before_s: float) -> int:
        """Do the same with all messages that were received before."""
        over = [state.value for state in JobState if state.is_over or state is JobState.HELD]
        return self._forget(_JOB.received_s < before_s, _JOB.state.in_(over))

    def _forget(self, *which: sa.ColumnElement[bool]) -> int:
        jobs = sa.select(_JOB.id).where(*which, _JOB.user_key != _FORGOTTEN).scalar_subquery()
        waiting = [state.value for state in JobState if not state.is_over]
        blank = {
            "user_key": _FORGOTTEN,
            "message": "{}",
            "heard": None,
            "answer": None,
            "state": sa.case((_JOB.state.in_(waiting), JobState.IGNORED.value), else_=_JOB.state),
            "reason": sa.case((_JOB.state.in_(waiting), "it was forgotten before it was answered"), else_=""),
        }
        with self._engine.begin() as connection:
            found = [row.id for row in connection.execute(sa.select(_JOB.id).where(_JOB.id.in_(jobs)))]
            for start in range(0, len(found), 500):
                ids = found[start : start + 500]
                connection.execute(sa.delete(NOTES).where(NOTES.c.job_id.in_(ids)))
                sends = sa.select(SENDS.c.id).where(SENDS.c.job_id.in_(ids))
                connection.execute(sa.delete(STATUSES).where(STATUSES.c.callback_data.in_(sends)))
                connection.execute(sa.delete(SENDS).where(SENDS.c.job_id.in_(ids)))
                connection.execute(sa.update(WHATSAPP_JOBS).where(_JOB.id.in_(ids)).values(**blank))
        return len(found)

    def pause(self, name: str, reason: str, now_s: float) -> bool:
        """Note that something stands still; return whether it did not before."""
        with self._engine.begin() as connection:
            return insert_new(connection, PAUSES, {"name": name, "reason": reason, "since_s": now_s})

    def resume(self, name: str) -> bool:
        """Note that it goes on; return whether it stood still."""
        with self._engine.begin() as connection:
            return bool(connection.execute(sa.delete(PAUSES).where(PAUSES.c.name == name)).rowcount)

    def pause_reason(self, name: str) -> str | None:
        """Return why something stands still; None if it does not."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(PAUSES.c.reason).where(PAUSES.c.name == name)).scalar()


def _job(row: Any) -> Job:
    values = dict(row._mapping)
    return Job(**{**values, "state": JobState(values["state"])})

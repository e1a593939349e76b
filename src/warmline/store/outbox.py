"""What is sent in answer: intended, called, accepted, and what became of it.

A message is sent by a call whose answer may be lost, with the process that made it or on its way. So a
row says that the call is about to be made before it is, and what WhatsApp tells later of the message
carries the row's id: whoever finds a call without an answer waits for that before calling again.

Methods block, each for one transaction: for worker threads alone. Times are seconds since 1970, handed in.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from warmline.store.database import Database
from warmline.store.messages import Forgotten, insert_new, ready_again
from warmline.store.schema import NOTES, SENDS, STATUSES, WHATSAPP_JOBS

__all__ = ["Note", "Outbox", "Send", "SendState", "Status"]

_SEND = SENDS.c


class SendState(enum.Enum):
    """How far a part of an answer has come."""

    READY = "ready"
    """It was not sent."""

    CALLING = "calling"
    """The call that sends it was about to be made, or was made: whether it was taken is not known."""

    ACCEPTED = "accepted"
    """WhatsApp took it."""

    FAILED = "failed"
    """WhatsApp refused it, or took it and then could not deliver it."""


@dataclass(frozen=True, slots=True)
class Send:
    """One message of an answer."""

    id: str
    job_id: str
    part: int
    state: SendState
    media_id: str = ""
    message_id: str = ""
    error_code: int = 0
    error_title: str = ""
    called_s: float | None = None
    """When the call that sends it was about to be made last."""

    accepted_s: float | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A spoken part."""

    part: int
    audio: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Status:
    """What WhatsApp told of a message that was sent."""

    message_id: str
    state: str
    at_s: int
    callback_data: str = ""
    error_code: int = 0
    error_title: str = ""
    proves_acceptance: bool = False


class Outbox:
    """The messages that are sent."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine

    def intend(self, job_id: str, part: int) -> Send:
        """Return the row of a part, made if there is none.

        Its id is another one for each answer to the same message: what is told of an earlier one is not
        taken for news of this.

        Raises:
            Forgotten: the person was, and is to be sent nothing.
        """
        job = sa.select(WHATSAPP_JOBS.c.answers, WHATSAPP_JOBS.c.message).where(WHATSAPP_JOBS.c.id == job_id)
        with self._engine.begin() as connection:
            known = connection.execute(job.with_for_update(read=True)).one_or_none()
            if known is not None and known.message == "{}":
                raise Forgotten(job_id)
            answer = 1 if known is None else known.answers
            send_id = f"{job_id}/{part}" if answer == 1 else f"{job_id}~{answer}/{part}"
            row = {"id": send_id, "job_id": job_id, "answer": answer, "part": part, "state": "ready"}
            insert_new(connection, SENDS, row)
            return _send(connection.execute(sa.select(SENDS).where(_SEND.id == send_id)).one())

    def of(self, job_id: str) -> Sequence[Send]:
        """Return the parts of a job's newest answer, in order."""
        is_newest = _SEND.answer == sa.func.coalesce(_answer_of(job_id).scalar_subquery(), 1)
        wanted = sa.select(SENDS).where(_SEND.job_id == job_id, is_newest).order_by(_SEND.part)
        with self._engine.connect() as connection:
            return [_send(row) for row in connection.execute(wanted)]

    def begin_call(self, send_id: str, now_s: float) -> bool:
        """Note that the call is about to be made; False if somebody else noted it before."""
        return self._move(send_id, (SendState.READY,), state=SendState.CALLING.value, called_s=now_s)

    def take_back(self, send_id: str) -> None:
        """Note that the call is known not to have sent anything."""
        self._move(send_id, (SendState.CALLING,), state=SendState.READY.value)

    def accepted(self, send_id: str, message_id: str, now_s: float) -> None:
        """Note that WhatsApp took it."""
        before = (SendState.READY, SendState.CALLING)
        state = SendState.ACCEPTED.value
        self._move(send_id, before, state=state, message_id=message_id, accepted_s=now_s)

    def failed(self, send_id: str, error_code: int, error_title: str) -> None:
        """Note that it will not arrive."""
        states = tuple(SendState)
        state = SendState.FAILED.value
        self._move(send_id, states, state=state, error_code=error_code, error_title=error_title)

    def send_again(self, job_id: str) -> None:
        """Let those parts of an answer that did not arrive be sent anew, file and all."""
        with self._engine.begin() as connection:
            connection.execute(ready_again(job_id))

    def uploaded(self, send_id: str, media_id: str) -> None:
        """Note under which id WhatsApp has its file; empty for none any more."""
        self._move(send_id, tuple(SendState), media_id=media_id)

    def keep_notes(self, job_id: str, notes: Sequence[Note]) -> None:
        """Keep what was spoken, in place of what was kept; nothing if the person was forgotten meanwhile."""
        job = sa.select(WHATSAPP_JOBS.c.message).where(WHATSAPP_JOBS.c.id == job_id)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(NOTES).where(NOTES.c.job_id == job_id))
            if connection.execute(job.with_for_update(read=True)).scalar() == "{}":
                return
            for note in notes:
                row = {"job_id": job_id, "part": note.part, "audio": note.audio, "seconds": note.seconds}
                connection.execute(sa.insert(NOTES).values(**row))

    def note(self, job_id: str, part: int) -> Note | None:
        """Return a spoken part, if it is kept."""
        wanted = sa.select(NOTES).where(NOTES.c.job_id == job_id, NOTES.c.part == part)
        with self._engine.connect() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else Note(row.part, row.audio, row.seconds)

    def note_count(self, job_id: str) -> int:
        """Return how many spoken parts are kept."""
        wanted = sa.select(sa.func.count()).select_from(NOTES).where(NOTES.c.job_id == job_id)
        with self._engine.connect() as connection:
            return int(connection.execute(wanted).scalar() or 0)

    def drop_notes(self, before_s: float) -> None:
        """Delete what was spoken for messages that were over before, and need it no more."""
        jobs = sa.select(WHATSAPP_JOBS.c.id).where(WHATSAPP_JOBS.c.finished_s < before_s)
        with self._engine.begin() as connection:
            connection.execute(sa.delete(NOTES).where(NOTES.c.job_id.in_(jobs)))

    def statuses(self, job_id: str) -> Sequence[Status]:
        """Return what was told of a job's messages, by the ids of what was sent, oldest first."""
        its = sa.select(_SEND.id).where(_SEND.job_id == job_id)
        wanted = sa.select(STATUSES).where(STATUSES.c.callback_data.in_(its)).order_by(STATUSES.c.at_s)
        with self._engine.connect() as connection:
            return [Status(**row._mapping) for row in connection.execute(wanted)]

    def told(self, status: Status, now_s: float) -> str | None:
        """Keep a status; return the job whose message has failed by it, if so.

        The same one again changes nothing. What is told of a message that nobody knows is not kept: it may
        be of a person who is forgotten.
        """
        is_its = _SEND.message_id == status.message_id
        if status.callback_data:
            is_its = sa.or_(is_its, _SEND.id == status.callback_data)
        with self._engine.begin() as connection:
            send = connection.execute(sa.select(SENDS).where(is_its)).first()
            if send is None or not insert_new(connection, STATUSES, _status_row(status, send.id)):
                return None
            its = sa.update(SENDS).where(_SEND.id == send.id)
            if status.error_code:
                # One that was sent again is known by its newer id, and the older one's end is not its.
                if send.message_id not in ("", status.message_id):
                    return None
                error = {"error_code": status.error_code, "error_title": status.error_title}
                connection.execute(its.values(state=SendState.FAILED.value, **error))
                answer = int(connection.execute(_answer_of(send.job_id)).scalar() or 1)
                return str(send.job_id) if send.answer == answer else None
            is_open = send.state in (SendState.CALLING.value, SendState.READY.value)
            # What is told late of one that has failed says nothing of the one that is sent in its place.
            if status.proves_acceptance and is_open and not _has_failed(connection, status.message_id):
                values = {"message_id": status.message_id, "accepted_s": now_s}
                connection.execute(its.values(state=SendState.ACCEPTED.value, **values))
        return None

    def _move(self, send_id: str, before: Sequence[SendState], **values: object) -> bool:
        states = [state.value for state in before]
        with self._engine.begin() as connection:
            changed = connection.execute(
                sa.update(SENDS).where(_SEND.id == send_id, _SEND.state.in_(states)).values(**values)
            )
        return bool(changed.rowcount)


def _answer_of(job_id: str) -> sa.Select[Any]:
    return sa.select(WHATSAPP_JOBS.c.answers).where(WHATSAPP_JOBS.c.id == job_id)


def _has_failed(connection: sa.Connection, message_id: str) -> bool:
    is_its = (STATUSES.c.message_id == message_id, STATUSES.c.error_code != 0)
    return connection.execute(sa.select(STATUSES.c.state).where(*is_its)).first() is not None


def _status_row(status: Status, send_id: str) -> dict[str, object]:
    return {
        "message_id": status.message_id,
        "state": status.state,
        "at_s": status.at_s,
        "callback_data": send_id,
        "error_code": status.error_code,
        "error_title": status.error_title,
    }


def _send(row: Any) -> Send:
    return Send(
        row.id,
        row.job_id,
        row.part,
        SendState(row.state),
        row.media_id,
        row.message_id,
        row.error_code,
        row.error_title,
        row.called_s,
        row.accepted_s,
    )

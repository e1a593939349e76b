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
from warmline.store.messages import insert_new
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
        """Return the row of a part, made if there is none."""
        send_id = f"{job_id}/{part}"
        row = {"id": send_id, "job_id": job_id, "part": part, "state": SendState.READY.value}
        with self._engine.begin() as connection:
            insert_new(connection, SENDS, row)
            return _send(connection.execute(sa.select(SENDS).where(_SEND.id == send_id)).one())

    def of(self, job_id: str) -> Sequence[Send]:
        """Return the parts of an answer, in order."""
        wanted = sa.select(SENDS).where(_SEND.job_id == job_id).order_by(_SEND.part)
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
        values = {"state": SendState.READY.value, "media_id": "", "message_id": "", "called_s": None}
        with self._engine.begin() as connection:
            connection.execute(
                sa
                .update(SENDS)
                .where(_SEND.job_id == job_id, _SEND.state == SendState.FAILED.value)
                .values(**values)
            )

    def uploaded(self, send_id: str, media_id: str) -> None:
        """Note under which id WhatsApp has its file; empty for none any more."""
        self._move(send_id, tuple(SendState), media_id=media_id)

    def keep_notes(self, job_id: str, notes: Sequence[Note]) -> None:
        """Keep what was spoken, in place of what was kept."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(NOTES).where(NOTES.c.job_id == job_id))
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

    def told(self, status: Status, now_s: float) -> str | None:
        """Keep a status; return the job whose message has failed by it, if so.

        The same one again changes nothing.
        """
        row = {
            "message_id": status.message_id,
            "state": status.state,
            "at_s": status.at_s,
            "callback_data": status.callback_data,
            "error_code": status.error_code,
            "error_title": status.error_title,
        }
        is_its = _SEND.message_id == status.message_id
        if status.callback_data:
            is_its = sa.or_(is_its, _SEND.id == status.callback_data)
        with self._engine.begin() as connection:
            if not insert_new(connection, STATUSES, row):
                return None
            send = connection.execute(sa.select(SENDS).where(is_its)).first()
            if send is None:
                return None
            # One that was sent again is known by its newer id, and the older one's end is not its.
            is_newest = send.message_id in ("", status.message_id)
            its = sa.update(SENDS).where(_SEND.id == send.id)
            if status.proves_acceptance and send.state in (SendState.CALLING.value, SendState.READY.value):
                values = {"message_id": status.message_id, "accepted_s": now_s}
                connection.execute(its.values(state=SendState.ACCEPTED.value, **values))
            elif status.error_code and is_newest:
                error = {"error_code": status.error_code, "error_title": status.error_title}
                connection.execute(its.values(state=SendState.FAILED.value, **error))
                return str(send.job_id)
        return None

    def _move(self, send_id: str, before: Sequence[SendState], **values: object) -> bool:
        states = [state.value for state in before]
        with self._engine.begin() as connection:
            changed = connection.execute(
                sa.update(SENDS).where(_SEND.id == send_id, _SEND.state.in_(states)).values(**values)
            )
        return bool(changed.rowcount)


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
    )

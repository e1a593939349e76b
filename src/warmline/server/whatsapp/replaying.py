"""Having messages answered once more, by whichever process answers; for one that does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Self

import sqlalchemy as sa
from dbos import DBOSClient

from warmline.errors import ConfigError
from warmline.server.whatsapp.engine import APPLICATION, queued, quiet_dbos, run_options
from warmline.store.database import Database
from warmline.store.messages import Job, JobState, Messages

__all__ = ["Replaying"]

_ENDED: Final = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
_WAITING: Final = frozenset({"ENQUEUED", "DELAYED"})


class Replaying:
    """Queues jobs. Its methods block: for worker threads, or a program without an event loop.

    Use as a context manager.
    """

    def __init__(self, database: Database) -> None:
        """Prepare; `database` must be open."""
        self._database = database
        self._messages = Messages(database)

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            ConfigError: the database can't be had.
        """
        quiet_dbos()
        try:
            self._client = DBOSClient(
                system_database_url=self._database.url,
                application_name=APPLICATION,
                retry_connection_errors=False,
            )
        except sa.exc.SQLAlchemyError as problem:
            raise ConfigError(
                f"opening {self._database.shown} (store.url): {type(problem).__name__}"
            ) from problem
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._client.destroy()

    def replay(self, job: Job, *, anew: bool = False) -> str:
        """Have a message answered once more; return why that can't be, or nothing.

        Doing so twice does nothing more. A message that waits for a run which nobody has queued is queued.

        Args:
            job: As it is in the store.
            anew: Forget what was understood and answered before.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database failed; then nothing was changed.
        """
        if job.is_forgotten:
            return "it was forgotten: nothing is kept of it that could be answered"
        run = self._state_of_run(job)
        if job.state is JobState.QUEUED and run is None:
            self._queue(job, None, job.runs)
            return ""
        has_ended = run is None or run in _ENDED
        if not has_ended and not job.state.is_over and job.state is not JobState.HELD:
            is_begun = job.state is JobState.WORKING or run not in _WAITING
            return (
                "it is being answered, or will be gone on with"
                if is_begun
                else "it waits for its turn already"
            )
        match job.state:
            case JobState.IGNORED:
                return "it is nothing that wants an answer"
            case JobState.ANSWERED if not anew:
                return "it was answered; --anew has it answered once more"
        begun = self._messages.begin_again(
            job.id,
            lambda connection, number: self._queue(job, connection, number),
            ended_run=job.runs if has_ended else None,
            anew=anew,
        )
        return "" if begun is not None else "somebody else has just had it answered once more"

    def _state_of_run(self, job: Job) -> str | None:
        """Return what the engine says of a job's last run; None if it knows of none."""
        name = queued(job).name
        found = self._client.list_workflows(workflow_ids=[name], load_input=False, load_output=False)
        return found[0].status if found else None

    def _queue(self, job: Job, connection: sa.Connection | None, run: int) -> None:
        wanted = queued(replace(job, runs=run))
        if connection is None:
            self._client.enqueue(run_options(wanted), job.id)
        else:
            self._client.enqueue_in_transaction(connection, run_options(wanted), job.id)

"""What has to be looked after while messages are answered: the token, other processes' jobs, old messages."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import anyio.to_thread
from dbos import error as dbos_errors
from sqlalchemy.exc import SQLAlchemyError

from warmline.errors import ProviderError
from warmline.server.whatsapp.agent import MessageAgent
from warmline.server.whatsapp.engine import JobEngine
from warmline.server.whatsapp.policy import DEAD_S, PAUSE
from warmline.store.messages import Messages
from warmline.store.outbox import Outbox
from warmline.store.workers import Workers

__all__ = ["Upkeep"]

_log = logging.getLogger(__name__)

_BEAT_S: Final = 5.0
_TOKEN_S: Final = 30.0
_OLD_S: Final = 3_600.0
_DAY_S: Final = 86_400.0
_NOTES_S: Final = 86_400.0
"""A note that was sent may turn out not to have arrived, because its window closed."""


class Upkeep:
    """Runs beside the server. A database that does not answer is asked again, and stops nothing else."""

    def __init__(
        self,
        engine: JobEngine,
        agent: MessageAgent,
        messages: Messages,
        outbox: Outbox,
        workers: Workers,
        now_s: Callable[[], float],
        *,
        worker: str,
        phone_number_id: str,
        keep_days: float,
    ) -> None:
        """Prepare.

        Args:
            engine: Who takes over.
            agent: Who asks whether the token is good.
            messages: What grows old.
            outbox: As above.
            workers: The processes.
            now_s: The wall clock, in seconds since 1970.
            worker: This process.
            phone_number_id: Ours; empty if there are several, where the token can't be asked for.
            keep_days: After which what was said is deleted; 0 for never.
        """
        self._engine = engine
        self._agent = agent
        self._messages = messages
        self._outbox = outbox
        self._workers = workers
        self._now_s = now_s
        self._worker = worker
        self._phone_number_id = phone_number_id
        self._keep_days = keep_days

    async def run(self) -> None:
        """Go on until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._every, _BEAT_S, self._beat)
            tasks.start_soon(self._every, _TOKEN_S, self._try_token)
            tasks.start_soon(self._every, _OLD_S, self._delete_old)

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except (SQLAlchemyError, dbos_errors.DBOSException) as problem:
                _log.warning("store.not_reached", extra={"problem": type(problem).__name__})
            await anyio.sleep(seconds)

    async def _beat(self) -> None:
        await anyio.to_thread.run_sync(self._take_over)

    def _take_over(self) -> None:
        now_s = self._now_s()
        self._workers.seen(self._worker, now_s)
        for dead in self._workers.bury(now_s - DEAD_S):
            count = self._engine.take_over(dead)
            _log.warning("whatsapp.jobs_taken_over", extra={"worker": dead, "jobs": count})

    async def _try_token(self) -> None:
        """Go on as soon as the token is good again; a restart with another one goes on at once."""
        reason = await anyio.to_thread.run_sync(self._messages.pause_reason, PAUSE)
        if reason is None or not self._phone_number_id:
            return
        try:
            await self._agent.check(self._phone_number_id)
        except ProviderError:
            return
        if await anyio.to_thread.run_sync(self._messages.resume, PAUSE):
            _log.warning("whatsapp.goes_on")

    async def _delete_old(self) -> None:
        await anyio.to_thread.run_sync(self._outbox.drop_notes, self._now_s() - _NOTES_S)
        done = datetime.datetime.fromtimestamp(self._now_s() - _DAY_S, datetime.UTC)
        await anyio.to_thread.run_sync(self._engine.forget_done, done)
        if self._keep_days:
            before_s = self._now_s() - self._keep_days * _DAY_S
            count = await anyio.to_thread.run_sync(self._messages.forget_older, before_s)
            if count:
                _log.info("whatsapp.deleted_old", extra={"messages": count})

"""All sessions of the process, whatever the channel: counted, run, ended."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import anyio
from anyio.abc import TaskGroup

from warmline.session.session import Session
from warmline.turns.floor import Floor

__all__ = ["SessionObserver", "Sessions"]

_log = logging.getLogger(__name__)


_WAITING: Final = frozenset({Floor.USER, Floor.ENDPOINTING, Floor.THINKING})


class SessionObserver(Protocol):
    """Who wants to know of every session."""

    def began(self, session_id: str, session: Session, facts: Mapping[str, str]) -> None:
        """Take a session that is about to run, and what it is held with, such as its `channel`."""
        ...

    def ended(self, session_id: str) -> None:
        """Know that it is over."""
        ...


class Sessions:
    """The sessions that are being held.

    What changes here: `_active`, when one begins or ends.
    """

    def __init__(self, most: int, shutdown_s: float, observers: Sequence[SessionObserver] = ()) -> None:
        """Prepare.

        Args:
            most: How many may be held at once.
            shutdown_s: How long leaving `running` waits for those that are asked to end.
            observers: Told of each that begins or ends, on the event loop; must not fail.
        """
        self.most = most
        self._shutdown_s = shutdown_s
        self._observers = tuple(observers)
        self._active: dict[str, Session] = {}
        self._tasks: TaskGroup | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._active)

    @property
    def is_running(self) -> bool:
        """Whether sessions may begin: inside `running`, and not while it is being left."""
        return self._tasks is not None

    @property
    def has_room(self) -> bool:
        """Whether another may begin."""
        return self._tasks is not None and len(self._active) < self.most

    @property
    def has_somebody_waiting(self) -> bool:
        """Whether somebody speaks, or has spoken and hears nothing yet."""
        return any(session.floor in _WAITING for session in self._active.values())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run sessions inside; leaving asks them to end, and then waits for at most the limit."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                for session in self._active.values():
                    session.shut_down()
                tasks.cancel_scope.deadline = anyio.current_time() + self._shutdown_s

    def begin(
        self,
        session_id: str,
        session: Session,
        facts: Mapping[str, str],
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Run a session beside the caller; there must be room.

        Args:
            session_id: For the log.
            session: Not run yet.
            facts: What it is held with, such as its `channel`.
            on_end: Called when it has ended, however it did.
        """
        assert self._tasks is not None, "sessions are run inside `running`"
        self._active[session_id] = session
        for observer in self._observers:
            observer.began(session_id, session, facts)
        self._tasks.start_soon(self._run, session_id, session, on_end)

    async def _run(self, session_id: str, session: Session, on_end: Callable[[], None] | None) -> None:
        _log.info("session.started", extra={"session": session_id, "sessions": self.count})
        try:
            await session.run()
        except Exception:  # noqa: BLE001 - logged; one session's bug is not the others'
            _log.exception("session.crashed", extra={"session": session_id})
        finally:
            del self._active[session_id]
            for observer in self._observers:
                observer.ended(session_id)
            _log.info("session.ended", extra={"session": session_id, "sessions": self.count})
            if on_end is not None:
                on_end()

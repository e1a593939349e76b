"""All sessions of the process: admitted, run, ended."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import TaskGroup

from warmline.channels.browser.endpoint import BrowserChannel
from warmline.channels.browser.session_config import SessionConfig
from warmline.core.clock import Clock, unix_time_s
from warmline.core.ids import new_id
from warmline.server.access import Access, Refusal
from warmline.server.settings import LimitsTable
from warmline.server.websocket import MediaConnection, SocketUser
from warmline.session.session import Session
from warmline.session.settings import Providers, SessionSettings

__all__ = ["REALTIME_PATH", "Sessions"]

_log = logging.getLogger(__name__)

REALTIME_PATH = "/v1/realtime"


class Sessions:
    """The sessions that browsers and other Realtime clients hold.

    What changes here: `_active`, when a client comes or its session ends.
    """

    def __init__(
        self,
        providers: Providers,
        settings: SessionSettings,
        limits: LimitsTable,
        access: Access,
        clock: Clock,
    ) -> None:
        self._providers = providers
        self._settings = settings
        self._limits = limits
        self._access = access
        self._clock = clock
        self._active: dict[str, Session] = {}
        self._tasks: TaskGroup | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._active)

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
                tasks.cancel_scope.deadline = anyio.current_time() + self._limits.shutdown_s

    def accept(self, path: str, headers: Mapping[str, str]) -> tuple[SocketUser, str | None] | Refusal:
        """Decide on an upgrade."""
        url = urlsplit(path)
        if url.path != REALTIME_PATH:
            return Refusal(
                HTTPStatus.NOT_FOUND,
                "not_found",
                f"There is no WebSocket at {url.path}; it is at {REALTIME_PATH}",
            )
        admission = self._access.check(headers, unix_time_s())
        if isinstance(admission, Refusal):
            _log.warning("client.refused", extra={"code": admission.code})
            return admission
        model = parse_qs(url.query).get("model", ["warmline"])[0]
        return _Client(self, model), admission.subprotocol

    def begin(self, connection: MediaConnection, model: str) -> tuple[BrowserChannel, Session | None]:
        """Begin a session on a connection that is open, or say that there are too many."""
        session_id = new_id("sess")
        expires_at = unix_time_s() + int(self._settings.session_s)
        config = SessionConfig(
            session_id, model, expires_at, self._settings.turns, self._settings.instructions
        )
        channel = BrowserChannel(connection, config, session_id, text_chars=self._limits.text_chars)
        if self._tasks is None or len(self._active) >= self._limits.sessions:
            channel.refuse(
                "too_many_sessions",
                f"All {self._limits.sessions} places are taken (limits.sessions); try again in a while",
            )
            return channel, None
        session = Session(channel, self._providers, self._settings, self._clock)
        self._active[session_id] = session
        channel.open(session)
        self._tasks.start_soon(self._run, session_id, session)
        return channel, session

    async def _run(self, session_id: str, session: Session) -> None:
        _log.info("session.started", extra={"session": session_id, "sessions": self.count})
        try:
            await session.run()
        except Exception:  # noqa: BLE001 - logged; one session's bug is not the others'
            _log.exception("session.crashed", extra={"session": session_id})
        finally:
            del self._active[session_id]
            _log.info("session.ended", extra={"session": session_id, "sessions": self.count})


class _Client:
    """A client's connection, and the session on it."""

    def __init__(self, sessions: Sessions, model: str) -> None:
        self._sessions = sessions
        self._model = model
        self._channel: BrowserChannel | None = None
        self._session: Session | None = None

    def opened(self, connection: MediaConnection) -> None:
        """Begin, or turn away."""
        self._channel, self._session = self._sessions.begin(connection, self._model)
        if self._session is None:
            connection.close(1013, "too many sessions")

    def received(self, message: bytes) -> None:
        """Hand it to the channel."""
        if self._channel is not None:
            self._channel.receive(message)

    def too_large(self, size_bytes: int) -> None:
        """Say so before the connection is closed."""
        if self._channel is not None:
            self._channel.refuse(
                "message_too_large",
                f"A message of {size_bytes} bytes is over limits.message_bytes; send less at a time",
            )

    def server_stopping(self) -> None:
        """End the session, which closes the connection."""
        if self._session is not None:
            self._session.shut_down()

    def closed(self) -> None:
        """End the session."""
        if self._channel is not None:
            self._channel.disconnected()
        if self._session is not None:
            self._session.hang_up()

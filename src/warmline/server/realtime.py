"""Browsers and other clients of the Realtime protocol: who may connect, and their sessions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from warmline.channels.browser.endpoint import BrowserChannel
from warmline.channels.browser.session_config import SessionConfig
from warmline.core.clock import Clock, unix_time_s
from warmline.core.ids import new_id
from warmline.server.access import Access, Refusal
from warmline.server.sessions import Sessions
from warmline.server.websocket import MediaConnection, SocketUser
from warmline.session.session import Session
from warmline.session.settings import Providers, SessionSettings

__all__ = ["REALTIME_PATH", "Realtime"]

_log = logging.getLogger(__name__)

REALTIME_PATH: Final = "/v1/realtime"


class Realtime:
    """The clients of one server."""

    def __init__(
        self,
        sessions: Sessions,
        providers: Providers,
        settings: SessionSettings,
        access: Access,
        clock: Clock,
        *,
        text_chars: int,
    ) -> None:
        """Prepare.

        Args:
            sessions: The process's, among which theirs are.
            providers: Whom sessions share.
            settings: What each session is told.
            access: Who may connect.
            clock: The process's.
            text_chars: The longest typed turn.
        """
        self._sessions = sessions
        self._providers = providers
        self._settings = settings
        self._access = access
        self._clock = clock
        self._text_chars = text_chars

    def accept(self, path: str, headers: Mapping[str, str]) -> tuple[SocketUser, str | None] | Refusal:
        """Decide on an upgrade."""
        admission = self._access.check(headers, unix_time_s())
        if isinstance(admission, Refusal):
            _log.warning("client.refused", extra={"code": admission.code})
            return admission
        model = parse_qs(urlsplit(path).query).get("model", ["warmline"])[0]
        return _Client(self, model), admission.subprotocol

    def begin(self, connection: MediaConnection, model: str) -> tuple[BrowserChannel, Session | None]:
        """Begin a session on a connection that is open, or say that there are too many."""
        session_id = new_id("sess")
        expires_at = unix_time_s() + int(self._settings.session_s)
        config = SessionConfig(
            session_id, model, expires_at, self._settings.turns, self._settings.instructions
        )
        channel = BrowserChannel(connection, config, session_id, text_chars=self._text_chars)
        if not self._sessions.has_room:
            channel.refuse(
                "too_many_sessions",
                f"All {self._sessions.most} places are taken (limits.sessions); try again in a while",
            )
            return channel, None
        session = Session(channel, self._providers, self._settings, self._clock)
        channel.open(session)
        self._sessions.begin(session_id, session, {"channel": "browser"})
        return channel, session


class _Client:
    """A client's connection, and the session on it."""

    def __init__(self, realtime: Realtime, model: str) -> None:
        self._realtime = realtime
        self._model = model
        self._channel: BrowserChannel | None = None
        self._session: Session | None = None

    def opened(self, connection: MediaConnection) -> None:
        """Begin, or turn away."""
        self._channel, self._session = self._realtime.begin(connection, self._model)
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

"""One call's socket: opened with the call, kept until its end, a context on it for each reply."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from warmline.core.clock import Clock
from warmline.core.line_use import LineUse, OnLine
from warmline.errors import LineLost, PoolError, ProviderError, RemoteProtocolError
from warmline.pool.sockets import SocketEndpoint, WebSocketLine
from warmline.providers.elevenlabs.failures import pool_failure, socket_failure
from warmline.providers.elevenlabs.feeds import ContextFeed, FeedEvents
from warmline.providers.elevenlabs.protocol import (
    SocketMessage,
    cancel_context,
    decode_message,
    keep_context,
    open_context,
)
from warmline.providers.elevenlabs.settings import SpeechSettings

__all__ = ["CallLine"]

MOST_CONTEXTS: Final = 5
"""ElevenLabs closes a socket on which a sixth is opened; one that is being closed still counts."""

_WAIT_S: Final = 10.0
_REOPEN_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)

_numbers = itertools.count(1)


class CallLine:
    """Keeps a socket for one call, and another in its place if it is lost.

    The context for the next reply is opened while nobody waits for it, and kept alive.

    What changes here: the line, in `run`; the contexts, in `begin` and as messages come.
    """

    def __init__(
        self, sockets: Callable[[], Awaitable[SocketEndpoint]], settings: SpeechSettings, clock: Clock
    ) -> None:
        """Prepare; nothing is opened until `run`.

        Args:
            sockets: Returns sockets with contexts, for one voice and one format.
            settings: What a context is opened with.
            clock: The process's.
        """
        self._sockets = sockets
        self._settings = settings
        self._clock = clock
        self._line: WebSocketLine | None = None
        self._use: LineUse | None = None
        self._leased_at_s = 0.0
        self._ahead: str | None = None
        self._open: set[str] = set()
        self._events: dict[str, FeedEvents] = {}
        self._changed = anyio.Event()
        self._over = anyio.Event()
        self._is_released = False
        self._has_spoken = False
        self.problem: ProviderError | None = None
        """Why there is no line; None while there is one, or one is being had."""

    async def run(self) -> None:
        """Hold a line until `release`; the pool has a warm one where one is lost."""
        endpoint = await self._sockets()
        tries = 0
        while not self._is_released:
            await anyio.sleep(_REOPEN_S[min(tries, len(_REOPEN_S) - 1)])
            try:
                async with endpoint.lease(deadline_s=_WAIT_S, on_line=self._note) as line:
                    self._has_spoken = False
                    await self._hold(line)
                    tries = 0 if self._has_spoken else tries + 1
            except PoolError as error:
                self.problem = pool_failure(error, what="speaking", phase="connect")
                self._tell()
                tries += 1

    def release(self) -> None:
        """Give the line up; it is closed, so that no call hears what was meant for another."""
        self._is_released = True
        self._over.set()

    async def begin(self, events: FeedEvents, *, wait_s: float, on_line: OnLine | None) -> ContextFeed:
        """Return a context for a reply, the one that was opened ahead as a rule.

        Raises:
            ProviderError: there is no line, and none was had in time.
        """
        asked_at_s = self._clock.now_s()
        with anyio.move_on_after(wait_s):
            while self._line is None or self._ahead is None:
                if self._line is None and self.problem is not None:
                    raise self.problem
                await self._changed.wait()
        if self._line is None or self._ahead is None:
            raise pool_failure(LineLost("no socket was had in time"), what="speaking", phase="connect")
        line, context_id = self._line, self._ahead
        self._ahead = None
        self._events[context_id] = events
        self._open_ahead()
        if on_line is not None and self._use is not None:
            now_s = self._clock.now_s()
            on_line(
                LineUse(
                    endpoint=self._use.endpoint,
                    line_id=self._use.line_id,
                    reused=self._leased_at_s <= asked_at_s,
                    age_s=self._use.age_s + now_s - self._leased_at_s,
                    waited_s=now_s - asked_at_s,
                    cost=self._use.cost,
                    region=self._use.region,
                )
            )
        return ContextFeed(line, context_id, self._stopped, self._distrust)

    def _note(self, use: LineUse) -> None:
        self._use = use
        self._leased_at_s = self._clock.now_s()

    async def _hold(self, line: WebSocketLine) -> None:
        line.retire()
        self._over = anyio.Event()
        self._line, self.problem = line, None
        self._open.clear()
        self._ahead = None
        try:
            line.attach(self._received, self._lost)
            self._open_ahead()
            self._tell()
            while not self._over.is_set() and not self._is_released:
                with anyio.move_on_after(self._settings.keep_alive_s) as timer:
                    await self._over.wait()
                if timer.cancelled_caught:
                    self._keep_alive()
            if self._is_released:
                for context_id in self._open:
                    line.send_text(cancel_context(context_id))
        except LineLost:
            return
        finally:
            self._line = None

    def _open_ahead(self) -> None:
        """Open the next reply's context, unless too many are open."""
        if self._line is None or self._ahead is not None or len(self._open) >= MOST_CONTEXTS:
            return
        context_id = f"reply-{next(_numbers)}"
        try:
            self._line.send_text(open_context(context_id, self._settings))
        except LineLost:
            return
        self._open.add(context_id)
        self._ahead = context_id

    def _keep_alive(self) -> None:
        if self._line is not None and self._ahead is not None:
            self._line.send_text(keep_context(self._ahead))

    def _received(self, payload: bytes, is_text: bool) -> None:
        del is_text
        try:
            message = decode_message(payload)
        except RemoteProtocolError as error:
            self._fail(LineLost(f"it sent {error}"))
            return
        if message.error:
            self._refused(message)
            return
        self._has_spoken = True
        events = self._events.get(message.context_id)
        if message.is_final:
            self._open.discard(message.context_id)
            self._events.pop(message.context_id, None)
            self._make_room()
            self._tell()
        if events is not None:
            events.message(message)

    def _refused(self, message: SocketMessage) -> None:
        """Tell the replies in progress; the socket is closed by the far end."""
        self.problem = socket_failure(message.error, message.message, phase="stream")
        for events in list(self._events.values()):
            events.message(message)
        self._events.clear()

    def _lost(self, problem: LineLost) -> None:
        self._fail(problem)

    def _fail(self, problem: LineLost) -> None:
        """Take another line; the replies in progress go on another way."""
        self._line = None
        events, self._events = self._events, {}
        for each in events.values():
            each.lost(problem)
        self._over.set()
        self._tell()

    def _distrust(self, line: WebSocketLine) -> None:
        """Take another line: this one stands, but owes audio."""
        if line is self._line:
            self._fail(LineLost("the socket was given up"))

    def _stopped(self, context_id: str) -> None:
        self._events.pop(context_id, None)
        self._make_room()

    def _make_room(self) -> None:
        """Between replies, have a context for the next one, on another line if need be.

        All of this line's may be being closed, which takes as long as the far end likes.
        """
        self._open_ahead()
        if self._line is not None and self._ahead is None and not self._events:
            self._fail(LineLost("its contexts are all in use"))

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

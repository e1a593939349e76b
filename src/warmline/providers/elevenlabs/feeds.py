"""One reply on its way through a socket: a context of a call's socket, or a socket of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from warmline.errors import LineLost, RemoteProtocolError
from warmline.pool.sockets import WebSocketLine
from warmline.providers.elevenlabs.protocol import (
    SocketMessage,
    cancel_context,
    context_text,
    decode_message,
    end_utterance,
    open_utterance,
    utterance_text,
)
from warmline.providers.elevenlabs.settings import SpeechSettings

__all__ = ["ContextFeed", "Feed", "FeedEvents", "UtteranceFeed"]


class FeedEvents(Protocol):
    """Who hears of a reply; called on the event loop."""

    def message(self, message: SocketMessage) -> None:
        """Take audio, the end, or an error."""
        ...

    def lost(self, problem: LineLost) -> None:
        """Learn that nothing more will come."""
        ...


class Feed(Protocol):
    """Takes a reply's text."""

    def say(self, text: str) -> None:
        """Have a text spoken, after those before it.

        Raises:
            LineLost: the socket is gone.
        """
        ...

    def finish(self) -> None:
        """Say that no more text will come.

        Raises:
            LineLost: the socket is gone.
        """
        ...

    def stop(self) -> None:
        """Want no more of it; never raises."""
        ...

    def distrust(self) -> None:
        """Have no other reply use the socket; never raises."""
        ...


class ContextFeed:
    """A context of a call's socket."""

    def __init__(
        self,
        line: WebSocketLine,
        context_id: str,
        on_stopped: Callable[[str], None],
        on_distrust: Callable[[WebSocketLine], None],
    ) -> None:
        """Begin.

        Args:
            line: The call's, on which the context is open.
            context_id: Its name.
            on_stopped: Called with it when no more messages are wanted.
            on_distrust: Called with the line when it has failed a reply.
        """
        self._line = line
        self._id = context_id
        self._on_stopped = on_stopped
        self._on_distrust = on_distrust
        self._is_closed = False

    def say(self, text: str) -> None:
        """Have a text spoken."""
        self._line.send_text(context_text(self._id, text))

    def finish(self) -> None:
        """Close the context; what was given is still spoken."""
        if not self._is_closed:
            self._is_closed = True
            self._line.send_text(cancel_context(self._id))

    def stop(self) -> None:
        """Close the context, and hear no more of it."""
        self._on_stopped(self._id)
        try:
            self.finish()
        except LineLost:
            return

    def distrust(self) -> None:
        """Have the call take another socket."""
        self._on_distrust(self._line)


class UtteranceFeed:
    """A socket that speaks one reply, and is closed after it."""

    def __init__(self, line: WebSocketLine, settings: SpeechSettings, events: FeedEvents) -> None:
        """Begin to speak.

        Raises:
            LineLost: the socket is gone.
        """
        self._line = line
        self._events = events
        self._is_over = False
        line.retire()
        line.attach(self._received, self._lost)
        line.send_text(open_utterance(settings))

    def say(self, text: str) -> None:
        """Have a text spoken."""
        self._line.send_text(utterance_text(text))

    def finish(self) -> None:
        """Have the socket closed when everything was said."""
        self._line.send_text(end_utterance())

    def stop(self) -> None:
        """Hear no more; giving the line back closes it."""
        self._is_over = True
        self._line.detach()

    def distrust(self) -> None:
        """Do nothing: no other reply would use it."""

    def _received(self, payload: bytes, is_text: bool) -> None:
        del is_text
        try:
            message = decode_message(payload)
        except RemoteProtocolError as error:
            self._lost(LineLost(f"it sent {error}"))
            return
        self._is_over = self._is_over or message.is_final
        self._events.message(message)

    def _lost(self, problem: LineLost) -> None:
        if not self._is_over:
            self._is_over = True
            self._events.lost(problem)

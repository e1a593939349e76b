"""What is said on one socket for text as it comes: its contexts, or its only utterance."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final, Protocol

import anyio
import anyio.abc
import msgspec

from warmline.core.clock import SystemClock
from warmline.simulators.elevenlabs.context import Context
from warmline.simulators.elevenlabs.errors import socket_error
from warmline.simulators.elevenlabs.messages import SOCKET_MESSAGE, SocketMessage
from warmline.simulators.elevenlabs.synthesis import OutputFormat, synthesise
from warmline.simulators.faults import Fault, FaultQueue
from warmline.simulators.outgoing import SocketOutgoing
from warmline.simulators.script import Script
from warmline.simulators.speech import Speech

__all__ = ["Owner", "Refused", "SpeechSession", "Wanted"]

_MOST_CONTEXTS: Final = 5
_LOOK_S: Final = 0.05
_CLOCK: Final = SystemClock()


class Owner(Protocol):
    """What a socket needs of its simulator."""

    script: Script
    speech: Speech
    faults: FaultQueue


class Refused(Exception):
    """The socket is closed with 1008 after this error."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.body = socket_error(error, message)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a socket was asked to be."""

    audio_format: OutputFormat
    is_multi: bool
    """Several contexts, and not one utterance."""

    aligns_each: bool
    is_auto: bool
    idle_s: float


class SpeechSession:
    """One socket's contexts.

    What changes here: `_contexts`, in `take`, `_speak` and `watch`.
    """

    def __init__(
        self,
        owner: Owner,
        wanted: Wanted,
        path: str,
        outgoing: SocketOutgoing,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._owner = owner
        self._wanted = wanted
        self._path = path
        self._outgoing = outgoing
        self._tasks = tasks
        self._contexts: dict[str, Context] = {}
        self._writing = anyio.Lock()
        self._used_at_s = _CLOCK.now_s()
        self._has_begun = False
        self.is_over = False
        """The client asked for the end, and everything was said."""

    def fault_for(self, text: str) -> Fault | None:
        """Return the fault that meets the reply whose first words a message has; None if it has none."""
        try:
            message = SOCKET_MESSAGE.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None
        context = self._contexts.get(self._name(message))
        if not (message.text or "").strip() or (context is not None and context.has_words):
            return None
        return self._owner.faults.take(self._path, is_upgrade=False)

    async def take(self, text: str) -> None:
        """Take a message of the client.

        Raises:
            Refused: it breaks a rule.
        """
        try:
            message = SOCKET_MESSAGE.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise Refused("invalid_input_message", f"The message could not be read: {error}") from error
        self._used_at_s = _CLOCK.now_s()
        is_end = message.close_socket if self._wanted.is_multi else message.text == ""
        if is_end:
            await self._until_done()
        elif self._wanted.is_multi:
            self._take_in(self._name(message), message)
        else:
            if not self._has_begun and message.text != " ":
                raise Refused("invalid_input_message", "The first message's text has to be a blank.")
            self._take_in("", message)
        self._has_begun = True

    async def watch(self) -> None:
        """Drop contexts that are not used, and the socket when nothing is.

        Raises:
            Refused: nothing came for too long.
        """
        idle_s = self._wanted.idle_s
        while True:
            await anyio.sleep(min(_LOOK_S, idle_s / 10))
            now_s = _CLOCK.now_s()
            for name, context in list(self._contexts.items()):
                if context.is_speaking:
                    context.used_at_s = self._used_at_s = now_s
                elif now_s - context.used_at_s >= idle_s and self._wanted.is_multi:
                    context.abandon()
                    del self._contexts[name]
            if now_s - self._used_at_s >= idle_s:
                raise Refused(
                    "input_timeout_exceeded",
                    f"Have not received a new text input within the timeout of {idle_s:g} seconds.",
                )

    def _take_in(self, name: str, message: SocketMessage) -> None:
        """Take a message to a context, which may be its first."""
        context = self._contexts.get(name)
        if context is None:
            if message.close_context:
                return
            context = self._open(name, message)
        elif message.voice_settings not in (None, context.voice_settings):
            raise Refused(
                "invalid_input_message",
                "voice_settings must come with the first message, and then not come again or not change.",
            )
        context.used_at_s = _CLOCK.now_s()
        if message.text:
            context.add(message.text, is_auto=self._wanted.is_auto)
        if message.flush or message.try_trigger_generation:
            context.flush()
        if message.close_context:
            context.close()

    def _name(self, message: SocketMessage) -> str:
        return (message.context_id or "default") if self._wanted.is_multi else ""

    def _open(self, name: str, message: SocketMessage) -> Context:
        if len(self._contexts) >= _MOST_CONTEXTS:
            raise Refused(
                "max_active_conversations",
                f"Maximum simultaneous contexts per WebSocket connection exceeded ({_MOST_CONTEXTS}). "
                "Please close a context before opening another.",
            )
        config = message.generation_config
        context = Context(config.chunk_length_schedule if config else None, message.voice_settings)
        self._contexts[name] = context
        self._tasks.start_soon(self._speak, name, context)
        return context

    async def _speak(self, name: str, context: Context) -> None:
        """Speak a context's segments, one after another, and say that it is done."""
        try:
            while (segment := await context.next_segment()) is not None:
                await self._say(*segment, name, context)
            if not context.is_abandoned:
                if self._contexts.get(name) is context:
                    del self._contexts[name]
                self._used_at_s = _CLOCK.now_s()
                await self._emit({"audio": None, "isFinal": True}, name)
                await self._outgoing.end()
        finally:
            context.drop()
            context.is_done.set()

    async def _say(self, text: str, since_s: float, name: str, context: Context) -> None:
        pieces = synthesise(
            self._owner.speech,
            self._owner.script,
            text,
            self._wanted.audio_format,
            aligns_each_piece=self._wanted.aligns_each,
            since_s=since_s,
        )
        async for piece in pieces:
            if context.is_abandoned:
                return
            audio = base64.b64encode(piece.audio).decode()
            alignment = {"alignment": piece.alignment, "normalizedAlignment": piece.alignment}
            await self._emit({"audio": audio, "isFinal": None, **alignment}, name)

    async def _emit(self, message: dict[str, Any], name: str) -> None:
        named = {"contextId": name} if self._wanted.is_multi else {}
        async with self._writing:
            await self._outgoing.send(msgspec.json.encode({**message, **named}).decode())

    async def _until_done(self) -> None:
        for context in list(self._contexts.values()):
            context.close()
            await context.is_done.wait()
        self.is_over = True

"""ElevenLabs's two sockets for text as it comes: one utterance on each, or several contexts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final, Protocol

import anyio
import anyio.abc
import msgspec
from aiohttp import WSMsgType, web

from warmline.core.clock import SystemClock
from warmline.simulators.elevenlabs.context import Context
from warmline.simulators.elevenlabs.errors import socket_error
from warmline.simulators.elevenlabs.synthesis import OutputFormat, output_format, synthesise
from warmline.simulators.faults import Fault, FaultQueue
from warmline.simulators.outgoing import Gone, SocketOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import fault_of
from warmline.simulators.speech import Speech

__all__ = ["SpeechSockets"]

_IDLE_S: Final = 20.0
_MOST_IDLE_S: Final = 180.0
_MOST_CONTEXTS: Final = 5
_LOOK_S: Final = 0.05
_CLOCK: Final = SystemClock()


class _Owner(Protocol):
    script: Script
    speech: Speech
    faults: FaultQueue


class _Refused(Exception):
    """The socket is closed with 1008 after this error."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.body = socket_error(error, message)


class SpeechSockets:
    """Serves `stream-input` and `multi-stream-input`."""

    def __init__(self, owner: _Owner, models: Mapping[str, int]) -> None:
        self._owner = owner
        self._models = models

    async def single(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a socket that speaks one utterance."""
        return await self._serve(request, is_multi=False)

    async def multi(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a socket with contexts."""
        return await self._serve(request, is_multi=True)

    async def _serve(self, request: web.Request, *, is_multi: bool) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        error = msgspec.json.encode(socket_error("internal_error", "An internal error occurred")).decode()
        outgoing = SocketOutgoing(request, socket, fault_of(request), error)
        try:
            async with anyio.create_task_group() as tasks:
                session = _Session(self._owner, request, outgoing, tasks, is_multi=is_multi)
                tasks.start_soon(session.watch, socket)
                try:
                    self._check(request)
                    async for message in socket:
                        if message.type is WSMsgType.TEXT:
                            outgoing.arm(session.fault_for(message.data))
                            await session.take(message.data)
                            if session.is_over:
                                await socket.close(code=1000)
                                break
                except _Refused as refused:
                    await outgoing.write(msgspec.json.encode(refused.body).decode())
                    await socket.close(code=1008, message=str(refused).encode()[:120])
                except Gone:
                    pass
                tasks.cancel_scope.cancel()
        except* Gone:
            pass
        return socket

    def _check(self, request: web.Request) -> None:
        voice = request.match_info["voice"]
        if voice not in self._owner.script.voices:
            raise _Refused("voice_id_does_not_exist", f"A voice with voice_id {voice} does not exist.")
        model = request.query.get("model_id", "eleven_multilingual_v2")
        if model not in self._models or model == "eleven_v3":
            raise _Refused("model_not_supported", f"The model {model} is not supported on this socket.")
        if output_format(request.query.get("output_format", "mp3_44100_128")) is None:
            raise _Refused("invalid_output_format", "The output format is not known.")


class _Session:
    """One socket's contexts.

    What changes here: `_contexts`, in `take`, `_finish` and `watch`.
    """

    def __init__(
        self,
        owner: _Owner,
        request: web.Request,
        outgoing: SocketOutgoing,
        tasks: anyio.abc.TaskGroup,
        *,
        is_multi: bool,
    ) -> None:
        query = request.query
        wanted = output_format(query.get("output_format", "mp3_44100_128"))
        self._wanted: OutputFormat | None = wanted
        self._aligns_each = query.get("sync_alignment", "false").lower() == "true"
        self._is_auto = query.get("auto_mode", "false").lower() == "true"
        given_s = min(float(query.get("inactivity_timeout", _IDLE_S)), _MOST_IDLE_S)
        self._idle_s = owner.script.idle_s or given_s
        self._owner = owner
        self._path = request.path
        self._outgoing = outgoing
        self._tasks = tasks
        self._is_multi = is_multi
        self._contexts: dict[str, Context] = {}
        self._writing = anyio.Lock()
        self._used_at_s = _CLOCK.now_s()
        self.is_over = False
        """The client asked for the end, and everything was said."""

    def fault_for(self, text: str) -> Fault | None:
        """Return the fault that meets the reply whose first words a message has; None if it has none."""
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None
        context = self._contexts.get(self._name(message))
        if not str(message.get("text") or "").strip() or (context is not None and context.has_words):
            return None
        return self._owner.faults.take(self._path, is_upgrade=False)

    async def take(self, text: str) -> None:
        """Take a message of the client.

        Raises:
            _Refused: it breaks a rule.
        """
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise _Refused("invalid_message", f"The message is no JSON object: {error}") from error
        self._used_at_s = _CLOCK.now_s()
        if message.get("close_socket"):
            for context in list(self._contexts.values()):
                context.close()
            await self._until_done()
            return
        name = self._name(message)
        known = self._contexts.get(name)
        if known is None:
            if message.get("close_context") or (not self._is_multi and message.get("text") == ""):
                if not self._is_multi:
                    await self._until_done()
                return
            context = self._open(name, message)
        elif message.get("voice_settings") and known.has_text:
            raise _Refused("invalid_message", "voice_settings may only come with a context's first message.")
        else:
            context = known
        context.used_at_s = _CLOCK.now_s()
        given = message.get("text")
        if given is not None and not isinstance(given, str):
            raise _Refused("invalid_message", "text must be a string.")
        if given:
            context.add(given, is_auto=self._is_auto)
        if message.get("try_trigger_generation"):
            context.flush()
        if message.get("flush"):
            context.flush()
        if message.get("close_context") or (not self._is_multi and given == ""):
            context.close()
            if not self._is_multi:
                await self._until_done()

    async def watch(self, socket: web.WebSocketResponse) -> None:
        """Drop contexts that are not used, and the socket when nothing is."""
        while True:
            await anyio.sleep(min(_LOOK_S, self._idle_s / 10))
            now_s = _CLOCK.now_s()
            for name, context in list(self._contexts.items()):
                if context.is_speaking:
                    context.used_at_s = self._used_at_s = now_s
                elif now_s - context.used_at_s >= self._idle_s and self._is_multi:
                    context.abandon()
                    del self._contexts[name]
            if now_s - self._used_at_s >= self._idle_s:
                message = (
                    f"Have not received a new text input within the timeout of {self._idle_s:g} seconds. "
                    "Streaming input terminated."
                )
                body = socket_error("input_timeout_exceeded", message)
                try:
                    await self._outgoing.write(msgspec.json.encode(body).decode())
                except Gone:
                    return
                await socket.close(code=1008, message=b"input_timeout_exceeded")
                return

    def _name(self, message: dict[str, Any]) -> str:
        return str(message.get("context_id", "default")) if self._is_multi else ""

    def _open(self, name: str, message: dict[str, Any]) -> Context:
        if len(self._contexts) >= _MOST_CONTEXTS:
            raise _Refused(
                "max_active_conversations",
                f"Maximum simultaneous contexts per WebSocket connection exceeded ({_MOST_CONTEXTS}). "
                "Please close a context before opening another.",
            )
        schedule = (message.get("generation_config") or {}).get("chunk_length_schedule")
        context = Context(schedule if isinstance(schedule, list) else None)
        self._contexts[name] = context
        self._tasks.start_soon(self._speak, name, context)
        return context

    async def _speak(self, name: str, context: Context) -> None:
        """Speak a context's segments, one after another, and say that it is done."""
        try:
            while (segment := await context.next_segment()) is not None:
                await self._say(*segment, name, context)
        finally:
            context.drop()
        if context.is_abandoned:
            return
        if self._contexts.get(name) is context:
            del self._contexts[name]
        self._used_at_s = _CLOCK.now_s()
        await self._emit({"audio": None, "isFinal": True}, name)
        await self._outgoing.end()
        context.is_done.set()

    async def _say(self, text: str, since_s: float, name: str, context: Context) -> None:
        assert self._wanted is not None
        pieces = synthesise(
            self._owner.speech,
            self._owner.script,
            text,
            self._wanted,
            aligns_each_piece=self._aligns_each,
            since_s=since_s,
        )
        async for piece in pieces:
            if context.is_abandoned:
                return
            audio = base64.b64encode(piece.audio).decode()
            alignment = {"alignment": piece.alignment, "normalizedAlignment": piece.alignment}
            await self._emit({"audio": audio, "isFinal": None, **alignment}, name)

    async def _emit(self, message: dict[str, Any], name: str) -> None:
        named = {"contextId": name} if self._is_multi else {}
        async with self._writing:
            await self._outgoing.send(msgspec.json.encode({**message, **named}).decode())

    async def _until_done(self) -> None:
        for context in list(self._contexts.values()):
            context.close()
            await context.is_done.wait()
        self.is_over = True

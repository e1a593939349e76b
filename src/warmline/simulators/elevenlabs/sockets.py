"""ElevenLabs's two sockets for text as it comes: one utterance on each, or several contexts."""

from __future__ import annotations

from typing import Final

import anyio
import msgspec
from aiohttp import WSMsgType, web

from warmline.simulators.elevenlabs.catalogue import SOCKET_MODELS
from warmline.simulators.elevenlabs.errors import socket_error
from warmline.simulators.elevenlabs.session import Owner, Refused, SpeechSession, Wanted
from warmline.simulators.elevenlabs.synthesis import output_format
from warmline.simulators.outgoing import Gone, SocketOutgoing
from warmline.simulators.simulator import fault_of

__all__ = ["SpeechSockets"]

_IDLE_S: Final = 20
_MOST_IDLE_S: Final = 180
_REASON_BYTES: Final = 123
"""What a close frame has room for."""


class SpeechSockets:
    """Serves `stream-input` and `multi-stream-input`."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

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
            try:
                wanted = self._wanted(request, is_multi=is_multi)
                async with anyio.create_task_group() as tasks:
                    session = SpeechSession(self._owner, wanted, request.path, outgoing, tasks)
                    tasks.start_soon(session.watch)
                    await self._listen(socket, session, outgoing)
                    tasks.cancel_scope.cancel()
            except* Refused as refused:
                await _refuse(socket, outgoing, refused)
        except* Gone:
            pass
        return socket

    async def _listen(
        self, socket: web.WebSocketResponse, session: SpeechSession, outgoing: SocketOutgoing
    ) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                raise Refused("invalid_input_message", "The message is not a text.")
            outgoing.arm(session.fault_for(message.data))
            await session.take(message.data)
            if session.is_over:
                await socket.close(code=1000)
                return

    def _wanted(self, request: web.Request, *, is_multi: bool) -> Wanted:
        """Return what a socket's path and query ask for.

        Raises:
            Refused: it can't be had.
        """
        voice = request.match_info["voice"]
        if voice not in self._owner.script.voices:
            raise Refused("voice_id_does_not_exist", f"A voice with voice_id {voice} does not exist.")
        model = request.query.get("model_id", "eleven_multilingual_v2")
        if model not in SOCKET_MODELS:
            raise Refused("model_not_supported", f"The model {model} is not supported on this socket.")
        audio_format = output_format(request.query.get("output_format", "mp3_44100_128"))
        if audio_format is None:
            raise Refused("invalid_output_format", "The output format is not known.")
        limit = request.query.get("inactivity_timeout", str(_IDLE_S))
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_IDLE_S:
            raise Refused("invalid_inactivity_timeout", f"It must be between 1 and {_MOST_IDLE_S} seconds.")
        return Wanted(
            audio_format,
            is_multi=is_multi,
            aligns_each=_flag(request, "sync_alignment"),
            is_auto=_flag(request, "auto_mode"),
            idle_s=self._owner.script.idle_s or int(limit),
        )


def _flag(request: web.Request, name: str) -> bool:
    value = request.query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise Refused("invalid_query", f"{name} must be true or false.")
    return value == "true"


async def _refuse(
    socket: web.WebSocketResponse, outgoing: SocketOutgoing, refused: ExceptionGroup[Refused]
) -> None:
    """Say what is wrong, and close."""
    problem: BaseException = refused
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    assert isinstance(problem, Refused)
    await outgoing.write(msgspec.json.encode(problem.body).decode())
    await socket.close(code=1008, message=str(problem).encode()[:_REASON_BYTES])

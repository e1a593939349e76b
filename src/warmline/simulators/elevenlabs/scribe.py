"""ElevenLabs's realtime speech to text, `scribe_v2_realtime`."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final, Protocol

import anyio
import msgspec
from aiohttp import WSMsgType, web

from warmline.core.formats import AudioFormat, Encoding
from warmline.core.ids import new_id
from warmline.simulators.outgoing import Gone, SocketOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import fault_of
from warmline.simulators.speech import Began, HeardText, Slice, Speech

__all__ = ["Scribe"]

_MODELS: Final = ("scribe_v2_realtime", "scribe_v3_live")
_PCM_HZ: Final = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)


class _Owner(Protocol):
    script: Script
    speech: Speech


class Scribe:
    """Serves `/v1/speech-to-text/realtime`."""

    def __init__(self, owner: _Owner) -> None:
        self._owner = owner

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Recognise what a socket sends."""
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        failure = {"message_type": "transcriber_error", "error": "The transcriber failed"}
        outgoing = SocketOutgoing(request, socket, fault_of(request), msgspec.json.encode(failure).decode())
        audio_format = _audio_format(request.query.get("audio_format", "pcm_16000"))
        if audio_format is None or request.query.get("model_id", _MODELS[0]) not in _MODELS:
            message = {"message_type": "invalid_request", "error": "Unknown audio_format or model_id"}
            await outgoing.write(msgspec.json.encode(message).decode())
            await socket.close(code=1008)
            return socket
        try:
            await self._run(request, socket, outgoing, audio_format)
        except* Gone:
            pass
        return socket

    async def _run(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        outgoing: SocketOutgoing,
        audio_format: AudioFormat,
    ) -> None:
        config = {"sample_rate": audio_format.rate_hz, "model_id": request.query.get("model_id", _MODELS[0])}
        silence_ms = float(request.query.get("vad_silence_threshold_secs", 1.5)) * 1000
        commits_itself = request.query.get("commit_strategy", "manual") != "manual"
        sending, to_send = anyio.create_memory_object_stream[dict[str, Any]](float("inf"))
        script = self._owner.script

        def take(heard: Began | Slice | HeardText) -> None:
            if isinstance(heard, HeardText):
                kind = "committed_transcript" if heard.is_final else "partial_transcript"
                text = script.transcript if heard.is_final and script.transcript else heard.text
                sending.send_nowait({"message_type": kind, "text": text})
            elif isinstance(heard, Slice) and commits_itself and heard.silence_ms >= silence_ms:
                ear.finish()

        async def send() -> None:
            async for message in to_send:
                if message["message_type"] == "committed_transcript":
                    await anyio.sleep(script.transcript_ms / 1000)
                await outgoing.send(msgspec.json.encode(message).decode())

        ear = await self._owner.speech.listen(audio_format, take, scripted=script.transcript)
        try:
            async with anyio.create_task_group() as tasks:
                started = {"message_type": "session_started", "session_id": new_id("sess"), "config": config}
                sending.send_nowait(started)
                tasks.start_soon(send)
                async for message in socket:
                    if message.type is not WSMsgType.TEXT:
                        continue
                    try:
                        given = msgspec.json.decode(message.data, type=dict[str, Any])
                        ear.push(base64.b64decode(str(given.get("audio_base_64", "")), validate=True))
                    except (msgspec.DecodeError, msgspec.ValidationError, binascii.Error) as error:
                        sending.send_nowait({"message_type": "input_error", "error": str(error)})
                        continue
                    if given.get("commit"):
                        await ear.catch_up()
                        ear.finish()
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await ear.aclose()
            sending.close()
            to_send.close()


def _audio_format(name: str) -> AudioFormat | None:
    kind, _, rate = name.partition("_")
    if kind == "ulaw" and rate == "8000":
        return AudioFormat(Encoding.PCMU, 8_000)
    if kind == "pcm" and rate.isdigit() and int(rate) in _PCM_HZ:
        return AudioFormat(Encoding.PCM16, int(rate))
    return None

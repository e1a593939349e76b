"""One stream to Nova: interims, endpoints, the end of an utterance."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, Final, Protocol

import anyio
import msgspec
from aiohttp import WSMsgType, web

from warmline.core.clock import SystemClock, utc_now
from warmline.simulators.deepgram.messages import NOVA, CloseStream, Finalize, NovaConfigure
from warmline.simulators.deepgram.query import KEYTERM_TOKENS, NovaQuery, keyterm_tokens
from warmline.simulators.faults import Fault, FaultKind, FaultQueue
from warmline.simulators.outgoing import SocketOutgoing
from warmline.simulators.script import Script
from warmline.simulators.speech import Began, Ear, HeardText, Slice, Speech

__all__ = ["NovaStream", "model_info", "word_list"]

_IDLE_S: Final = 10.0
_LOOK_S: Final = 0.1
_CLOCK: Final = SystemClock()


class Owner(Protocol):
    """What a stream needs of its simulator."""

    script: Script
    speech: Speech
    faults: FaultQueue


class NovaStream:
    """Recognises what one socket sends.

    What changes here: the utterance's times and what is yet to be said of it, in `_take`.
    """

    def __init__(
        self,
        owner: Owner,
        path: str,
        wanted: NovaQuery,
        socket: web.WebSocketResponse,
        outgoing: SocketOutgoing,
        request_id: str,
    ) -> None:
        self._owner = owner
        self._path = path
        self._wanted = wanted
        self._socket = socket
        self._outgoing = outgoing
        self._request_id = request_id
        self._model_id = str(uuid.uuid4())
        self._sending, self._to_send = anyio.create_memory_object_stream[dict[str, Any]](float("inf"))
        self._digest = hashlib.sha256()
        self._ear: Ear | None = None
        self._heard_at_s = _CLOCK.now_s()
        self._began_at_s = 0.0
        self._is_finalizing = False
        self._is_final_due = False
        self._is_closing = False
        self._hides_endpoint = False
        self._owes_utterance_end = False

    async def run(self) -> None:
        """Serve until either side has had enough."""
        with self._sending, self._to_send:
            await self._serve()

    async def _serve(self) -> None:
        self._ear = await self._owner.speech.listen(self._wanted.audio_format, self._take, self._owner.script)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send)
                tasks.start_soon(self._watch)
                async for message in self._socket:
                    if message.type is WSMsgType.BINARY and message.data:
                        self._push(message.data)
                    elif message.type is WSMsgType.BINARY:
                        await self._ear.catch_up()
                        self._close()
                    elif message.type is WSMsgType.TEXT:
                        await self._ear.catch_up()
                        self._control(message.data)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._ear.aclose()

    def _push(self, audio: bytes) -> None:
        self._heard_at_s = _CLOCK.now_s()
        self._digest.update(audio)
        assert self._ear is not None
        if not self._is_closing:
            self._ear.push(audio)

    def _control(self, text: str) -> None:
        try:
            message = NOVA.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            problem = f"Could not deserialize the message: {error}"
            self._put({"type": "Error", "variant": "SchemaError", "description": problem, "message": text})
            return
        assert self._ear is not None
        if self._ear.pushed_s:
            # Before any audio a message keeps nothing open.
            self._heard_at_s = _CLOCK.now_s()
        if isinstance(message, Finalize):
            if self._ear.is_in_utterance or self._is_final_due:
                self._is_finalizing = True
                self._finish()
            else:
                self._result("", is_final=True, from_finalize=True)
        elif isinstance(message, CloseStream):
            self._close()
        elif isinstance(message, NovaConfigure):
            self._configure(message)

    def _configure(self, message: NovaConfigure) -> None:
        problem = ""
        if message.keyterms is not None and not self._wanted.model.startswith("nova-3"):
            problem = "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
        elif keyterm_tokens(message.keyterms or ()) > KEYTERM_TOKENS:
            problem = "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"
        answer: dict[str, Any] = {"type": "ConfigureSuccess", "request_id": self._request_id}
        if problem:
            answer |= {"type": "ConfigureFailure", "code": problem, "description": "It stays as it was."}
        elif message.keyterms is not None:
            answer["keyterms"] = message.keyterms
        self._put(answer)

    def _finish(self) -> None:
        """End the utterance, if there is one; its final is sent when it comes."""
        assert self._ear is not None
        if self._ear.is_in_utterance:
            self._is_final_due = True
            self._ear.finish()

    def _close(self) -> None:
        assert self._ear is not None
        self._is_closing = True
        if self._ear.is_in_utterance or self._is_final_due:
            self._finish()
        else:
            self._farewell()

    def _take(self, heard: Began | Slice | HeardText) -> None:
        assert self._ear is not None
        if isinstance(heard, Began):
            fault: Fault | None = self._owner.faults.take(self._path, is_upgrade=False)
            self._hides_endpoint = fault is not None and fault.kind is FaultKind.NO_ENDPOINT
            self._outgoing.arm(fault)
            self._began_at_s = heard.at_s
            self._owes_utterance_end = True
            if self._wanted.gives_vad_events:
                self._put({"type": "SpeechStarted", "channel": [0, 1], "timestamp": round(heard.at_s, 3)})
        elif isinstance(heard, Slice):
            if heard.silence_ms >= self._wanted.endpointing_ms:
                self._finish()
            if self._owes_utterance_end and heard.silence_ms >= self._wanted.utterance_end_ms:
                self._owes_utterance_end = False
                last_s = heard.at_s - heard.silence_ms / 1000
                self._put({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": round(last_s, 3)})
        elif heard.is_final:
            self._is_final_due = False
            text = heard.text
            is_endpoint = not self._is_finalizing and not self._hides_endpoint
            self._result(text, is_final=True, speech_final=is_endpoint, from_finalize=self._is_finalizing)
            self._is_finalizing = False
            if self._is_closing:
                self._farewell()
        elif self._wanted.gives_interims:
            self._result(heard.text, is_final=False)

    def _result(
        self, text: str, *, is_final: bool, speech_final: bool = False, from_finalize: bool = False
    ) -> None:
        assert self._ear is not None
        end_s = max(self._ear.heard_s, self._began_at_s)
        words = word_list(text, self._began_at_s, end_s)
        alternative = {"transcript": text, "confidence": 0.98 if text else 0.0, "words": words}
        self._put({
            "type": "Results",
            "channel_index": [0, 1],
            "start": round(self._began_at_s, 3),
            "duration": round(end_s - self._began_at_s, 3),
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [alternative]},
            "metadata": {
                "request_id": self._request_id,
                "model_info": model_info(self._wanted.model),
                "model_uuid": self._model_id,
            },
        })

    def _farewell(self) -> None:
        assert self._ear is not None
        self._put({
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._request_id,
            "sha256": self._digest.hexdigest(),
            "created": utc_now().isoformat(),
            "duration": round(self._ear.pushed_s, 3),
            "channels": 1,
        })

    def _put(self, message: dict[str, Any]) -> None:
        self._sending.send_nowait(message)

    async def _send(self) -> None:
        async for message in self._to_send:
            if message.get("is_final"):
                await anyio.sleep(self._owner.script.transcript_ms / 1000)
            await self._outgoing.send(msgspec.json.encode(message).decode())
            if message["type"] == "Metadata":
                await self._socket.close(code=1000)

    async def _watch(self) -> None:
        """Close a socket that nothing comes from: NET-0001."""
        idle_s = self._owner.script.idle_s or _IDLE_S
        while _CLOCK.now_s() - self._heard_at_s < idle_s:  # noqa: ASYNC110 - the passing of time is the event
            await anyio.sleep(min(_LOOK_S, idle_s / 10))
        reason = b"Deepgram did not receive audio data or a text message within the timeout window. NET-0001"
        await self._socket.close(code=1011, message=reason)


def word_list(text: str, begin_s: float, end_s: float) -> list[dict[str, Any]]:
    """Return the words of a text, spread evenly over a stretch."""
    words = text.split()
    step_s = (end_s - begin_s) / max(len(words), 1)
    return [
        {
            "word": word.lower().strip(".,!?"),
            "start": round(begin_s + index * step_s, 3),
            "end": round(begin_s + (index + 1) * step_s, 3),
            "confidence": 0.98,
            "punctuated_word": word,
        }
        for index, word in enumerate(words)
    ]


def model_info(model: str) -> dict[str, str]:
    """Return how Deepgram speaks of a model."""
    return {"name": f"general-{model}", "version": "2026-01-01.0", "arch": model.split("-")[0]}

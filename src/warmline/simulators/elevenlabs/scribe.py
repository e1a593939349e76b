"""ElevenLabs's realtime speech to text, `scribe_v2_realtime`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import anyio
import msgspec
from aiohttp import WSMsgType, web

from warmline.core.formats import AudioFormat, Encoding
from warmline.core.ids import new_id
from warmline.simulators.elevenlabs.messages import AUDIO_CHUNK
from warmline.simulators.outgoing import Gone, SocketOutgoing
from warmline.simulators.script import Script
from warmline.simulators.simulator import fault_of
from warmline.simulators.speech import Began, Ear, HeardText, Slice, Speech

__all__ = ["Scribe", "timed_words"]

_MODELS: Final = ("scribe_v2_realtime", "scribe_v3_live")
_STRATEGIES: Final = ("manual", "vad", "turn_prediction")
_PCM_HZ: Final = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
_LEAST_S: Final = 0.3


class _Owner(Protocol):
    script: Script
    speech: Speech


@dataclass(frozen=True, slots=True)
class _Wanted:
    model: str
    audio_format: AudioFormat
    commits_itself: bool
    silence_ms: float
    has_words: bool


class Scribe:
    """Serves `/v1/speech-to-text/realtime`."""

    def __init__(self, owner: _Owner) -> None:
        self._owner = owner

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Recognise what a socket sends."""
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        failure = _encoded("transcriber_error", error="The transcriber failed")
        outgoing = SocketOutgoing(request, socket, fault_of(request), failure)
        try:
            try:
                wanted = _wanted(request)
            except ValueError as problem:
                await outgoing.write(_encoded("invalid_request", error=str(problem)))
                await socket.close(code=1008)
                return socket
            await _Stream(self._owner, socket, outgoing, wanted).run()
        except* Gone:
            pass
        return socket


class _Stream:
    """One socket.

    What changes here: how much audio was committed, in `_commit` and `_hear`.
    """

    def __init__(
        self, owner: _Owner, socket: web.WebSocketResponse, outgoing: SocketOutgoing, wanted: _Wanted
    ) -> None:
        self._owner = owner
        self._socket = socket
        self._outgoing = outgoing
        self._wanted = wanted
        self._sending, self._to_send = anyio.create_memory_object_stream[str | HeardText](float("inf"))
        self._ear: Ear | None = None
        self._committed_s = 0.0
        self._has_audio = False

    async def run(self) -> None:
        """Serve until the client has had enough."""
        with self._sending, self._to_send:
            await self._serve()

    async def _serve(self) -> None:
        self._ear = await self._owner.speech.listen(self._wanted.audio_format, self._hear, self._owner.script)
        config = {"sample_rate": self._wanted.audio_format.rate_hz, "model_id": self._wanted.model}
        self._tell("session_started", session_id=new_id("sess"), config=config)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send)
                async for message in self._socket:
                    await self._take(message.data if message.type is WSMsgType.TEXT else b"")
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._ear.aclose()

    async def _take(self, text: str | bytes) -> None:
        assert self._ear is not None
        try:
            chunk = AUDIO_CHUNK.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            self._tell("input_error", error=str(error))
            return
        if chunk.previous_text is not None and self._has_audio:
            self._tell("input_error", error="previous_text may only come with the first chunk")
            return
        self._has_audio = True
        self._ear.push(chunk.audio_base_64)
        if chunk.commit:
            await self._ear.catch_up()
            self._commit()

    def _commit(self) -> None:
        assert self._ear is not None
        length_s = self._ear.pushed_s - self._committed_s
        if length_s < _LEAST_S:
            problem = f"Only {length_s:.2f}s of audio to be committed; at least {_LEAST_S}s are needed."
            self._tell("commit_throttled", error=problem)
        elif self._ear.is_in_utterance:
            self._ear.finish()
        else:
            self._hear(HeardText(0, "", is_final=True))

    def _hear(self, heard: Began | Slice | HeardText) -> None:
        assert self._ear is not None
        if isinstance(heard, HeardText):
            self._sending.send_nowait(heard)
        elif (
            isinstance(heard, Slice)
            and self._wanted.commits_itself
            and heard.silence_ms >= self._wanted.silence_ms
        ):
            self._ear.finish()

    def _tell(self, kind: str, **fields: Any) -> None:
        self._sending.send_nowait(_encoded(kind, **fields))

    async def _send(self) -> None:
        async for item in self._to_send:
            if isinstance(item, str):
                await self._outgoing.send(item)
            elif not item.is_final:
                await self._outgoing.send(_encoded("partial_transcript", text=item.text))
            else:
                await anyio.sleep(self._owner.script.transcript_ms / 1000)
                await self._say_committed(item.text)

    async def _say_committed(self, heard: str) -> None:
        assert self._ear is not None
        text = self._owner.script.transcript or heard
        began_s, self._committed_s = self._committed_s, self._ear.pushed_s
        await self._outgoing.send(_encoded("committed_transcript", text=text))
        if self._wanted.has_words:
            words = timed_words(text, began_s, self._committed_s)
            kind = "committed_transcript_with_timestamps"
            await self._outgoing.send(_encoded(kind, text=text, language_code="en", words=words))


def timed_words(text: str, begin_s: float, end_s: float) -> list[dict[str, Any]]:
    """Return the words of a text, spread evenly over a stretch."""
    words = text.split()
    step_s = (end_s - begin_s) / max(len(words), 1)
    return [
        {
            "text": word,
            "type": "word",
            "start": begin_s + index * step_s,
            "end": begin_s + (index + 1) * step_s,
            "logprob": -0.1,
        }
        for index, word in enumerate(words)
    ]


def _wanted(request: web.Request) -> _Wanted:
    """Return what a query asks for.

    Raises:
        ValueError: what is wrong with it.
    """
    query = request.query
    model = query.get("model_id", _MODELS[0])
    strategy = query.get("commit_strategy", _STRATEGIES[0])
    if model not in _MODELS or strategy not in _STRATEGIES:
        raise ValueError(f"There is no model_id {model} or no commit_strategy {strategy}")
    silence_s = float(query.get("vad_silence_threshold_secs", 1.5))
    if not 0.3 <= silence_s <= 3:
        raise ValueError("vad_silence_threshold_secs must be between 0.3 and 3")
    return _Wanted(
        model,
        _audio_format(query.get("audio_format", "pcm_16000")),
        strategy != "manual",
        silence_s * 1000,
        query.get("include_timestamps", "false").lower() == "true",
    )


def _audio_format(name: str) -> AudioFormat:
    kind, _, rate = name.partition("_")
    if name == "ulaw_8000":
        return AudioFormat(Encoding.PCMU, 8_000)
    if kind == "pcm" and rate.isdecimal() and int(rate) in _PCM_HZ:
        return AudioFormat(Encoding.PCM16, int(rate))
    raise ValueError(f"There is no audio_format {name}")


def _encoded(kind: str, **fields: Any) -> str:
    return msgspec.json.encode({"message_type": kind, **fields}).decode()

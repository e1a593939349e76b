"""One stream to Flux: the model itself says when turns begin and end."""

from __future__ import annotations

import math
from typing import Any, Final

import anyio
import msgspec
from aiohttp import WSMsgType, web

from warmline.audio.silero import SLICE_MS
from warmline.simulators.deepgram.messages import FLUX, CloseStream, FluxConfigure
from warmline.simulators.deepgram.nova import Owner, word_list
from warmline.simulators.deepgram.query import FluxQuery, Unfit, configured
from warmline.simulators.outgoing import Gone, SocketOutgoing
from warmline.simulators.speech import Began, Ear, HeardText, Slice

__all__ = ["FluxStream", "silence_for"]

_UPDATE_S: Final = 0.25
_NO_TURN: Final = "FORCE_END_TURN_NO_ACTIVE_TURN"
_SILENCE_SCALE_MS: Final = 216.0
"""Makes the default threshold of 0.7 fall 260 ms after speech, which is Deepgram's median."""

_HALF_SLICE_MS: Final = SLICE_MS / 2
"""A silence is reached with the slice that ends nearest to it."""


def silence_for(threshold: float, scripted_ms: float = 0.0) -> float:
    """Return the milliseconds of silence after which a confidence is reached; infinite for 1 and above."""
    if threshold >= 1:
        return math.inf
    return scripted_ms or -_SILENCE_SCALE_MS * math.log(1 - threshold)


class FluxStream:
    """Recognises what one socket sends, turn by turn.

    What changes here: the turn's text and how far it has come, in `_take`.
    """

    def __init__(
        self,
        owner: Owner,
        path: str,
        wanted: FluxQuery,
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
        self._sending, self._to_send = anyio.create_memory_object_stream[tuple[dict[str, Any], float] | None](
            float("inf")
        )
        """Messages, and how many milliseconds before each; nothing at the end."""

        self._ear: Ear | None = None
        self._sequence = 0
        self._turn = 0
        self._turn_began_at_s = 0.0
        self._updated_at_s = 0.0
        self._frozen: list[str] = []
        self._open = ""
        self._is_started = False
        self._is_eager = False
        self._asked: str | None = None
        """The event that the final now asked for is to be sent as; an update where the stream was closed."""

        self._trigger = "model"

    async def run(self) -> None:
        """Serve until either side has had enough."""
        with self._sending, self._to_send:
            await self._serve()

    async def _serve(self) -> None:
        self._ear = await self._owner.speech.listen(self._wanted.audio_format, self._take, self._owner.script)
        self._put({"type": "Connected", "request_id": self._request_id, "sequence_id": self._next()})
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send)
                async for message in self._socket:
                    if message.type is WSMsgType.BINARY:
                        self._ear.push(message.data)
                    elif message.type is WSMsgType.TEXT:
                        await self._ear.catch_up()
                        self._control(message.data)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._ear.aclose()

    def _control(self, text: str) -> None:
        assert self._ear is not None
        try:
            message = FLUX.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            problem = {"code": "UNPARSABLE_CLIENT_MESSAGE", "description": str(error)}
            self._put({"type": "Error", "sequence_id": self._next(), **problem})
            return
        if isinstance(message, FluxConfigure):
            self._configure(message)
        elif isinstance(message, CloseStream):
            if self._ear.is_in_utterance or self._asked is not None:
                self._asked = "Update"
                self._ear.finish()
            else:
                self._sending.send_nowait(None)
        elif self._is_started or self._ear.is_in_utterance or self._asked is not None:
            self._end("manual")
        else:
            self._tell("Warning", code=_NO_TURN, description="There is no turn.")

    def _configure(self, message: FluxConfigure) -> None:
        try:
            self._wanted = configured(self._wanted, message)
        except Unfit as problem:
            self._tell("ConfigureFailure", code=problem.code, description=str(problem))
            return
        eager = self._wanted.eager_eot_threshold
        now = {
            "eot_threshold": self._wanted.eot_threshold,
            "eager_eot_threshold": None if eager == math.inf else eager,
            "eot_timeout_ms": round(self._wanted.eot_timeout_ms),
        }
        told: dict[str, Any] = {"thresholds": now, "keyterms": self._wanted.keyterms}
        if self._wanted.language_hints:
            told["language_hints"] = self._wanted.language_hints
        self._tell("ConfigureSuccess", **told)

    def _take(self, heard: Began | Slice | HeardText) -> None:
        if isinstance(heard, Began):
            if self._is_eager:
                self._is_eager = False
                self._event("TurnResumed")
            elif not self._is_started:
                self._outgoing.arm(self._owner.faults.take(self._path, is_upgrade=False))
        elif isinstance(heard, HeardText):
            self._text(heard)
        else:
            self._slice(heard)

    def _text(self, heard: HeardText) -> None:
        assert self._ear is not None
        text = heard.text
        if not heard.is_final:
            self._open = text
        else:
            self._open = ""
            if text:
                self._frozen.append(text)
        if self._transcript() and not self._is_started:
            self._is_started = True
            self._event("StartOfTurn")
        if heard.is_final and self._asked is not None:
            asked, self._asked = self._asked, None
            if asked == "EndOfTurn":
                self._close_turn()
            elif asked == "Update":
                self._event("Update")
                self._sending.send_nowait(None)
            elif self._is_started and not self._ear.is_in_utterance:
                # Otherwise somebody spoke on before the guess was ready.
                self._is_eager = True
                self._event("EagerEndOfTurn")

    def _slice(self, heard: Slice) -> None:
        assert self._ear is not None
        if heard.at_s - self._updated_at_s >= _UPDATE_S and not self._is_eager:
            self._event("Update")
        if self._asked is not None or not (self._is_started or self._ear.is_in_utterance):
            return
        script = self._owner.script
        silence_ms = heard.silence_ms + _HALF_SLICE_MS
        if silence_ms >= silence_for(self._wanted.eot_threshold, script.end_of_turn_ms):
            self._end("model")
        elif silence_ms >= self._wanted.eot_timeout_ms:
            self._end("timeout")
        elif (
            not self._is_eager
            and self._ear.is_in_utterance
            and silence_ms >= silence_for(self._wanted.eager_eot_threshold, script.eager_end_ms)
        ):
            self._asked = "EagerEndOfTurn"
            self._ear.finish()

    def _end(self, trigger: str) -> None:
        assert self._ear is not None
        self._trigger = trigger
        if self._ear.is_in_utterance:
            self._asked = "EndOfTurn"
            self._ear.finish()
        elif self._asked is None:
            self._close_turn()
        else:
            self._asked = "EndOfTurn"

    def _close_turn(self) -> None:
        assert self._ear is not None
        if self._is_started:
            self._event("EndOfTurn", trigger=self._trigger)
            self._turn += 1
            self._turn_began_at_s = self._ear.heard_s
        elif self._trigger == "manual":
            self._tell("Warning", code=_NO_TURN, description="There was nothing to be understood.")
        self._frozen.clear()
        self._open = ""
        self._is_started = self._is_eager = False

    def _transcript(self) -> str:
        return " ".join([*self._frozen, self._open] if self._open else self._frozen)

    def _event(self, name: str, **fields: Any) -> None:
        assert self._ear is not None
        self._updated_at_s = self._ear.heard_s
        text = self._transcript()
        words = [
            {"word": word["word"], "confidence": word["confidence"]}
            for word in word_list(text, self._turn_began_at_s, self._ear.heard_s)
        ]
        self._tell(
            "TurnInfo",
            self._delay_ms(name),
            event=name,
            turn_index=self._turn,
            audio_window_start=round(self._turn_began_at_s, 3),
            audio_window_end=round(self._ear.heard_s, 3),
            transcript=text,
            words=words,
            end_of_turn_confidence=self._confidence(name),
            **fields,
        )

    def _confidence(self, name: str) -> float:
        script = self._owner.script
        if name == "EndOfTurn" and self._trigger == "model":
            return max(self._wanted.eot_threshold, script.end_of_turn_confidence)
        if name == "EagerEndOfTurn":
            return max(self._wanted.eager_eot_threshold, script.eager_end_confidence)
        return 0.1

    def _delay_ms(self, name: str) -> float:
        """Return how long an event's words take; a silence that is scripted has that in it already."""
        script = self._owner.script
        match name:
            case "EagerEndOfTurn":
                is_in_silence = script.eager_end_ms > 0
            case "EndOfTurn":
                is_in_silence = script.end_of_turn_ms > 0 and self._trigger == "model"
            case _:
                return 0.0
        return 0.0 if is_in_silence else script.transcript_ms

    def _tell(self, kind: str, delay_ms: float = 0.0, **fields: Any) -> None:
        message = {"type": kind, "request_id": self._request_id, "sequence_id": self._next(), **fields}
        self._put(message, delay_ms)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1

    def _put(self, message: dict[str, Any], delay_ms: float = 0.0) -> None:
        self._sending.send_nowait((message, delay_ms))

    async def _send(self) -> None:
        async for item in self._to_send:
            if item is None:
                # Flux says goodbye with a close frame that has no code (1005).
                await self._outgoing.say_goodbye()
                raise Gone
            message, delay_ms = item
            await anyio.sleep(delay_ms / 1000)
            await self._outgoing.send(msgspec.json.encode(message).decode())
            if message["type"] == "Error":
                await self._socket.close(code=1008)
                raise Gone

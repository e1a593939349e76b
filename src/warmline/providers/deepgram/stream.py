"""What both kinds of stream do: hold a socket, send audio, keep it open, and give it back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import ClassVar, Final

import anyio

from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat
from warmline.core.line_use import OnLine
from warmline.errors import LineLost, PoolError, ProviderError, RemoteProtocolError
from warmline.interfaces.stt import (
    OnSttFailure,
    OnTranscript,
    OnTurnHint,
    Transcript,
    TurnHint,
    TurnHintKind,
)
from warmline.pool.sockets import SocketEndpoint, WebSocketLine
from warmline.providers.deepgram.failures import pool_failure, stream_failure
from warmline.providers.deepgram.protocol import CLOSE_STREAM

__all__ = ["DeepgramStream"]

_OPEN_S: Final = 10.0


class DeepgramStream(ABC):
    """An `SttStream` over one socket.

    What changes here: the utterance in progress; whether the stream has failed or was closed.
    """

    look_s: ClassVar[float] = 0.5
    """How often `look` is called."""

    def __init__(
        self,
        endpoint: SocketEndpoint,
        audio_format: AudioFormat,
        on_transcript: OnTranscript,
        on_failure: OnSttFailure,
        clock: Clock,
        on_line: OnLine | None = None,
        on_hint: OnTurnHint | None = None,
        *,
        ends_turns: bool = False,
    ) -> None:
        """Prepare; nothing is opened until `run`.

        Args:
            endpoint: Sockets that are asked for `audio_format`.
            audio_format: What `push` is given, and what the far end gets.
            on_transcript: Told of each transcript.
            on_failure: Told at most once; nothing comes after it.
            clock: The process's.
            on_line: Told of the line.
            on_hint: Told what Deepgram thinks of the turn.
            ends_turns: Whether an utterance is over when Deepgram says so; needs `on_hint`.
        """
        self.ends_turns = ends_turns and on_hint is not None
        self.audio_format = audio_format
        self.utterance: int | None = None
        self.pushed_at_s = clock.now_s()
        """When audio came last."""

        self.clock = clock
        self._endpoint = endpoint
        self._on_transcript = on_transcript
        self._on_failure = on_failure
        self._on_line = on_line
        self._on_hint = on_hint
        self._line: WebSocketLine | None = None
        self._is_over = False
        self._closing = anyio.Event()
        self.opened = anyio.Event()
        """Set when the socket is there, or could not be had."""

        self.problem: ProviderError | None = None

    async def run(self) -> None:
        """Hold a socket until `aclose` or a failure; for a task of its own."""
        try:
            async with self._endpoint.lease(deadline_s=_OPEN_S, on_line=self._on_line) as line:
                line.retire()
                self._line = line
                line.attach(self._received, self._lost)
                self.began()
                self.opened.set()
                while not self._closing.is_set():
                    with anyio.move_on_after(self.look_s):
                        await self._closing.wait()
                        break
                    self.look()
                with suppress(LineLost):
                    line.send_text(CLOSE_STREAM)
        except PoolError as error:
            if not self._is_over:
                self._fail(pool_failure(error, phase="stream" if self._line else "connect"))
        finally:
            self._line = None
            self.opened.set()

    def push(self, audio: bytes) -> None:
        """Hand over audio in the stream's format, whichever it is; never blocks."""
        self.pushed_at_s = self.clock.now_s()
        self.send_audio(audio)

    async def aclose(self) -> None:
        """Give the socket back; no callback comes after this returns."""
        self._is_over = True
        self._closing.set()

    @abstractmethod
    def begin_utterance(self, utterance: int) -> None:
        """Give what is recognised from now on to this utterance."""

    @abstractmethod
    def finish_utterance(self) -> None:
        """Ask for the final now."""

    @abstractmethod
    def discard_utterance(self) -> None:
        """Drop the utterance."""

    @abstractmethod
    def began(self) -> None:
        """Do what a new socket needs first."""

    @abstractmethod
    def look(self) -> None:
        """Do what the passing of time asks for."""

    @abstractmethod
    def received(self, payload: bytes) -> None:
        """Take a message; raises RemoteProtocolError."""

    def send_audio(self, audio: bytes) -> None:
        """Send audio, if there is any: an empty message would end the stream."""
        if audio and self._line is not None and not self._is_over:
            try:
                self._line.send_binary(audio)
            except LineLost as problem:
                self._lost(problem)

    def send(self, message: bytes) -> None:
        """Send a control message."""
        if self._line is not None and not self._is_over:
            try:
                self._line.send_text(message)
            except LineLost as problem:
                self._lost(problem)

    def tell(self, utterance: int, text: str, *, is_final: bool) -> None:
        """Hand on a transcript."""
        if not self._is_over:
            self._on_transcript(Transcript(utterance, text, is_final))

    def hint(self, kind: TurnHintKind, utterance: int, text: str, *, confidence: float | None = None) -> None:
        """Hand on what Deepgram thinks of the turn; the transcript that it is about was told."""
        if not self._is_over and self._on_hint is not None:
            self._on_hint(TurnHint(kind, utterance, text, confidence))

    def fail(self, what: str) -> None:
        """Give the stream up."""
        self._fail(stream_failure(what, request_id=""))

    def _received(self, payload: bytes, is_text: bool) -> None:
        if self._is_over or not is_text:
            return
        try:
            self.received(payload)
        except RemoteProtocolError as error:
            self.fail(f"it sent {error}")

    def _lost(self, problem: LineLost) -> None:
        self._fail(pool_failure(problem, phase="stream"))

    def _fail(self, problem: ProviderError) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._closing.set()
        self.problem = problem
        if self.opened.is_set():
            self._on_failure(problem)

"""The session's line to the recogniser: opened with the session, replaced when it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import anyio

from warmline.core.clock import Clock
from warmline.core.line_use import LineUse
from warmline.errors import ProviderError
from warmline.interfaces.stt import OnTranscript, OnTurnHint, SpeechToText, SttStream

__all__ = ["SttLine"]

_EARLY_FRAMES: Final = 500
"""Frames kept while there is no line: 10 s at 20 ms; older ones are dropped."""

_REOPEN_DELAYS_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits before each try to open a line; the last is repeated."""

_CLOSE_S: Final = 2.0
"""How long giving the line back may take."""


class SttLine:
    """A recogniser's stream that outlives the streams it is made of.

    What changes here: `_stream`, only in `run`; `_early`, the audio that came while there was none.
    """

    def __init__(
        self,
        provider: SpeechToText,
        on_transcript: OnTranscript,
        on_trouble: Callable[[ProviderError], None],
        clock: Clock,
        on_hint: OnTurnHint | None = None,
    ) -> None:
        """Prepare; nothing is opened until `run`.

        Args:
            provider: Shared by all sessions.
            on_transcript: Called for each transcript of any stream.
            on_trouble: Called when a line fails, or the first try to open one does.
            clock: The session's.
            on_hint: Called for each hint of any stream; without it, no stream ends a turn by itself.
        """
        self._provider = provider
        self._on_hint = on_hint
        self._on_transcript = on_transcript
        self._on_trouble = on_trouble
        self._clock = clock
        self._use: LineUse | None = None
        self._used_from_s = 0.0
        self._stream: SttStream | None = None
        self._early: deque[bytes] = deque(maxlen=_EARLY_FRAMES)
        self._begun: int | None = None
        self._failed = anyio.Event()

    async def run(self) -> None:
        """Keep a line open until cancelled, and give it back then."""
        try:
            while True:
                stream = await self._open()
                self._failed = anyio.Event()
                self._attach(stream)
                await self._failed.wait()
                self._stream = None
                await self._close(stream)
        finally:
            stream_left, self._stream = self._stream, None
            if stream_left is not None:
                await self._close(stream_left)

    @property
    def ends_turns(self) -> bool:
        """Whether the line there is now says by itself when a turn is over."""
        return self._stream is not None and self._stream.ends_turns

    def use_since(self, began_s: float) -> LineUse | None:
        """Return how an utterance that began then got its connection; None if none is used.

        It waited for nothing if the connection was there when it began.
        """
        if self._use is None:
            return None
        waited_s = max(self._used_from_s - began_s, 0.0)
        return replace(
            self._use,
            reused=waited_s == 0.0,
            age_s=self._use.age_s + self._clock.now_s() - self._used_from_s,
            waited_s=waited_s,
        )

    def push(self, pcm: bytes) -> None:
        """Hand over 16 kHz pcm16; never blocks."""
        if self._stream is None:
            self._early.append(pcm)
        else:
            self._stream.push(pcm)

    def begin_utterance(self, utterance: int) -> None:
        """Say that speech began."""
        self._begun = utterance
        if self._stream is not None:
            self._stream.begin_utterance(utterance)

    def finish_utterance(self) -> None:
        """Ask for the final; none comes if the line failed since the utterance began."""
        self._begun = None
        if self._stream is not None:
            self._stream.finish_utterance()

    def discard_utterance(self) -> None:
        """Drop the utterance begun last."""
        self._begun = None
        if self._stream is not None:
            self._stream.discard_utterance()

    async def _open(self) -> SttStream:
        tries = 0
        while True:
            await anyio.sleep(_REOPEN_DELAYS_S[min(tries, len(_REOPEN_DELAYS_S) - 1)])
            try:
                return await self._provider.open(
                    self._on_transcript, self._on_failure, self._note, on_hint=self._on_hint
                )
            except ProviderError as error:
                if tries == 0:
                    self._on_trouble(error)
                tries += 1

    def _note(self, use: LineUse) -> None:
        self._use, self._used_from_s = use, self._clock.now_s()

    def _attach(self, stream: SttStream) -> None:
        """Put the stream in place and hand it what came before it."""
        self._stream = stream
        if self._begun is not None:
            stream.begin_utterance(self._begun)
        while self._early:
            stream.push(self._early.popleft())

    def _on_failure(self, error: ProviderError) -> None:
        self._failed.set()
        self._on_trouble(error)

    async def _close(self, stream: SttStream) -> None:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await stream.aclose()

"""One voice's attempt at a reply, or at the rest of one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat
from warmline.core.line_use import OnLine
from warmline.failover.remainder import GivenClause, owes_audio
from warmline.failover.shared_text import SharedText
from warmline.interfaces.tts import SpeechChunk, Voice

__all__ = ["Speech"]


class Speech:
    """The text that a voice was given, and how far its audio goes. Called, it returns its chunks.

    What changes here: the clauses, as the voice takes them; the audio and the words, as they come.
    """

    def __init__(
        self,
        voice: Voice,
        text: SharedText,
        clock: Clock,
        audio_format: AudioFormat,
        *,
        place: int,
        said_s: float,
        on_line: OnLine | None,
        on_change: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            voice: Who speaks.
            text: The reply's.
            clock: The session's.
            audio_format: What is spoken in.
            place: Where in the reply's text this attempt's begins.
            said_s: The reply's audio before this attempt's, in seconds.
            on_line: Told of each connection that is used.
            on_change: Called when the voice was given something.
        """
        self.voice = voice
        self.place = place
        self.said_s = said_s
        self.clauses: list[GivenClause] = []
        self.audio_s = 0.0
        """How much came."""

        self.words_end: int | None = None
        """Where, in this attempt's text, the last word ends that it told the place of; None before any."""

        self.is_told_the_end = False
        """Whether the voice knows that there is no more text."""

        self.owed_from_s = clock.now_s()
        """When it began to owe something."""

        self._text = text
        self._clock = clock
        self._audio_format = audio_format
        self._on_line = on_line
        self._on_change = on_change
        self._given_to = place
        self._is_waiting = False

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        """Have it spoken."""
        async with (
            aclosing(self._given()) as clauses,
            self.voice.speak(clauses, self._audio_format, self._on_line) as chunks,
            aclosing(self._counted(chunks)) as counted,
        ):
            yield counted

    def owed_since_s(self) -> float | None:
        """Return since when the voice should give audio, take more text, or end; None if it should not."""
        if self._text.begun_at_s is None or not self._is_owed():
            return None
        return max(self.owed_from_s, self._text.begun_at_s)

    def _is_owed(self) -> bool:
        if self.is_told_the_end or not self._is_waiting:
            return True
        return owes_audio(self._text.text[self.place : self._given_to], self.words_end, self.audio_s)

    async def _given(self) -> AsyncGenerator[str, None]:
        while True:
            self._is_waiting = True
            asked_s = self.audio_s
            clause = await self._text.clause(self._given_to)
            if not self._is_owed():
                self.owed_from_s = self._clock.now_s()
            self._is_waiting = False
            self._on_change()
            if clause is None:
                self.is_told_the_end = True
                return
            self.clauses.append(GivenClause(self._given_to, len(clause), asked_s, self.audio_s))
            self._given_to += len(clause)
            yield clause

    async def _counted(self, chunks: AsyncIterator[SpeechChunk]) -> AsyncGenerator[SpeechChunk, None]:
        async for chunk in chunks:
            self.audio_s += self._audio_format.duration_s(len(chunk.audio))
            if chunk.words:
                self.words_end = max(self.words_end or 0, max(word.text_end for word in chunk.words))
            yield chunk

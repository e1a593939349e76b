"""A reply's text as it comes, and its audio as a socket makes it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

import anyio

from warmline.errors import LineLost, ProviderError, ProviderUnavailable
from warmline.interfaces.tts import SpeechChunk
from warmline.providers.elevenlabs.aligned import AlignedSpeech
from warmline.providers.elevenlabs.failures import PROVIDER, pool_failure, socket_failure
from warmline.providers.elevenlabs.feeds import Feed
from warmline.providers.elevenlabs.protocol import SocketMessage
from warmline.providers.elevenlabs.settings import SpeechSettings

__all__ = ["SocketSpeech", "Text"]


class Text:
    """A reply's clauses, read ahead of their being spoken, and kept in case they are needed again.

    What changes here: `so_far` and the end, in `read`.
    """

    def __init__(self, clauses: AsyncIterator[str]) -> None:
        self.so_far = ""
        self.is_whole = False
        self.on_more = _nothing
        """Called after each clause and after the last."""

        self._clauses = clauses
        self._problem: Exception | None = None
        self._more = anyio.Event()
        self._scope = anyio.CancelScope()
        self._done = anyio.Event()
        self._is_begun = False

    async def read(self) -> None:
        """Read until the end, or `stop`; for a task of its own."""
        self._is_begun = True
        try:
            with self._scope:
                async for clause in self._clauses:
                    self.so_far += clause
                    self._tell()
        # Whatever stopped the text is raised where the audio is taken.
        except Exception as problem:  # noqa: BLE001
            self._problem = problem
        finally:
            self.is_whole = True
            self._tell()
            self._done.set()

    async def stop(self) -> None:
        """Read no more; return when nobody holds the clauses."""
        self._scope.cancel()
        with anyio.CancelScope(shield=True):
            await self._done.wait()

    async def first(self) -> None:
        """Wait for the first clause, or the end."""
        await self.after(0)

    async def after(self, place: int) -> str | None:
        """Return the text beyond a place; None if there will be none.

        Raises:
            Exception: what stopped the text, once everything before it was taken.
        """
        while not self.so_far[place:].strip():
            if self.is_whole:
                if self._problem is not None:
                    raise self._problem
                return None
            await self._more.wait()
        return self.so_far[place:]

    def _tell(self) -> None:
        self._more.set()
        self._more = anyio.Event()
        self.on_more()


def _nothing() -> None:
    return


class SocketSpeech:
    """A reply's audio over one socket, in the order it was made.

    What changes here: the chunks, as messages come; how much text was sent, in `_send`.
    """

    def __init__(self, text: Text, speech: AlignedSpeech, settings: SpeechSettings) -> None:
        self._text = text
        self._speech = speech
        self._settings = settings
        self._feed: Feed | None = None
        self._chunks: deque[SpeechChunk] = deque()
        self._sent = 0
        self._is_finished = False
        self._is_final = False
        self._problem: ProviderError | None = None
        self._changed = anyio.Event()

    async def chunks(self, feed: Feed) -> AsyncGenerator[SpeechChunk, None]:
        """Send the text as it comes, and yield its audio.

        Raises:
            ProviderError: the socket was lost, refused, or owes audio for too long.
        """
        self._feed = feed
        self._text.on_more = self._send
        try:
            self._send()
            while True:
                while self._chunks:
                    yield self._chunks.popleft()
                if self._problem is not None:
                    raise self._problem
                if self._is_final:
                    break
                await self._wait()
        finally:
            self._text.on_more = _nothing
        await self._text.after(self._sent)

    def message(self, message: SocketMessage) -> None:
        """Take a message about this reply."""
        if message.error:
            self._problem = socket_failure(message.error, message.message, phase=self._phase)
        else:
            chunk = self._speech.take(message.audio, message.alignment)
            if chunk.audio or chunk.words:
                self._chunks.append(chunk)
            self._is_final = message.is_final
            if message.is_final and not self._is_finished:
                self._problem = self._mute("it ended before the text did")
        self._tell()

    def lost(self, problem: LineLost) -> None:
        """Learn that the socket is gone."""
        self._problem = pool_failure(problem, what="speaking", phase=self._phase)
        self._tell()

    def _send(self) -> None:
        """Send what is new of the text."""
        if self._feed is None or self._problem is not None:
            return
        try:
            new = self._text.so_far[self._sent :]
            if new.strip():
                self._sent += len(new)
                self._speech.given(new)
                self._feed.say(new)
            if self._text.is_whole and not self._is_finished:
                self._is_finished = True
                self._feed.finish()
        except LineLost as problem:
            self.lost(problem)
        self._tell()

    async def _wait(self) -> None:
        """Wait for anything to happen, but for audio that is owed no longer than it may take."""
        is_owed = self._speech.is_owed or self._is_finished
        limit_s = self._settings.stall_s if self._speech.has_sounded else self._settings.first_audio_s
        with anyio.move_on_after(limit_s if is_owed else None) as timer:
            await self._changed.wait()
        if timer.cancelled_caught:
            raise self._mute(f"no audio came within {limit_s:g} s")

    def _mute(self, what: str) -> ProviderUnavailable:
        return ProviderUnavailable(f"speaking by ElevenLabs: {what}", provider=PROVIDER, phase=self._phase)

    @property
    def _phase(self) -> str:
        return "stream" if self._speech.has_sounded else "first_result"

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

"""ElevenLabs as a voice: over a call's socket, and over HTTP from the word where a socket failed."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.abc

from warmline.core.clock import Clock
from warmline.core.formats import PCM_24K, AudioFormat
from warmline.core.line_use import OnLine
from warmline.core.loggable import loggable
from warmline.errors import PoolError, ProviderError
from warmline.interfaces.tts import SpeechChunk
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.elevenlabs.aligned import AlignedSpeech
from warmline.providers.elevenlabs.call_line import CallLine
from warmline.providers.elevenlabs.failures import pool_failure
from warmline.providers.elevenlabs.feeds import Feed, FeedEvents, UtteranceFeed
from warmline.providers.elevenlabs.rest import ElevenLabsRest
from warmline.providers.elevenlabs.settings import SpeechSettings
from warmline.providers.elevenlabs.speaking import SocketSpeech, Text

__all__ = ["ElevenLabs", "MakeSockets"]

_log = logging.getLogger(__name__)

MakeSockets = Callable[[AudioFormat, bool], SocketEndpoint]
"""Returns sockets for a format, not opened yet; with contexts if the flag is set."""

_LINE_S: Final = 2.0
"""How long a reply waits for a socket before it is spoken over HTTP."""


class ElevenLabs:
    """A `TextToSpeech`. Use as an async context manager, entered and left by the same task.

    What changes here: the sockets by format, in `sockets`; `problem`, as replies fail.
    """

    def __init__(
        self,
        rest: ElevenLabsRest,
        make_sockets: MakeSockets,
        settings: SpeechSettings,
        clock: Clock,
        *,
        use_persistent_tts: bool = True,
        ready_formats: tuple[AudioFormat, ...] = (PCM_24K,),
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            rest: The fallback.
            make_sockets: Makes the pool for a format when it is first asked for.
            settings: By whom and how.
            clock: The process's.
            use_persistent_tts: One socket per call with a context per reply; else a socket per reply,
                opened ahead all the same.
            ready_formats: What sockets are opened for at once.
        """
        self.rest = rest
        self.settings = settings
        self.clock = clock
        self.use_persistent_tts = use_persistent_tts
        self._make_sockets = make_sockets
        self._ready_formats = ready_formats
        self.problem: ProviderError | None = None
        """Why the last reply that was spoken over HTTP was not spoken over a socket."""

        self._sockets: dict[AudioFormat, SocketEndpoint] = {}
        self._running: dict[AudioFormat, anyio.Event] = {}
        self._held = AsyncExitStack()
        self._tasks: anyio.abc.TaskGroup | None = None

    @property
    def tasks(self) -> anyio.abc.TaskGroup:
        """Where lines are held and texts are read."""
        assert self._tasks is not None, "enter it first"
        return self._tasks

    async def __aenter__(self) -> Self:
        """Begin to open sockets."""
        self._tasks = await self._held.enter_async_context(anyio.create_task_group())
        for audio_format in self._ready_formats:
            await self.sockets(audio_format)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every socket; replies in progress fail."""
        self.tasks.cancel_scope.cancel()
        await self._held.__aexit__(None, None, None)

    def open(self, audio_format: AudioFormat | None = None) -> ElevenLabsVoice:
        """Return a session's voice; its socket is being opened, if a format is given."""
        return ElevenLabsVoice(self, audio_format)

    async def sockets(self, audio_format: AudioFormat) -> SocketEndpoint:
        """Return the sockets for a format; their pool runs from the first time on."""
        if audio_format not in self._sockets:
            self._sockets[audio_format] = self._make_sockets(audio_format, self.use_persistent_tts)
            self._running[audio_format] = anyio.Event()
            self.tasks.start_soon(self._run_sockets, audio_format)
        await self._running[audio_format].wait()
        return self._sockets[audio_format]

    async def check_socket(self, on_line: OnLine | None = None) -> None:
        """Open a socket and close it again: nothing is said on it, so nothing is billed.

        Args:
            on_line: Told of it.

        Raises:
            ProviderError: none could be had.
        """
        sockets = await self.sockets(PCM_24K)
        try:
            async with sockets.lease(on_line=on_line) as line:
                line.retire()
        except PoolError as error:
            raise pool_failure(error, what="speaking", phase="connect") from error

    async def _run_sockets(self, audio_format: AudioFormat) -> None:
        async with self._sockets[audio_format]:
            self._running[audio_format].set()
            await anyio.sleep_forever()


class ElevenLabsVoice:
    """One session's voice.

    What changes here: the call's line, when a format is first spoken in.
    """

    def __init__(self, owner: ElevenLabs, audio_format: AudioFormat | None) -> None:
        self._owner = owner
        self._calls: dict[AudioFormat, CallLine] = {}
        if audio_format is not None and owner.use_persistent_tts:
            self._call(audio_format)

    @asynccontextmanager
    async def speak(
        self, clauses: AsyncIterator[str], audio_format: AudioFormat, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        """Return a stream of a reply's audio.

        Where a socket is lost, mute or refused, the rest is spoken over HTTP, from the first word
        that had not begun.

        Raises:
            ProviderError: HTTP failed as well.
        """
        text = Text(clauses)
        self._owner.tasks.start_soon(text.read)
        try:
            async with aclosing(self._chunks(text, audio_format, on_line)) as chunks:
                yield chunks
        finally:
            await text.stop()

    async def aclose(self) -> None:
        """Close the call's socket."""
        for call in self._calls.values():
            call.release()
        self._calls.clear()

    def _call(self, audio_format: AudioFormat) -> CallLine:
        if audio_format not in self._calls:
            sockets = partial(self._owner.sockets, audio_format)
            call = CallLine(sockets, self._owner.settings, self._owner.clock)
            self._calls[audio_format] = call
            self._owner.tasks.start_soon(call.run)
        return self._calls[audio_format]

    async def _chunks(
        self, text: Text, audio_format: AudioFormat, on_line: OnLine | None
    ) -> AsyncGenerator[SpeechChunk, None]:
        speech = AlignedSpeech(audio_format)
        await text.first()
        try:
            over_socket = SocketSpeech(text, speech, self._owner.settings)
            async with (
                self._feed(over_socket, audio_format, on_line) as feed,
                aclosing(over_socket.chunks(feed)) as chunks,
            ):
                async for chunk in chunks:
                    yield chunk  # noqa: ASYNC119 - speak() closes this
            return
        except ProviderError as problem:
            self._owner.problem = problem
            _log.warning("voice.fallback", extra=loggable(problem))
        async with aclosing(self._rest(text, speech, audio_format, on_line)) as chunks:
            async for chunk in chunks:
                yield chunk  # noqa: ASYNC119 - speak() closes this

    @asynccontextmanager
    async def _feed(
        self, events: FeedEvents, audio_format: AudioFormat, on_line: OnLine | None
    ) -> AsyncIterator[Feed]:
        async with AsyncExitStack() as held:
            feed: Feed
            if self._owner.use_persistent_tts:
                call = self._call(audio_format)
                feed = await call.begin(events, wait_s=_LINE_S, on_line=on_line)
            else:
                sockets = await self._owner.sockets(audio_format)
                leasing = sockets.lease(deadline_s=_LINE_S, on_line=on_line)
                try:
                    feed = UtteranceFeed(
                        await held.enter_async_context(leasing), self._owner.settings, events
                    )
                except PoolError as error:
                    raise pool_failure(error, what="speaking", phase="connect") from error
            try:
                yield feed
            except ProviderError:
                feed.distrust()
                raise
            finally:
                feed.stop()

    async def _rest(
        self, text: Text, speech: AlignedSpeech, audio_format: AudioFormat, on_line: OnLine | None
    ) -> AsyncGenerator[SpeechChunk, None]:
        """Speak what the socket did not, and then each clause as it comes."""
        said_to, said_ms = speech.unspoken()
        while (piece := await text.after(said_to)) is not None:
            size_bytes = 0
            speaking: AbstractAsyncContextManager[AsyncIterator[SpeechChunk]]
            speaking = self._owner.rest.synthesise(piece, audio_format, on_line)
            async with speaking as chunks:
                async for chunk in chunks:
                    size_bytes += len(chunk.audio)
                    words = tuple(
                        replace(
                            word,
                            text_start=word.text_start + said_to,
                            text_end=word.text_end + said_to,
                            start_ms=word.start_ms + said_ms,
                        )
                        for word in chunk.words
                    )
                    yield SpeechChunk(chunk.audio, words)  # noqa: ASYNC119 - speak() closes this
            said_to += len(piece)
            said_ms += round(audio_format.duration_s(size_bytes) * 1000)

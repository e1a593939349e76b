"""Speech without a key or a network: espeak-ng in one child process for all sessions."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.abc
import msgspec

from warmline.core.formats import AudioFormat
from warmline.core.loggable import loggable
from warmline.errors import ConfigError, ProviderError, ProviderRejected, ProviderUnavailable
from warmline.interfaces.clause_voice import ClauseVoice
from warmline.interfaces.tts import SpeechChunk, SpokenWord
from warmline.providers.offline.child_process import ChildProcess
from warmline.providers.offline.pipes import Frame
from warmline.providers.offline.voice_messages import (
    Command,
    Report,
    SpeakRequest,
    decode_spoken,
    encode_request,
)

__all__ = ["OfflineVoice"]

_log = logging.getLogger(__name__)

_PROVIDER: Final = "offline"
_MODULE: Final = "warmline.providers.offline.voice_process"
_LOAD_DEADLINE_S: Final = 20.0
_CHUNK_DEADLINE_S: Final = 10.0
"""For the next chunk of a text, which takes milliseconds, or for a voice that is being restarted."""

_RETRY_S: Final = (0.0, 0.5, 2.0, 10.0)
"""Pauses before the process is started again, by how often that was done since it last made a sound."""


class _SpeechStream:
    """What one `synthesise` has received and not given out.

    What changes here: the chunks and the end, in the voice's callbacks; bounded, because the child
    makes a piece only when one was used up.
    """

    def __init__(self, number: int, child: ChildProcess) -> None:
        self.number = number
        self._child = child
        self._received: deque[SpeechChunk | None] = deque()
        self._is_done = False
        self._problem: ProviderError | None = None
        self._has_sounded = False
        self._changed = anyio.Event()

    def __aiter__(self) -> AsyncIterator[SpeechChunk]:
        return self

    async def __anext__(self) -> SpeechChunk:
        while True:
            while self._received:
                chunk = self._received.popleft()
                if chunk is not None:
                    self._has_sounded = True
                    return chunk
                self._child.send(Command.MORE, self.number)
            if self._problem is not None:
                raise self._problem
            if self._is_done:
                raise StopAsyncIteration
            self._changed = anyio.Event()
            with anyio.move_on_after(_CHUNK_DEADLINE_S) as waiting:
                await self._changed.wait()
            if waiting.cancelled_caught:
                raise self.unavailable(f"no audio came within {_CHUNK_DEADLINE_S:.0f} s")

    def take(self, frame: Frame) -> None:
        """Take a report about this request."""
        if frame.kind == Report.AUDIO:
            spoken = decode_spoken(frame.payload)
            words = tuple(SpokenWord(*word) for word in spoken.words)
            self._received.append(SpeechChunk(spoken.audio, words))
        elif frame.kind == Report.PIECE_DONE:
            self._received.append(None)
        elif frame.kind == Report.DONE:
            self._is_done = True
        else:
            why = frame.payload.decode(errors="replace")
            self._problem = ProviderRejected(
                f"speaking offline: {why}", provider=_PROVIDER, phase=self._phase
            )
        self._changed.set()

    def fail(self, what: str) -> None:
        """End with an error, after what was received."""
        self._problem = self.unavailable(what)
        self._changed.set()

    def unavailable(self, what: str) -> ProviderUnavailable:
        """Return the error for a voice that failed at this point of the request."""
        return ProviderUnavailable(f"speaking offline: {what}", provider=_PROVIDER, phase=self._phase)

    @property
    def _phase(self) -> str:
        return "stream" if self._has_sounded else "first_result"


class OfflineVoice:
    """A `TextToSpeech` whose process is started again whenever it ends.

    Use as an async context manager, entered and left by the same task.

    What changes here: the process and the requests it is working on.
    """

    def __init__(self, *, voice: str = "en-us", rate_wpm: int = 165, pitch: int = 50) -> None:
        """Prepare; nothing is started.

        Args:
            voice: A name that espeak-ng knows, with a variant or not: `en-us`, `en-gb+f3`.
            rate_wpm: Speed in words a minute, 80 to 450; people speak at 150 to 180.
            pitch: 0 to 99; 50 is espeak's own middle.

        Raises:
            ConfigError: a figure is out of its range.
        """
        if not 80 <= rate_wpm <= 450 or not 0 <= pitch <= 99:
            raise ConfigError(
                f"setting the offline voice: rate {rate_wpm} is not within 80..450, "
                f"or pitch {pitch} not within 0..99"
            )
        self._arguments = ["--voice", voice, "--rate-wpm", str(rate_wpm), "--pitch", str(pitch)]
        self._child: ChildProcess | None = None
        self._streams: dict[int, _SpeechStream] = {}
        self._numbers = itertools.count(1)
        self._ready = anyio.Event()
        self._settled = anyio.Event()
        self._gone = anyio.Event()
        self._starts = 0
        self._refusal: str | None = None
        self._end = ""
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Start the process and wait until it can speak.

        Raises:
            ConfigError: espeak-ng or the voice is missing.
            ProviderUnavailable: the process could not be started.
        """
        await self._start()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._keep_running)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill the process; requests in progress fail."""
        try:
            if self._tasks is not None:
                self._tasks.cancel_scope.cancel()
                await self._tasks.__aexit__(None, None, None)
        finally:
            await self._stop()

    @property
    def process_id(self) -> int | None:
        """The process that speaks, or None while it is being started."""
        return None if self._child is None else self._child.pid

    def open(self, audio_format: AudioFormat | None = None) -> ClauseVoice:
        """Return a session's voice; all of them share the process, whatever the format."""
        del audio_format
        return ClauseVoice(self)

    @asynccontextmanager
    async def synthesise(
        self, text: str, audio_format: AudioFormat
    ) -> AsyncGenerator[AsyncIterator[SpeechChunk], None]:
        """Return a stream of the text's audio; nothing comes of a text without a word.

        The first chunk comes after a millisecond or two, however long the text. About 40 s of audio
        are made ahead of what was taken.

        Raises:
            ProviderUnavailable: the voice's process is not running, ended, or stalls.
            ProviderRejected: it cannot make this audio.
        """
        child = await self._running()
        stream = _SpeechStream(next(self._numbers), child)
        self._streams[stream.number] = stream
        text = text.encode("utf-8", "replace").decode("utf-8")
        request = SpeakRequest(text, audio_format.encoding.value, audio_format.rate_hz)
        child.send(Command.SPEAK, stream.number, encode_request(request))
        try:
            yield stream
        finally:
            del self._streams[stream.number]
            child.send(Command.CANCEL, stream.number)

    async def _running(self) -> ChildProcess:
        with anyio.move_on_after(_CHUNK_DEADLINE_S):
            await self._ready.wait()
        if self._child is None or not self._ready.is_set():
            raise ProviderUnavailable(
                f"speaking offline: the voice is not running; {self._end}",
                provider=_PROVIDER,
                phase="connect",
            )
        return self._child

    async def _start(self) -> None:
        self._settled = anyio.Event()
        self._gone = anyio.Event()
        try:
            self._child = await ChildProcess.start(_MODULE, self._arguments, self._on_frame, self._on_exit)
            with anyio.move_on_after(_LOAD_DEADLINE_S):
                await self._settled.wait()
            if self._ready.is_set():
                return
            self._end = self._end or f"its process did not load within {_LOAD_DEADLINE_S:.0f} s"
        except OSError as problem:
            self._end = f"its process could not be started: {problem}"
        except BaseException:
            await self._stop()
            raise
        await self._stop()
        if self._refusal is not None:
            raise ConfigError(self._refusal)
        raise ProviderUnavailable(f"speaking offline: {self._end}", provider=_PROVIDER, phase="connect")

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.aclose()

    async def _keep_running(self) -> None:
        """Start the process again whenever it ends, until cancelled."""
        while True:
            await self._gone.wait()
            await anyio.sleep(_RETRY_S[min(self._starts, len(_RETRY_S) - 1)])
            self._starts += 1
            try:
                await self._start()
            except (ConfigError, ProviderUnavailable) as problem:
                _log.warning("voice.start_failed", extra=loggable(problem))
                self._gone.set()

    def _on_frame(self, frame: Frame) -> None:
        if frame.kind == Report.READY:
            self._end = ""
            self._ready.set()
            self._settled.set()
        elif frame.number == 0:
            self._refusal = frame.payload.decode(errors="replace")
        elif (stream := self._streams.get(frame.number)) is not None:
            try:
                stream.take(frame)
                self._starts = 0
            except msgspec.DecodeError as problem:
                stream.fail(f"its process sent what is no audio: {problem}")

    def _on_exit(self, how: str) -> None:
        self._end = how
        if self._ready.is_set():
            self._ready = anyio.Event()
        self._settled.set()
        for stream in self._streams.values():
            stream.fail(f"its process ended in the middle: {how}")
        self._child = None
        self._gone.set()

"""Deepgram as a recogniser of streams."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio
import anyio.abc

from warmline.core.clock import Clock
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.line_use import OnLine
from warmline.interfaces.stt import OnSttFailure, OnTranscript, OnTurnHint
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.deepgram.flux import FluxStream
from warmline.providers.deepgram.nova import NovaStream
from warmline.providers.deepgram.stream import DeepgramStream

__all__ = ["DeepgramRecogniser", "MakeSockets"]

MakeSockets = Callable[[AudioFormat], SocketEndpoint]
"""Returns sockets that are asked for a format, not opened yet."""


class DeepgramRecogniser:
    """A `SpeechToText`. Use as an async context manager, entered and left by the same task.

    What changes here: the sockets by format, in `open`.
    """

    def __init__(
        self,
        make_sockets: MakeSockets,
        clock: Clock,
        *,
        is_flux: bool = False,
        ends_turns: bool = False,
        ready_formats: tuple[AudioFormat, ...] = (PCM_16K,),
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            make_sockets: Makes the pool for a format when it is first asked for.
            clock: The process's.
            is_flux: Whether the sockets lead to Flux; else to Nova.
            ends_turns: Whether an utterance is over when Flux says that the turn is; Nova never says.
            ready_formats: What pools are run for from the start.
        """
        self._make_sockets = make_sockets
        self._clock = clock
        self._kind: type[DeepgramStream] = FluxStream if is_flux else NovaStream
        self._ends_turns = ends_turns and is_flux
        self._ready_formats = ready_formats
        self._sockets: dict[AudioFormat, SocketEndpoint] = {}
        self._running: dict[AudioFormat, anyio.Event] = {}
        self._held = AsyncExitStack()
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Begin to open sockets, if any are to stand ready."""
        self._tasks = await self._held.enter_async_context(anyio.create_task_group())
        for audio_format in self._ready_formats:
            await self._endpoint(audio_format)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every socket."""
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
        await self._held.__aexit__(None, None, None)

    async def open(
        self,
        on_transcript: OnTranscript,
        on_failure: OnSttFailure,
        on_line: OnLine | None = None,
        audio_format: AudioFormat = PCM_16K,
        *,
        on_hint: OnTurnHint | None = None,
    ) -> DeepgramStream:
        """Return a stream for one session; its audio reaches Deepgram as it is pushed, G.711 too.

        Raises:
            ProviderError: no socket could be had.
        """
        assert self._tasks is not None, "enter it first"
        endpoint = await self._endpoint(audio_format)
        stream = self._kind(
            endpoint,
            audio_format,
            on_transcript,
            on_failure,
            self._clock,
            on_line,
            on_hint,
            ends_turns=self._ends_turns,
        )
        self._tasks.start_soon(stream.run)
        try:
            await stream.opened.wait()
        except BaseException:
            await stream.aclose()
            raise
        if stream.problem is not None:
            raise stream.problem
        return stream

    async def check_socket(self, on_line: OnLine | None = None) -> None:
        """Open a socket and close it again.

        Args:
            on_line: Told of it.

        Raises:
            ProviderError: none could be had.
        """
        stream = await self.open(lambda _: None, lambda _: None, on_line=on_line)
        await stream.aclose()

    async def _endpoint(self, audio_format: AudioFormat) -> SocketEndpoint:
        assert self._tasks is not None, "enter it first"
        if audio_format not in self._sockets:
            self._sockets[audio_format] = self._make_sockets(audio_format)
            self._running[audio_format] = anyio.Event()
            self._tasks.start_soon(self._run_sockets, audio_format)
        await self._running[audio_format].wait()
        return self._sockets[audio_format]

    async def _run_sockets(self, audio_format: AudioFormat) -> None:
        async with self._sockets[audio_format]:
            self._running[audio_format].set()
            await anyio.sleep_forever()

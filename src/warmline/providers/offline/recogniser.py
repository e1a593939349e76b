"""Speech recognition without a key or a network: PocketSphinx in child processes."""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.abc

from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.line_use import OnLine
from warmline.core.loggable import loggable
from warmline.errors import ProviderUnavailable
from warmline.interfaces.stt import OnSttFailure, OnTranscript, OnTurnHint
from warmline.providers.offline.recogniser_line import PROVIDER, RecogniserLine, RecogniserProcess

__all__ = ["OfflineRecogniser"]

_log = logging.getLogger(__name__)

_OPEN_DEADLINE_S: Final = 30.0
"""For a line when no spare is ready; a process loads in about a second, on a busy machine in five."""

_RETRY_S: Final = (0.2, 1.0, 5.0, 30.0)
"""Pauses after processes that could not be started; the last one repeats."""


class _Waiter:
    """One caller of `open`; gets a process or a problem."""

    def __init__(self) -> None:
        self.served = anyio.Event()
        self.process: RecogniserProcess | None = None
        self.problem: ProviderUnavailable | None = None


class OfflineRecogniser:
    """A `SpeechToText` with one process for each open line, and spares that are loaded already.

    A process takes about 150 MB, and a tenth to a fifth of a core while its caller speaks. It
    serves one line after another until the recogniser is closed.

    Use as an async context manager, entered and left by the same task.

    What changes here: the processes and who has them, in the callbacks and in `open`.
    """

    def __init__(
        self,
        document_sentences: Iterable[str] = (),
        *,
        spare_processes: int = 1,
        max_processes: int = 8,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            document_sentences: What the user's documents say: words to be expected.
            spare_processes: How many are kept loaded for the next callers.
            max_processes: How many there may be, spares included.
        """
        if not 0 <= spare_processes <= max_processes or max_processes < 1:
            raise ValueError(f"{spare_processes} spare of at most {max_processes} processes")
        self._sentences = [" ".join(sentence.split()) for sentence in document_sentences]
        self._spare_processes = spare_processes
        self._max_processes = max_processes
        self._processes: set[RecogniserProcess] = set()
        self._idle: deque[RecogniserProcess] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._changed = anyio.Event()
        self._is_open = False
        self._tasks: anyio.abc.TaskGroup | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    async def __aenter__(self) -> Self:
        """Start the spares and wait until the first is loaded.

        Raises:
            ProviderUnavailable: no process can be started.
        """
        self._directory = await anyio.to_thread.run_sync(self._write_sentences)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._is_open = True
        self._tasks.start_soon(self._keep_spares)
        if self._spare_processes:
            try:
                self._give_back(await self._take())
            except BaseException:
                await self._shut_down()
                raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill every process; lines still open fail."""
        await self._shut_down()

    @property
    def process_ids(self) -> list[int]:
        """The processes that run now, loaded or not."""
        return [process.pid for process in self._processes if process.pid is not None]

    async def open(
        self,
        on_transcript: OnTranscript,
        on_failure: OnSttFailure,
        on_line: OnLine | None = None,
        audio_format: AudioFormat = PCM_16K,
        *,
        on_hint: OnTurnHint | None = None,
    ) -> RecogniserLine:
        """Return a line for one session, at once if a spare is ready; no connection, and no hints.

        The recogniser hears 16 kHz; audio of any other format is converted on its way.

        Raises:
            ProviderUnavailable: all processes are in use, or none could be started.
        """
        del on_line, on_hint
        process = await self._take()
        return RecogniserLine(process, on_transcript, on_failure, audio_format)

    async def _take(self) -> RecogniserProcess:
        if not self._is_open:
            raise ProviderUnavailable(
                "opening a line to the offline recogniser: it is not running",
                provider=PROVIDER,
                phase="connect",
            )
        if self._idle:
            process = self._idle.popleft()
            self._notify()
            return process
        in_use = sum(process.is_leased for process in self._processes)
        if in_use + len(self._waiters) >= self._max_processes:
            raise ProviderUnavailable(
                f"opening a line to the offline recogniser: all {self._max_processes} processes are in use; "
                "try later, or raise its max_processes",
                provider=PROVIDER,
                phase="connect",
            )
        waiter = _Waiter()
        self._waiters.append(waiter)
        self._notify()
        try:
            with anyio.move_on_after(_OPEN_DEADLINE_S):
                await waiter.served.wait()
        except BaseException:
            if waiter.process is not None:
                self._give_back(waiter.process)
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        if waiter.process is not None:
            return waiter.process
        raise waiter.problem or ProviderUnavailable(
            f"opening a line to the offline recogniser: no process was ready within {_OPEN_DEADLINE_S:.0f} s",
            provider=PROVIDER,
            phase="connect",
        )

    def _give_back(self, process: RecogniserProcess) -> None:
        """Take a process that is loaded and belongs to nobody."""
        process.is_leased = False
        if process.is_gone:
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.served.is_set():
                process.is_leased = True
                waiter.process = process
                waiter.served.set()
                return
        self._idle.append(process)

    def _remove(self, process: RecogniserProcess) -> None:
        """Forget a process that is gone, and have a spare started in its place."""
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _keep_spares(self) -> None:
        """Start processes, one at a time, whenever fewer are free than should be."""
        failures = 0
        while True:
            changed = self._changed
            free = sum(not process.is_leased for process in self._processes)
            wanted = self._spare_processes + len(self._waiters)
            if free >= wanted or len(self._processes) >= self._max_processes:
                await changed.wait()
                continue
            process = RecogniserProcess(on_idle=self._give_back, on_gone=self._remove)
            self._processes.add(process)
            try:
                await process.start(self._sentences_path)
                failures = 0
            except ProviderUnavailable as problem:
                self._processes.discard(process)
                _log.warning("recogniser.start_failed", extra=loggable(problem))
                # One that was killed says nothing of the next; two in a row mean that none will start.
                if failures:
                    self._refuse_waiters(problem)
                await anyio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1

    def _refuse_waiters(self, problem: ProviderUnavailable) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            waiter.problem = problem
            waiter.served.set()

    async def _shut_down(self) -> None:
        self._is_open = False
        closing = ProviderUnavailable(
            "opening a line to the offline recogniser: it is closing", provider=PROVIDER, phase="connect"
        )
        self._refuse_waiters(closing)
        try:
            if self._tasks is not None:
                self._tasks.cancel_scope.cancel()
                await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                for process in list(self._processes):
                    await process.aclose()
                if self._directory is not None:
                    await anyio.to_thread.run_sync(self._directory.cleanup)
            self._idle.clear()

    @property
    def _sentences_path(self) -> Path | None:
        if not self._sentences or self._directory is None:
            return None
        return Path(self._directory.name) / "sentences.txt"

    def _write_sentences(self) -> tempfile.TemporaryDirectory[str]:
        directory = tempfile.TemporaryDirectory(prefix="warmline-")
        if self._sentences:
            text = "\n".join(self._sentences)
            (Path(directory.name) / "sentences.txt").write_text(text, encoding="utf-8", errors="replace")
        return directory

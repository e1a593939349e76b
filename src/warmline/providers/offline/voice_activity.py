"""Voice activity for every session of the process, with one model and one thread."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

import anyio.to_thread
import numpy as np

from warmline.audio.conversion import pcm16_decoder
from warmline.audio.silero import SileroModel, SileroState, slice_samples
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.errors import ProviderUnavailable
from warmline.interfaces.vad import OnProbability

__all__ = ["OfflineVoiceActivity", "VoiceActivityLine", "VoiceActivityStatistics"]

_log = logging.getLogger(__name__)

MAX_BATCH: Final = 32
"""Slices taken at a time: 1.5 ms. A larger batch costs the same for each slice (46 us) and makes all wait."""

_GATHER_S: Final = 0.004
"""How long slices are let gather where several streams speak at once: one alone costs 98 us, one of sixteen
33, and each batch wakes the event loop. A single stream's slices, 32 ms apart, never wait."""

MAX_WAITING_SLICES: Final = 1875
"""A minute of one stream, so that a client may send a recording at once. A detector that is so far behind
is as good as dead, and says so."""


class VoiceActivityStatistics(NamedTuple):
    """What was done since the start."""

    slices: int
    batches: int
    largest_batch: int


class VoiceActivityLine:
    """A `VoiceActivityStream`; made by `OfflineVoiceActivity.open`.

    What changes here: the bytes and slices that wait, in `push`; all else on the event loop, in
    the detector's hands.
    """

    __slots__ = (
        "_detector",
        "_unsliced",
        "audio_format",
        "is_closed",
        "is_submitted",
        "on_probability",
        "samples",
        "slice_bytes",
        "slice_samples",
        "state",
        "waiting",
    )

    def __init__(
        self, detector: OfflineVoiceActivity, on_probability: OnProbability, audio_format: AudioFormat
    ) -> None:
        self._detector = detector
        self._unsliced = bytearray()
        self.on_probability = on_probability
        self.audio_format = audio_format
        self.state = SileroState(audio_format.rate_hz)
        self.slice_samples = slice_samples(audio_format.rate_hz)
        self.slice_bytes = audio_format.encoding.sample_bytes * self.slice_samples
        self.waiting: deque[bytes] = deque()
        self.is_submitted = False
        """Whether one of its slices is with the model; the next must see the state that one leaves."""

        self.is_closed = False
        self.samples = 0

    def push(self, audio: bytes) -> None:
        """Hand over whole samples in the stream's format, of any length; never blocks.

        Raises:
            ProviderUnavailable: the detector failed, or is a minute behind.
        """
        unsliced, size = self._unsliced, self.slice_bytes
        unsliced += audio
        if len(unsliced) < size or self.is_closed:
            return
        end = 0
        while len(unsliced) - end >= size:
            self.waiting.append(bytes(unsliced[end : end + size]))
            end += size
        del unsliced[:end]
        self._detector.submit(self)

    def close(self) -> None:
        """Forget the stream; a slice that is with the model is dropped when it comes back."""
        self.is_closed = True
        self.waiting.clear()


class OfflineVoiceActivity:
    """A `VoiceActivityDetector` that runs Silero on whatever slices wait, in one batch for each format.

    The model runs in its own thread, which leaves Python's lock meanwhile; results come back to
    the event loop together, one call for each batch. Use as an async context manager.

    What changes here: the streams' turns, on the event loop; the counts, in the thread.
    """

    def __init__(self, model: SileroModel | None = None) -> None:
        """Load the model, unless one is handed in.

        Raises:
            ConfigError: the model's file is missing.
        """
        self._model = SileroModel() if model is None else model
        self._submitted: queue.SimpleQueue[tuple[VoiceActivityLine, bytes] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._problem: str | None = None
        self._statistics = VoiceActivityStatistics(0, 0, 0)

    async def __aenter__(self) -> Self:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="voice-activity", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the thread; slices that wait are dropped."""
        self._problem = self._problem or "it is closed"
        thread, self._thread = self._thread, None
        self._submitted.put(None)
        if thread is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(thread.join)

    def open(self, on_probability: OnProbability, audio_format: AudioFormat = PCM_16K) -> VoiceActivityLine:
        """Return a new stream; nothing runs for it until it is pushed to.

        Args:
            on_probability: Told of each slice of 32 ms.
            audio_format: What it will be given: pcm16 at 8 or 16 kHz, or G.711.

        Raises:
            ProviderUnavailable: the detector is not running.
        """
        if self._thread is None:
            raise self._unavailable(self._problem or "it was not started")
        return VoiceActivityLine(self, on_probability, audio_format)

    def statistics(self) -> VoiceActivityStatistics:
        """Return the counts; they are moved on together."""
        return self._statistics

    def submit(self, line: VoiceActivityLine) -> None:
        """Give the line's next slice to the model, unless one is there already.

        Raises:
            ProviderUnavailable: the detector failed, or is a minute behind.
        """
        if self._problem is not None:
            raise self._unavailable(self._problem)
        if len(line.waiting) > MAX_WAITING_SLICES:
            line.samples += line.slice_samples * len(line.waiting)
            line.waiting.clear()
            raise self._unavailable("it is a minute behind; the machine is overloaded")
        if not line.is_submitted:
            line.is_submitted = True
            self._submitted.put((line, line.waiting.popleft()))

    def _run(self) -> None:
        """Run batches until told to stop; in the detector's own thread."""
        assert self._loop is not None
        try:
            while taken := self._next_batch():
                is_busy = len(taken) > 1 or not self._submitted.empty()
                for audio_format in dict.fromkeys(line.audio_format for line, _ in taken):
                    batch = [each for each in taken if each[0].audio_format == audio_format]
                    self._infer(batch, pcm16_decoder(audio_format.encoding))
                if is_busy and self._submitted.qsize() < MAX_BATCH:
                    time.sleep(_GATHER_S)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the sessions must be told
            self._problem = f"its thread failed: {problem}"
            _log.exception("voice_activity.failed")

    def _infer(
        self, batch: list[tuple[VoiceActivityLine, bytes]], decode: Callable[[bytes], bytes] | None
    ) -> None:
        """Judge slices of one format; in the detector's own thread."""
        assert self._loop is not None
        lines = [line for line, _ in batch]
        audio = b"".join(piece for _, piece in batch)
        slices = np.frombuffer(audio if decode is None else decode(audio), np.int16)
        states = [line.state for line in lines]
        probabilities = self._model.infer(slices.reshape(len(batch), -1), states).tolist()
        done, batches, largest = self._statistics
        self._statistics = VoiceActivityStatistics(done + len(batch), batches + 1, max(largest, len(batch)))
        self._loop.call_soon_threadsafe(self._deliver, lines, probabilities)

    def _next_batch(self) -> list[tuple[VoiceActivityLine, bytes]]:
        """Wait for a slice and return it with those that wait behind it; nothing to stop."""
        batch: list[tuple[VoiceActivityLine, bytes]] = []
        try:
            while len(batch) < MAX_BATCH:
                submitted = self._submitted.get(block=not batch)
                if submitted is None:
                    return []
                batch.append(submitted)
        except queue.Empty:
            pass
        return batch

    def _deliver(self, lines: list[VoiceActivityLine], probabilities: list[float]) -> None:
        """Hand out the results of a batch and submit the lines' next slices; on the event loop."""
        for line, probability in zip(lines, probabilities, strict=True):
            line.is_submitted = False
            if line.is_closed:
                continue
            line.samples += line.slice_samples
            if line.waiting and self._problem is None:
                self.submit(line)
            try:
                line.on_probability(probability, line.samples)
            except Exception as problem:  # noqa: BLE001 - one session's mistake must not deafen the others
                self._report(problem)

    def _report(self, problem: Exception) -> None:
        assert self._loop is not None
        self._loop.call_exception_handler({
            "message": "a session failed on a probability of speech",
            "exception": problem,
        })

    def _unavailable(self, what: str) -> ProviderUnavailable:
        return ProviderUnavailable(f"detecting speech: {what}", provider="offline", phase="stream")

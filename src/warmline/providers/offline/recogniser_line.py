"""One session's line to the recogniser, and the process behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import msgspec

from warmline.audio.conversion import Pcm16kDecoder
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.errors import ProviderUnavailable
from warmline.interfaces.stt import OnSttFailure, OnTranscript, Transcript
from warmline.providers.offline.child_process import ChildProcess
from warmline.providers.offline.pipes import Frame
from warmline.providers.offline.recogniser_messages import Command, Report, decode_heard

__all__ = ["PROVIDER", "RecogniserLine", "RecogniserProcess"]

PROVIDER: Final = "offline"

PRE_ROLL_BYTES: Final = PCM_16K.size_bytes(0.5)
"""What is kept from before an utterance is begun: speech is detected 100 to 200 ms after its onset."""

RESUMED_BYTES: Final = PCM_16K.size_bytes(0.15)
"""How far the pre-roll may reach back into the utterance before. Silence of 200 ms or more ended that
one, so this holds no word of it, but it may hold the first sound of the word that resumed it."""

_MODULE: Final = "warmline.providers.offline.recogniser_process"
_LOAD_DEADLINE_S: Final = 30.0
_ANSWER_DEADLINE_S: Final = 15.0
"""For a final or a reset. They take some 20 ms; a process that fell behind may need seconds."""

_NARROW_HZ: Final = 8_000
"""At this rate there is nothing above 4 kHz, and no need to find that out."""

_BEHIND_BYTES: Final = PCM_16K.size_bytes(60.0)
"""Audio that may wait for the process; more means that it will not catch up, and the line fails."""


class RecogniserProcess:
    """A child process with its decoders, leased to one line at a time.

    What changes here: the child, the line, and the deadline of the answer that is due.
    """

    def __init__(
        self,
        on_idle: Callable[[RecogniserProcess], None],
        on_gone: Callable[[RecogniserProcess], None],
    ) -> None:
        self.is_leased = False
        """Whether a line has it, or is about to; kept by the recogniser, `lease` and `release`."""

        self._on_idle = on_idle
        self._on_gone = on_gone
        self._line: RecogniserLine | None = None
        self._child: ChildProcess | None = None
        self._loaded = anyio.Event()
        self._end: str | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, or None while there is none."""
        return None if self._child is None else self._child.pid

    @property
    def is_gone(self) -> bool:
        """Whether the child has ended."""
        return self._end is not None

    async def start(self, sentences_path: Path | None) -> None:
        """Start the child and wait until it has loaded; it is handed out by `on_idle`.

        Raises:
            ProviderUnavailable: it ended, or did not load in time.
        """
        arguments = [] if sentences_path is None else ["--sentences", str(sentences_path)]
        try:
            self._child = await ChildProcess.start(_MODULE, arguments, self._on_frame, self._on_exit)
        except OSError as problem:
            raise self._unavailable(f"its process could not be started: {problem}", "connect") from problem
        with anyio.move_on_after(_LOAD_DEADLINE_S):
            await self._loaded.wait()
        if self._end is not None or not self._loaded.is_set():
            end = self._end or f"it did not load within {_LOAD_DEADLINE_S:.0f} s"
            await self.aclose()
            raise self._unavailable(end, "connect")

    def lease(self, line: RecogniserLine) -> None:
        """Belong to `line`, whose callbacks are called from now on."""
        self.is_leased = True
        self._line = line
        if self._end is not None:
            self._fail(self._end)

    def release(self) -> None:
        """Belong to nobody, and be handed out again once the speaker is forgotten."""
        self._line = None
        self.is_leased = False
        self._disarm()
        if self._end is None:
            self.send(Command.RESET)
            self.expect_answer()

    def send(self, command: Command, utterance: int = 0, payload: bytes = b"") -> None:
        """Tell the child; fails the line if it has fallen too far behind."""
        if self._child is None:
            return
        if self._child.unsent_bytes > _BEHIND_BYTES:
            self._fail("it is a minute behind the speaker; the machine is overloaded")
            self._child.kill()
            return
        self._child.send(command, utterance, payload)

    def expect_answer(self) -> None:
        """Kill the child if it does not answer in time; every frame from it renews the time."""
        self._disarm()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(_ANSWER_DEADLINE_S, self._miss_deadline)

    async def aclose(self) -> None:
        """Kill the child and wait until it is gone."""
        self._disarm()
        if self._child is not None:
            await self._child.aclose()

    def _on_frame(self, frame: Frame) -> None:
        self._disarm()
        if frame.kind == Report.READY:
            self._loaded.set()
            self._on_idle(self)
        elif self._line is not None:
            try:
                heard = decode_heard(frame.payload)
            except msgspec.DecodeError as problem:
                self._fail(f"it sent what is no transcript: {problem}")
                self._kill()
                return
            is_final = frame.kind == Report.FINAL
            self._line.on_heard(Transcript(frame.number, heard.text, is_final, heard.alternatives))

    def _on_exit(self, how: str) -> None:
        self._disarm()
        self._end = how
        self._loaded.set()
        self._fail(how)
        self._on_gone(self)

    def _miss_deadline(self) -> None:
        self._deadline = None
        self._fail(f"it did not answer within {_ANSWER_DEADLINE_S:.0f} s")
        self._kill()

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _fail(self, what: str) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.on_failed(self._unavailable(what, "stream"))

    def _unavailable(self, what: str, phase: str) -> ProviderUnavailable:
        return ProviderUnavailable(f"recognising speech offline: {what}", provider=PROVIDER, phase=phase)


class RecogniserLine:
    """An `SttStream`; made by `OfflineRecogniser.open`.

    What changes here: the pre-roll, the utterance in progress and the finals that are due.
    """

    ends_turns: Final = False
    """It hears words, and does not judge whether more will come."""

    def __init__(
        self,
        process: RecogniserProcess,
        on_transcript: OnTranscript,
        on_failure: OnSttFailure,
        audio_format: AudioFormat = PCM_16K,
    ) -> None:
        self._process: RecogniserProcess | None = process
        self._decoder = Pcm16kDecoder(audio_format)
        self._on_transcript = on_transcript
        self._on_failure = on_failure
        self._utterance: int | None = None
        self._discarded: int | None = None
        self._finals_due = 0
        self._is_closed = False
        self._pre_roll: deque[bytes] = deque()
        self._pre_roll_bytes = 0
        process.lease(self)
        if audio_format.rate_hz <= _NARROW_HZ:
            process.send(Command.NARROWBAND)

    def push(self, audio: bytes) -> None:
        """Hand over whole samples, in order; 16 kHz pcm16 is kept or passed on without a copy."""
        pcm = self._decoder.convert(audio)
        if not pcm:
            return
        if self._utterance is not None and self._process is not None:
            self._process.send(Command.AUDIO, self._utterance, pcm)
        self._pre_roll.append(pcm)
        self._pre_roll_bytes += len(pcm)
        while self._pre_roll_bytes - len(self._pre_roll[0]) >= PRE_ROLL_BYTES:
            self._pre_roll_bytes -= len(self._pre_roll.popleft())

    def begin_utterance(self, utterance: int) -> None:
        """Begin recognition with the pre-roll; an utterance in progress is finished first."""
        self.finish_utterance()
        if self._process is None:
            return
        self._utterance = utterance
        pre_roll = b"".join(self._pre_roll)[-PRE_ROLL_BYTES:]
        self._process.send(Command.BEGIN, utterance)
        self._process.send(Command.AUDIO, utterance, pre_roll)

    def finish_utterance(self) -> None:
        """Ask for the final; does nothing if no utterance is in progress."""
        if self._utterance is None or self._process is None:
            return
        self._finals_due += 1
        self._process.send(Command.FINISH, self._utterance)
        self._process.expect_answer()
        self._utterance = None
        recent = b"".join(self._pre_roll)[-RESUMED_BYTES:]
        self._pre_roll.clear()
        self._pre_roll.append(recent)
        self._pre_roll_bytes = len(recent)

    def discard_utterance(self) -> None:
        """Drop the utterance in progress; its audio may become the next one's pre-roll."""
        if self._utterance is not None and self._process is not None:
            self._process.send(Command.DISCARD, self._utterance)
            self._discarded = self._utterance
        self._utterance = None

    async def aclose(self) -> None:
        """Give the process back; it is used again when it has forgotten this speaker."""
        self._is_closed = True
        process, self._process = self._process, None
        self._utterance = None
        if process is not None:
            process.release()

    def on_heard(self, transcript: Transcript) -> None:
        """Take a transcript from the process."""
        if transcript.is_final:
            self._finals_due -= 1
        if self._finals_due and self._process is not None:
            self._process.expect_answer()
        # A partial may have been on its way when its utterance was discarded.
        if transcript.utterance != self._discarded:
            self._on_transcript(transcript)

    def on_failed(self, problem: ProviderUnavailable) -> None:
        """Take the process's end: the caller is told on the next turn of the loop."""
        self._process = None
        self._utterance = None
        asyncio.get_running_loop().call_soon(self._tell_failure, problem)

    def _tell_failure(self, problem: ProviderUnavailable) -> None:
        if not self._is_closed:
            self._on_failure(problem)

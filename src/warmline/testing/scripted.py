"""Far ends in the same loop that do what a script says: for whole conversations on the jumping clock."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import anyio

from warmline.audio.conversion import pcm16_decoder
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.line_use import LineUse, OnLine
from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.interfaces.clause_voice import ClauseVoice
from warmline.interfaces.llm import CallProgress, LlmPiece, LlmRequest, ToolCall
from warmline.interfaces.retriever import Passage, Query
from warmline.interfaces.stt import (
    OnSttFailure,
    OnTranscript,
    OnTurnHint,
    Transcript,
    TurnHint,
    TurnHintKind,
)
from warmline.interfaces.tts import SpeechChunk, SpokenWord
from warmline.interfaces.vad import OnProbability

__all__ = [
    "ScriptedDetector",
    "ScriptedFault",
    "ScriptedModel",
    "ScriptedRecogniser",
    "ScriptedRetriever",
    "ScriptedVoice",
    "Utterance",
]

_SLICE_MS: Final = 32
_PCMA_SILENCE: Final = b"\x08\x00"
"""A-law has no zero; what it is silent with is this sample."""

_WORD_S: Final = 0.3
"""How long every word is, heard or spoken."""


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """What goes wrong at a far end, and with which of its requests."""

    kind: Literal["mute", "stall", "cut", "unavailable", "refuse", "deaf"]
    """`mute`: nothing comes at all; `stall`: nothing more comes; `cut`: it breaks off; `unavailable` and
    `refuse`: it says so instead of anything; `deaf`, of a recogniser: it finds no word in anything."""

    after: int = 0
    """Pieces that come before a `stall` or a `cut`: words of a model or a recogniser, chunks of a voice."""

    times: float = 1
    """How many requests it meets; infinity for all of them."""

    skip: int = 0
    """Requests before those, which it does not meet."""

    for_s: float = math.inf
    """How long a `mute` or a `stall` lasts."""

    async def meet(self, pieces: int) -> None:
        """Go wrong if so many pieces have come and it is time for it."""
        if pieces != (self.after if self.kind in ("stall", "cut") else 0):
            return
        match self.kind:
            case "mute" | "stall":
                await anyio.sleep(self.for_s)
            case "cut":
                raise ProviderUnavailable("the stream was cut", provider="scripted", phase="stream")
            case "unavailable":
                raise ProviderUnavailable("it is overloaded", provider="scripted", phase="first_result")
            case "refuse":
                raise ProviderRejected("the key is wrong", provider="scripted", phase="first_result")


def _take(faults: list[ScriptedFault]) -> ScriptedFault | None:
    """Return the fault that meets a request; the oldest goes first."""
    for index, fault in enumerate(faults):
        if fault.skip:
            faults[index] = replace(fault, skip=fault.skip - 1)
            continue
        faults[index : index + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
        return fault
    return None


class ScriptedDetector:
    """Takes anything but a format's silence for speech; as exact as its slices of 32 ms are."""

    def open(
        self, on_probability: OnProbability, audio_format: AudioFormat = PCM_16K
    ) -> ScriptedDetectorStream:
        """Return a new stream, which answers within `push`."""
        return ScriptedDetectorStream(on_probability, audio_format)


class ScriptedDetectorStream:
    """One session's audio."""

    def __init__(self, on_probability: OnProbability, audio_format: AudioFormat = PCM_16K) -> None:
        self._on_probability = on_probability
        self._decode = pcm16_decoder(audio_format.encoding)
        samples = _SLICE_MS * audio_format.rate_hz // 1000
        self._slice_bytes = 2 * samples
        self._silent_slices = (bytes(2 * samples), _PCMA_SILENCE * samples)
        self._buffer = bytearray()
        self._end_sample = 0
        self._is_closed = False

    def push(self, audio: bytes) -> None:
        """Judge each slice that is complete."""
        self._buffer += audio if self._decode is None else self._decode(audio)
        size = self._slice_bytes
        while len(self._buffer) >= size and not self._is_closed:
            piece = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._end_sample += size // 2
            self._on_probability(0.02 if piece in self._silent_slices else 0.98, self._end_sample)

    def close(self) -> None:
        """Say nothing more."""
        self._is_closed = True


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the recogniser makes of one utterance."""

    text: str
    alternatives: tuple[str, ...] = ()
    final_after_s: float = 0.1
    """From the request for the final to the final; infinity for never."""

    fails: bool = False
    """The first line that hears it breaks in place of the final."""

    eager_end_after_s: float = float("inf")
    """Silence, in seconds of audio, after which it is hinted that the turn may be over; infinity for
    never. Where speech goes on after it, it is hinted that the turn resumed."""

    end_after_s: float = float("inf")
    """Silence after which it is hinted that the turn is over; the final comes with it where the
    recogniser `ends_turns`."""

    confidence: float | None = None
    """What both hints say of how sure they are."""


class ScriptedRecogniser:
    """Understands each utterance as the script says, a word for every 300 ms of its speech.

    An utterance that is sent again, on another line, is understood as the first time.

    Any sample but silence is speech. Hints are as exact as the audio's pieces, slices of 32 ms in a session.
    """

    def __init__(self, utterances: Sequence[Utterance | str] = (), *, ends_turns: bool = False) -> None:
        """Prepare.

        Args:
            utterances: What is understood, one after another; a text for the defaults.
            ends_turns: Whether an utterance is over when its script says that the turn is.
        """
        self.script = [Utterance(u) if isinstance(u, str) else u for u in utterances]
        self.ends_turns = ends_turns
        self.opened = 0
        self.closed = 0
        self.refusals = 0
        """How many times `open` refuses before it answers."""

        self.open_s = 0.0
        """How long opening a line takes."""

        self.open_faults: list[ScriptedFault] = []
        """Each `open` is a request."""

        self.faults: list[ScriptedFault] = []
        """Each utterance on each line is a request."""

        self.heard_bytes: dict[int, int] = {}
        """How much audio of each utterance came, on the line that had most of it."""

        self.begun: dict[int, Utterance] = {}
        self.streams: list[ScriptedRecogniserStream] = []
        """Every line that was opened."""

        self.line_use: LineUse | None = None
        """What is told of each line's connection; None for a recogniser without one."""

    async def open(
        self,
        on_transcript: OnTranscript,
        on_failure: OnSttFailure,
        on_line: OnLine | None = None,
        audio_format: AudioFormat = PCM_16K,
        *,
        on_hint: OnTurnHint | None = None,
    ) -> ScriptedRecogniserStream:
        """Return a line, or refuse."""
        if self.refusals:
            self.refusals -= 1
            raise ProviderUnavailable("no recogniser is free", provider="scripted", phase="connect")
        await anyio.sleep(self.open_s)
        if (fault := _take(self.open_faults)) is not None:
            await fault.meet(0)
        self.opened += 1
        if on_line is not None and self.line_use is not None:
            on_line(self.line_use)
        stream = ScriptedRecogniserStream(self, on_transcript, on_failure, on_hint, audio_format)
        self.streams.append(stream)
        return stream


class ScriptedRecogniserStream:
    """One session's line.

    What changes here: the utterance in progress, how much speech and silence of it were heard, and
    what was hinted since the last speech.
    """

    def __init__(
        self,
        provider: ScriptedRecogniser,
        on_transcript: OnTranscript,
        on_failure: OnSttFailure,
        on_hint: OnTurnHint | None = None,
        audio_format: AudioFormat = PCM_16K,
    ) -> None:
        self.ends_turns = provider.ends_turns and on_hint is not None
        self.audio_format = audio_format
        self._provider = provider
        self._on_transcript = on_transcript
        self._on_failure = on_failure
        self._on_hint = on_hint
        self._number = 0
        self._current: Utterance | None = None
        self._fault: ScriptedFault | None = None
        self._heard_bytes = self._speech_bytes = self._silence_bytes = 0
        self._text = ""
        self._hinted: set[TurnHintKind] = set()
        self._is_broken = False
        self._timers: list[asyncio.TimerHandle] = []

    def push(self, audio: bytes) -> None:
        """Understand another word now and then, and say what the script says of the silence."""
        spoken = self._current
        if spoken is None or self._is_broken:
            return
        self._heard_bytes += len(audio)
        most_bytes = max(self._provider.heard_bytes.get(self._number, 0), self._heard_bytes)
        self._provider.heard_bytes[self._number] = most_bytes
        if self.audio_format.is_silence(audio):
            self._silence_bytes += len(audio)
            self._be_silent(spoken, self.audio_format.duration_s(self._silence_bytes))
            return
        self._speech_bytes += len(audio)
        self._silence_bytes = 0
        words = spoken.text.split()
        known = min(self._speech_bytes // self.audio_format.size_bytes(_WORD_S), len(words))
        if self._fault is not None and known >= self._fault.after and self._fault.kind == "cut":
            self.drop()
            return
        text = " ".join(words[:known])
        if text != self._text and not self._is_silent(known):
            self._text = text
            self._on_transcript(Transcript(self._number, text, is_final=False))
        if self._hinted:
            self._hint(TurnHintKind.RESUMED, self._number, self._text)

    def _be_silent(self, spoken: Utterance, silence_s: float) -> None:
        if self._is_silent(len(spoken.text.split()) + 1):
            return
        if silence_s >= spoken.eager_end_after_s and not self._hinted:
            self._hint(TurnHintKind.EAGER_END, self._number, self._text, spoken.confidence)
        if silence_s >= spoken.end_after_s and TurnHintKind.END not in self._hinted:
            self._end(spoken)

    def begin_utterance(self, utterance: int) -> None:
        """Take the script's next utterance."""
        begun = self._provider.begun
        if utterance in begun:
            self._current = replace(begun[utterance], fails=False)
        else:
            self._current = self._provider.script.pop(0) if self._provider.script else Utterance("")
            begun[utterance] = self._current
        self._number = utterance
        self._fault = _take(self._provider.faults)
        self._heard_bytes = self._speech_bytes = self._silence_bytes = 0
        self._text = ""
        self._hinted.clear()

    def finish_utterance(self) -> None:
        """Answer when the script says."""
        spoken, self._current = self._current, None
        is_deaf = self._fault is not None and self._fault.kind == "deaf"
        if spoken is None or self._is_broken:
            return
        if not is_deaf and self._is_silent(len(spoken.text.split()) + 1):
            return
        if is_deaf:
            spoken = replace(spoken, text="", alternatives=())
        if spoken.final_after_s == math.inf:
            return
        final = Transcript(self._number, spoken.text, is_final=True, alternatives=spoken.alternatives)
        answer: Callable[[], None] = lambda: self._on_transcript(final)  # noqa: E731
        if spoken.fails or (self._fault is not None and self._fault.kind == "cut"):
            answer = self.drop
        self._timers.append(asyncio.get_running_loop().call_later(spoken.final_after_s, answer))

    def discard_utterance(self) -> None:
        """Drop it."""
        self._current = None

    def _end(self, spoken: Utterance) -> None:
        number, self._text = self._number, spoken.text
        if self.ends_turns:
            self._current = None
        self._on_transcript(
            Transcript(number, spoken.text, is_final=self.ends_turns, alternatives=spoken.alternatives)
        )
        self._hint(TurnHintKind.END, number, spoken.text, spoken.confidence)

    def _hint(self, kind: TurnHintKind, number: int, text: str, confidence: float | None = None) -> None:
        if kind is TurnHintKind.RESUMED:
            self._hinted.clear()
        elif number == self._number:
            self._hinted.add(kind)
        if self._on_hint is not None:
            self._on_hint(TurnHint(kind, number, text, confidence))

    async def aclose(self) -> None:
        """Give the line back."""
        for timer in self._timers:
            timer.cancel()
        self._provider.closed += 1

    def drop(self) -> None:
        """Break."""
        self._is_broken = True
        self._on_failure(ProviderUnavailable("the line dropped", provider="scripted", phase="stream"))

    def _is_silent(self, words: int) -> bool:
        """Whether the fault keeps it from telling of so many words."""
        if self._fault is None or self._fault.kind not in ("mute", "stall", "deaf"):
            return False
        return self._fault.kind != "stall" or words > self._fault.after


@dataclass
class ScriptedRetriever:
    """Finds the same passages for every question, after a while."""

    passages: Sequence[Passage] = ()
    delay_s: float = 0.0
    error: ProviderError | None = None
    queries: list[Query] = field(default_factory=list)

    async def retrieve(self, query: Query) -> Sequence[Passage]:
        """Note the query, wait, and answer."""
        self.queries.append(query)
        await anyio.sleep(self.delay_s)
        if self.error:
            raise self.error
        return self.passages


@dataclass
class ScriptedModel:
    """Answers with the script's replies in turn (the last again and again), a word or a call at a time."""

    replies: Sequence[str | Sequence[LlmPiece]] = ("It is open.",)
    """Texts, or texts and calls in their order. A request with answers to calls takes one as well."""

    first_word_s: float = 0.0
    word_s: float = 0.0
    error_after_words: int | None = None
    """Break off after so many words and calls."""

    faults: list[ScriptedFault] = field(default_factory=list)
    requests: list[LlmRequest] = field(default_factory=list)
    cancelled: int = 0
    """Streams left before their end."""

    @asynccontextmanager
    async def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[LlmPiece]]:
        """Note the request and answer; no connection is used."""
        del on_line
        reply = self.replies[min(len(self.requests), len(self.replies) - 1)]
        fault = _take(self.faults)
        self.requests.append(request)
        is_complete = False

        async def words() -> AsyncIterator[LlmPiece]:
            nonlocal is_complete
            await anyio.sleep(self.first_word_s)
            said = _words(reply)
            for index, word in enumerate(said):
                if index == self.error_after_words:
                    raise ProviderUnavailable("the stream was cut", provider="scripted", phase="stream")
                if index:
                    await anyio.sleep(self.word_s)
                if fault is not None:
                    await fault.meet(index)
                yield word
            if fault is not None and said:
                await fault.meet(len(said))
            is_complete = True

        stream = words()
        try:
            yield stream
        finally:
            self.cancelled += not is_complete


def _words(reply: str | Sequence[LlmPiece]) -> list[LlmPiece]:
    words: list[LlmPiece] = []
    for piece in [reply] if isinstance(reply, str) else reply:
        words += [piece] if isinstance(piece, ToolCall | CallProgress) else re.findall(r"\S+\s*", piece)
    return words


@dataclass
class ScriptedVoice:
    """Speaks every word for 300 ms, in chunks of `length_s`, with the words' places."""

    first_audio_s: float = 0.0
    """From the request to the first chunk."""

    chunk_s: float = 0.0
    """Between chunks; below `length_s` it is faster than real time."""

    length_s: float = 0.1
    """Of each chunk; a word is a whole number of them."""

    error: ProviderError | None = None
    faults: list[ScriptedFault] = field(default_factory=list)
    """Each clause is a request."""

    spoken: list[str] = field(default_factory=list)
    cancelled: int = 0

    def open(self, audio_format: AudioFormat | None = None) -> ClauseVoice:
        """Return a session's voice; all follow this script."""
        del audio_format
        return ClauseVoice(self)

    @asynccontextmanager
    async def synthesise(
        self, text: str, audio_format: AudioFormat
    ) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        """Note the text and speak it."""
        self.spoken.append(text)
        fault = _take(self.faults)
        is_complete = False

        async def chunks() -> AsyncIterator[SpeechChunk]:
            nonlocal is_complete
            await anyio.sleep(self.first_audio_s)
            if self.error:
                raise self.error
            audio = b"\x01" * audio_format.size_bytes(self.length_s)
            chunks_per_word = round(_WORD_S / self.length_s)
            spoken = list(re.finditer(r"\S+", text))
            for index, match in enumerate(spoken):
                for part in range(chunks_per_word):
                    if index or part:
                        await anyio.sleep(self.chunk_s)
                    if fault is not None:
                        await fault.meet(index * chunks_per_word + part)
                    word = SpokenWord(match.start(), match.end(), round(index * _WORD_S * 1000))
                    yield SpeechChunk(audio, () if part else (word,))
            if fault is not None and spoken:
                await fault.meet(len(spoken) * chunks_per_word)
            is_complete = True

        try:
            yield chunks()
        finally:
            self.cancelled += not is_complete

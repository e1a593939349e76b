"""Far ends whose delays and faults are drawn at random, and whose words and sounds can be traced.

Every word that a model says holds the number of its request, and every sample that a voice makes the
number of its chunk: what is heard, and what the context holds, can be followed back to who made it.
"""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

import anyio

from warmline.audio.conversion import pcm16_decoder
from warmline.core.formats import PCM_16K, PCMU_8K, AudioFormat, Encoding
from warmline.core.line_use import OnLine
from warmline.errors import ProviderUnavailable
from warmline.failover.continuing import continuation
from warmline.interfaces.clause_voice import ClauseVoice
from warmline.interfaces.llm import LlmPiece, LlmRequest, Message, Role, ToolCall
from warmline.interfaces.retriever import Passage, Query
from warmline.interfaces.tts import SpeechChunk, SpokenWord
from warmline.interfaces.vad import OnProbability
from warmline.testing.scripted import ScriptedFault, ScriptedRecogniser, Utterance
from warmline.turns.fit import normalised

SOUND: Final = AudioFormat(Encoding.PCM16, 8_000)
"""What the channel plays, unless that is a telephone's PCMU: of few bytes, since every one is looked at."""

CHUNK_S: Final = 0.1
CHUNK_SAMPLES: Final = 800
WORD_CHUNKS: Final = 3

GO_ON: Final = continuation(LlmRequest([]), "").messages[-1].text
"""What a model is told that goes on with another's answer."""

_SLICE_MS: Final = 32


class Detector:
    """Takes a slice for speech unless it is all zero."""

    def open(self, on_probability: OnProbability, audio_format: AudioFormat = PCM_16K) -> DetectorStream:
        return DetectorStream(on_probability, audio_format)


class DetectorStream:
    """One session's audio."""

    def __init__(self, on_probability: OnProbability, audio_format: AudioFormat) -> None:
        self._on_probability = on_probability
        self._decode = pcm16_decoder(audio_format.encoding)
        self._silent_slice = bytes(_SLICE_MS * audio_format.rate_hz // 500)
        self._buffer = b""
        self._end_sample = 0
        self._is_closed = False

    def push(self, audio: bytes) -> None:
        self._buffer += audio if self._decode is None else self._decode(audio)
        size = len(self._silent_slice)
        while len(self._buffer) >= size and not self._is_closed:
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            self._end_sample += size // 2
            self._on_probability(0.02 if piece == self._silent_slice else 0.98, self._end_sample)

    def close(self) -> None:
        self._is_closed = True


class _Said(list[Utterance]):
    """A script whose next utterance is what the person says at that moment."""

    def __init__(self, said: Callable[[], Utterance]) -> None:
        super().__init__()
        self._said = said

    def __bool__(self) -> bool:
        return True

    def pop(self, index: object = -1) -> Utterance:
        del index
        return self._said()


def recognisers(
    rng: random.Random, faults: Faults, said: Callable[[], Utterance]
) -> list[ScriptedRecogniser]:
    """Return who listens, and perhaps who listens instead."""
    ends_turns = rng.random() < 0.4
    listening = []
    for _ in range(rng.choice((1, 1, 2))):
        recogniser = ScriptedRecogniser(ends_turns=ends_turns)
        recogniser.open_s = rng.choice((0.0, 0.0, 0.1, 0.6))
        recogniser.script = _Said(said)
        recogniser.faults = faults.endless("mute", "stall", "cut", "cut")
        recogniser.open_faults = faults.endless("unavailable", "refuse")
        listening.append(recogniser)
    listening[-1].begun = listening[0].begun
    return listening


class Faults:
    """What goes wrong, drawn for each request; counts what was met."""

    def __init__(self, rng: random.Random, share: float) -> None:
        self.met = 0
        self._rng = rng
        self._share = share

    def draw(self, *kinds: Literal["mute", "stall", "cut", "unavailable", "refuse"]) -> ScriptedFault | None:
        """Return the fault of one request, as a rule none."""
        rng = self._rng
        if rng.random() >= self._share:
            return None
        self.met += 1
        return ScriptedFault(
            rng.choice(kinds), after=rng.randrange(8), for_s=rng.choice((0.2, 0.8, 3.0, 15.0, math.inf))
        )

    def endless(
        self, *kinds: Literal["mute", "stall", "cut", "unavailable", "refuse"]
    ) -> list[ScriptedFault]:
        """Return what a scripted far end takes for a list of faults."""
        return _Endless(self, kinds)


class _Endless(list[ScriptedFault]):
    """A list that holds one more fault, or none, each time that it is asked."""

    def __init__(
        self, faults: Faults, kinds: Sequence[Literal["mute", "stall", "cut", "unavailable", "refuse"]]
    ) -> None:
        super().__init__()
        self._faults = faults
        self._kinds = kinds

    def __iter__(self) -> AsyncIterator[ScriptedFault]:  # type: ignore[override]
        fault = self._faults.draw(*self._kinds)
        self[:] = [] if fault is None else [fault]
        return super().__iter__()  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a model."""

    number: int
    user_text: str
    """What of the user's it answers."""


class MarkedModel:
    """Answers with words such as `r7n3`: word 3 of its answer to request 7."""

    def __init__(
        self, rng: random.Random, faults: Faults, requests: list[Asked], tools: Sequence[str]
    ) -> None:
        self.running = 0
        self.cancelled = 0
        self._rng = rng
        self._faults = faults
        self._requests = requests
        self._tools = tools
        self._first_word_s = rng.choice((0.0, 0.05, 0.2, 0.6, 1.2))
        self._word_s = rng.choice((0.0, 0.01, 0.03, 0.2))
        self._calls = rng.choice((0.0, 0.0, 0.4)) if tools else 0.0
        self._longest = rng.choice((2, 5, 12, 40))

    @asynccontextmanager
    async def stream(
        self, request: LlmRequest, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[LlmPiece]]:
        del on_line
        asked = Asked(len(self._requests), user_text(request.messages))
        self._requests.append(asked)
        fault = self._faults.draw("mute", "stall", "cut", "unavailable", "refuse")
        said = self._answer(asked.number, may_call=bool(request.tools))
        first_word_s, word_s = self._first_word_s * self._rng.uniform(0.5, 1.5), self._word_s

        async def pieces() -> AsyncIterator[LlmPiece]:
            self.running += 1
            is_complete = False
            try:
                await anyio.sleep(first_word_s)
                for index, piece in enumerate(said):
                    if index and word_s:
                        await anyio.sleep(word_s)
                    if fault is not None:
                        await fault.meet(index)
                    yield piece
                if fault is not None:
                    await fault.meet(len(said))
                is_complete = True
            finally:
                self.running -= 1
                self.cancelled += not is_complete

        stream = pieces()
        try:
            yield stream
        finally:
            await stream.aclose()  # type: ignore[attr-defined]

    def _answer(self, number: int, *, may_call: bool) -> list[LlmPiece]:
        rng = self._rng
        calls: list[LlmPiece] = []
        if may_call and rng.random() < self._calls:
            for call in range(rng.choice((1, 1, 2))):
                name = rng.choice(self._tools)
                calls.append(ToolCall(f"call{number}x{call}", name, f'{{"request": {number}}}'))
        count = rng.randrange(3) if calls else rng.randint(1, self._longest)
        words: list[LlmPiece] = []
        left = 0
        for index in range(count):
            begins = left == 0
            if begins:
                left = rng.randint(1, 12)
            left -= 1
            end = ""
            if left == 0 or index == count - 1:
                left, end = 0, rng.choice((".", ".", ".", "?", "!"))
            elif rng.random() < 0.1:
                end = ","
            words.append(f"{'R' if begins else 'r'}{number}n{index}{end} ")
        return [*words, *calls]


WORD: Final = re.compile(r"[rR](\d+)n(\d+)\W*")


def user_text(messages: Sequence[Message]) -> str:
    """Return what a request answers."""
    return next((m.text for m in reversed(messages) if m.role is Role.USER and m.text != GO_ON), "")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A third of a word's sound."""

    word: str
    third: int


@dataclass
class Chunks:
    """Every chunk that was made in a session; the sound of each is its number, again and again.

    A sample of 16 bits holds the number. Of G.711, two samples do: its last seven bits, marked by the
    eighth, and the rest.
    """

    made: list[Chunk] = field(default_factory=lambda: [Chunk("", 0)])

    def sound(self, word: str, third: int, audio_format: AudioFormat) -> bytes:
        self.made.append(Chunk(word, third))
        return _sound(len(self.made) - 1, audio_format)

    def of(self, audio: bytes, audio_format: AudioFormat) -> Chunk | None:
        """Return the chunk that a piece was cut from; None if it was put together wrongly."""
        if audio_format.encoding is Encoding.PCM16:
            [number], phase = struct.unpack_from("<H", audio), 0
        else:
            phase = int(audio[0] < 128)
            number = sum(code - 128 if code >= 128 else code * 128 for code in audio[:2])
        if number >= len(self.made) or len(audio) < 2:
            return None
        again = _sound(number, audio_format)[phase:] + audio[:1]
        return self.made[number] if again.startswith(audio) else None


def _sound(number: int, audio_format: AudioFormat) -> bytes:
    if audio_format.encoding is Encoding.PCM16:
        return struct.pack("<H", number) * CHUNK_SAMPLES
    return bytes((128 + number % 128, number // 128)) * (CHUNK_SAMPLES // 2)


class MarkedVoice:
    """Speaks every word for 300 ms in chunks of 100 ms."""

    def __init__(self, rng: random.Random, faults: Faults, chunks: Chunks) -> None:
        self.opened = self.closed = self.running = 0
        self._rng = rng
        self._faults = faults
        self._chunks = chunks
        self._first_audio_s = rng.choice((0.0, 0.05, 0.15, 0.5))
        self._chunk_s = rng.choice((0.0, 0.0, 0.01, 0.05, 0.13))

    def open(self, audio_format: AudioFormat | None = None) -> ClauseVoice:
        del audio_format
        self.opened += 1
        return _Counted(self)

    @asynccontextmanager
    async def synthesise(
        self, text: str, audio_format: AudioFormat
    ) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        assert audio_format in (SOUND, PCMU_8K)
        fault = self._faults.draw("mute", "stall", "cut", "unavailable", "refuse")

        async def chunks() -> AsyncIterator[SpeechChunk]:
            self.running += 1
            try:
                await anyio.sleep(self._first_audio_s)
                count = 0
                for index, match in enumerate(re.finditer(r"\S+", text)):
                    for third in range(WORD_CHUNKS):
                        if count and self._chunk_s:
                            await anyio.sleep(self._chunk_s)
                        if fault is not None:
                            await fault.meet(count)
                        count += 1
                        word = SpokenWord(match.start(), match.end(), index * 300)
                        sound = self._chunks.sound(match[0], third, audio_format)
                        yield SpeechChunk(sound, () if third else (word,))
                if fault is not None and count:
                    await fault.meet(count)
            finally:
                self.running -= 1

        stream = chunks()
        try:
            yield stream
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


class _Counted(ClauseVoice):
    def __init__(self, voice: MarkedVoice) -> None:
        super().__init__(voice)
        self._voice = voice
        self._is_closed = False

    async def aclose(self) -> None:
        await super().aclose()
        self._voice.closed += not self._is_closed
        self._is_closed = True


class RandomRetriever:
    """Finds something, or nothing, or fails; remembers what it answered."""

    def __init__(self, rng: random.Random, faults: Faults) -> None:
        self.running = 0
        self.asked = 0
        self.found_twice: list[str] = []
        self._rng = rng
        self._faults = faults
        self._delays_s = rng.choice(((0.0,), (0.02, 0.05), (0.05, 0.3, 2.0)))
        self._found: set[tuple[str, ...]] = set()

    async def retrieve(self, query: Query) -> Sequence[Passage]:
        self.asked += 1
        self.running += 1
        try:
            await anyio.sleep(self._rng.choice(self._delays_s))
            if self._faults.draw("unavailable") is not None:
                raise ProviderUnavailable("the index is gone", provider="random", phase="first_result")
        finally:
            self.running -= 1
        key = tuple(dict.fromkeys(normalised(text) for text in (query.text, *query.alternatives)))
        if key in self._found:
            self.found_twice.append(query.text)
        self._found.add(key)
        return [Passage("It is so.", "Facts", "facts.md", 0.8)] if self._rng.random() < 0.8 else []

"""What the simulated providers hear and speak with: the recogniser and the voice of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import anyio

from warmline.audio.conversion import Pcm16kDecoder
from warmline.audio.silero import RATES_HZ, SLICE_MS
from warmline.audio.speech_segments import SpeechBegan, SpeechSegmenter
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.errors import ProviderError
from warmline.interfaces.stt import SttStream, Transcript
from warmline.interfaces.tts import SpokenWord
from warmline.providers.offline.recogniser import OfflineRecogniser
from warmline.providers.offline.voice import OfflineVoice
from warmline.providers.offline.voice_activity import OfflineVoiceActivity
from warmline.simulators.script import Script

__all__ = ["Began", "Ear", "HeardText", "Slice", "Speech", "Spoken"]

_THRESHOLD: Final = 0.5
_SLICE_S: Final = SLICE_MS / 1000
_KEPT_TEXTS: Final = 64
"""Sentences whose sound is kept: a scripted provider says the same ones again and again."""

_CATCH_UP_S: Final = 10.0
_WORD_S: Final = 0.2
"""What a scripted word takes to be said: 300 a minute, which is fast."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text as audio, whole."""

    audio: bytes
    words: tuple[SpokenWord, ...]


@dataclass(frozen=True, slots=True)
class Began:
    """Speech began, so many seconds into the stream."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Another 32 ms were judged."""

    at_s: float
    """Seconds of the stream that were judged so far."""

    silence_ms: int
    """For how long nobody has spoken; 0 while somebody does, and -1 while nobody has yet."""


@dataclass(frozen=True, slots=True)
class HeardText:
    """What was understood of the utterance so far; whole."""

    utterance: int
    text: str
    is_final: bool


OnHeard = Callable[[Began | Slice | HeardText], None]


class Speech:
    """Shared by all simulators of a process. Use as an async context manager.

    The recogniser's processes are started with the first stream that listens.
    """

    def __init__(self, sentences: Sequence[str] = (), *, streams: int = 8) -> None:
        """Prepare.

        Args:
            sentences: What people are likely to say; the recogniser knows their words best.
            streams: How many may listen at once; each is a process of about 60 MB.
        """
        self.voice = OfflineVoice()
        self.activity = OfflineVoiceActivity()
        self._recogniser = OfflineRecogniser(sentences, spare_processes=0, max_processes=streams)
        self._made: dict[tuple[str, AudioFormat], Spoken] = {}
        """What was spoken lately; the oldest first."""

        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the voice and the detector."""
        await self._held.__aenter__()
        await self._held.enter_async_context(self.activity)
        await self._held.enter_async_context(self.voice)
        await self._held.enter_async_context(self._recogniser)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._held.__aexit__(exc_type, exc, traceback)

    async def spoken(self, text: str, audio_format: AudioFormat) -> Spoken:
        """Return a text's audio and where its words lie; what was said before is not made anew."""
        made = self._made.pop((text, audio_format), None) or await self._synthesised(text, audio_format)
        self._made[text, audio_format] = made
        while len(self._made) > _KEPT_TEXTS:
            del self._made[next(iter(self._made))]
        return made

    async def _synthesised(self, text: str, audio_format: AudioFormat) -> Spoken:
        audio = bytearray()
        words: list[SpokenWord] = []
        async with self.voice.synthesise(text, audio_format) as chunks:
            async for chunk in chunks:
                audio += chunk.audio
                words += chunk.words
        return Spoken(bytes(audio), tuple(words))

    async def transcribed(self, pcm: bytes) -> str:
        """Return what is said in a recording of 16 kHz pcm16.

        Raises:
            ProviderUnavailable: the recogniser failed.
        """
        final: list[str] = []
        problems: list[ProviderError] = []
        done = anyio.Event()

        def take(transcript: Transcript) -> None:
            if transcript.is_final:
                final.append(transcript.text)
                done.set()

        def fail(problem: ProviderError) -> None:
            problems.append(problem)
            done.set()

        stream = await self._recogniser.open(take, fail)
        try:
            stream.begin_utterance(1)
            stream.push(pcm)
            stream.finish_utterance()
            await done.wait()
        finally:
            await stream.aclose()
        if problems:
            raise problems[0]
        return final[0]

    async def listen(self, audio_format: AudioFormat, on_heard: OnHeard, script: Script) -> Ear:
        """Return an ear for one stream; it is the caller's to close.

        Args:
            audio_format: What will be pushed.
            on_heard: Told of everything, on the event loop.
            script: The provider's. Where it says what is understood, no recogniser is needed, so there
                may be any number of such ears.
        """
        ear = Ear(self, audio_format, on_heard, script)
        if not script.transcript:
            await ear.open(self._recogniser)
        return ear


class Ear:
    """Listens to one stream of audio.

    What changes here: the utterance in progress, in the detector's callback and in `finish`.
    """

    def __init__(self, speech: Speech, audio_format: AudioFormat, on_heard: OnHeard, script: Script) -> None:
        self._script = script
        self._decoder = Pcm16kDecoder(audio_format)
        self._is_decoded_first = audio_format.rate_hz not in RATES_HZ
        """The detector hears no such rate. Else it takes what comes; only the recogniser has it decoded."""

        self._format = PCM_16K if self._is_decoded_first else audio_format
        self._on_heard = on_heard
        self._segmenter = SpeechSegmenter(rate_hz=self._format.rate_hz)
        self._vad = speech.activity.open(self._on_probability, self._format)
        self._recogniser: SttStream | None = None
        self._utterance = 0
        self._unjudged = bytearray()
        """Audio that the recogniser gets when the detector has judged it, so that no beginning is lost."""

        self._began_sample = 0
        self._known = 0
        """Words of the script, where there is one, that the utterance in progress has had by now."""

        self._judged_samples = 0
        self._earlier_silence_samples = 0
        """Of the silence that goes on: what there was of it before an utterance was finished."""

        self._judged = anyio.Event()
        self._is_open = False
        self.heard_s = 0.0
        """Seconds of audio that were judged."""

        self.pushed_s = 0.0
        """Seconds of audio that came."""

        self.is_in_utterance = False
        """Speech began whose final was not asked for."""

    async def open(self, recogniser: OfflineRecogniser) -> None:
        """Take a recogniser's process."""
        self._recogniser = await recogniser.open(self._on_transcript, self._on_failure)
        self._is_open = True

    def push(self, audio: bytes) -> None:
        """Take audio in the stream's format, in pieces of any length."""
        if self._is_decoded_first:
            audio = self._decoder.convert(audio)
        self.pushed_s += self._format.duration_s(len(audio))
        self._unjudged += audio
        self._vad.push(audio)

    async def catch_up(self) -> None:
        """Return when all audio that was pushed has been judged."""
        with anyio.move_on_after(_CATCH_UP_S):
            while self.pushed_s - self.heard_s >= _SLICE_S:
                await self._judged.wait()

    def finish(self) -> None:
        """End the utterance; its final follows."""
        if not self.is_in_utterance:
            return
        self.is_in_utterance = False
        self._earlier_silence_samples += self._segmenter.silence_samples
        self._segmenter.reset()
        if self._recogniser is not None:
            self._recogniser.finish_utterance()
        else:
            self._on_heard(HeardText(self._utterance, self._script.transcript, is_final=True))

    async def aclose(self) -> None:
        """Hear no more."""
        self._is_open = False
        self._vad.close()
        if self._recogniser is not None:
            await self._recogniser.aclose()

    def _on_probability(self, probability: float, end_sample: int) -> None:
        rate_hz = self._format.rate_hz
        self.heard_s = end_sample / rate_hz
        size_bytes = (end_sample - self._judged_samples) * self._format.encoding.sample_bytes
        self._judged_samples = end_sample
        if self._recogniser is not None:
            judged = bytes(self._unjudged[:size_bytes])
            self._recogniser.push(judged if self._is_decoded_first else self._decoder.convert(judged))
        del self._unjudged[:size_bytes]
        self._judged.set()
        self._judged = anyio.Event()
        change = self._segmenter.update(probability, end_sample, _THRESHOLD)
        if isinstance(change, SpeechBegan):
            if not self.is_in_utterance:
                self.is_in_utterance = True
                self._utterance += 1
                self._began_sample, self._known = change.start_sample, 0
                if self._recogniser is not None:
                    self._recogniser.begin_utterance(self._utterance)
            self._earlier_silence_samples = 0
            self._on_heard(Began(change.start_sample / rate_hz))
        if self._recogniser is None and self.is_in_utterance and not self._segmenter.silence_samples:
            self._understand_scripted(end_sample)
        silence_samples = self._earlier_silence_samples + self._segmenter.silence_samples
        silence_ms = silence_samples * 1000 // rate_hz if self._utterance else -1
        self._on_heard(Slice(self.heard_s, silence_ms))

    def _understand_scripted(self, end_sample: int) -> None:
        """Know another word of the script now and then."""
        words = self._script.transcript.split()
        known = int((end_sample - self._began_sample) / self._format.rate_hz / _WORD_S)
        if self._known < known and self._known < len(words):
            self._known = min(known, len(words))
            self._on_heard(HeardText(self._utterance, " ".join(words[: self._known]), is_final=False))

    def _on_transcript(self, transcript: Transcript) -> None:
        if self._is_open:
            self._on_heard(HeardText(transcript.utterance, transcript.text, transcript.is_final))

    def _on_failure(self, error: ProviderError) -> None:
        if self._is_open:
            self._on_heard(HeardText(self._utterance, "", is_final=True))

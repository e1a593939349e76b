"""The user's audio: to the voice activity detector, and in step with what it finds to the recogniser.

Both are given what came, in the channel's own format.

The recogniser is given a slice of audio when the detector has judged it, a millisecond later as a
rule. So an utterance begins and ends at the right sample even if a client sends a whole recording
at once. There is no task or queue per frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from warmline.audio.conversion import pcm16_decoder
from warmline.audio.speech_end import sound_end
from warmline.audio.speech_segments import SpeechBegan, SpeechEnded, SpeechSegmenter
from warmline.core.clock import Clock
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.errors import ProviderError
from warmline.interfaces.vad import VoiceActivityDetector
from warmline.session.stt_line import SttLine

__all__ = ["Heard", "Hearing"]

_ARRIVALS = 512
"""Frames whose arrival is remembered: 10 s at 20 ms, longer than any end of speech lies back."""

_LISTENED_S = 2.0
"""What is kept of judged audio at least: the end of the speech, and the silence that showed it."""

_JITTER_S = 0.5
"""The most that a frame is taken to have been delayed on its way."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Where the user's speech began or ended: in the audio, and on the clock."""

    began: bool
    audio_ms: int
    """Milliseconds of the session's audio."""

    at_s: float
    """When that sample was spoken, by the session's clock; of an end, the last sample that could be heard."""


class Hearing:
    """One session's ears.

    What changes here: `_position_samples`, `_arrivals` and `last_audio_at_s` with each frame;
    `_unjudged`, the audio that the detector has and the recogniser has not; `_judged_samples`, and
    `_judged`, the last of them.
    """

    def __init__(
        self,
        detector: VoiceActivityDetector,
        recogniser: SttLine,
        clock: Clock,
        *,
        stop_ms: int,
        on_speech: Callable[[Heard], None],
        on_silence: Callable[[int], None],
        audio_format: AudioFormat = PCM_16K,
    ) -> None:
        """Open a stream to the detector.

        Args:
            detector: Shared by all sessions.
            recogniser: Where all audio goes as well.
            clock: The session's.
            stop_ms: Silence after which speech counts as stopped.
            on_speech: Called when speech begins or ends.
            on_silence: Called about 30 times a second while there is no speech, with the
                milliseconds of silence so far.
            audio_format: What `push` is given, at 8 or 16 kHz.

        Raises:
            ValueError: the detector hears no such rate.
            ProviderUnavailable: the detector is not running.
        """
        self.audio_format = audio_format
        self._clock = clock
        self._rate_hz = audio_format.rate_hz
        self._sample_bytes = audio_format.encoding.sample_bytes
        self._segmenter = SpeechSegmenter(rate_hz=self._rate_hz, stop_ms=stop_ms)
        self._on_speech = on_speech
        self._on_silence = on_silence
        self._position_samples = 0
        self._judged_samples = 0
        self._unjudged = bytearray()
        self._detected_samples = 0
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=_ARRIVALS)
        """Of each frame, the sample past it, and when it came."""

        self._judged = bytearray()
        self._most_judged_bytes = audio_format.size_bytes(_LISTENED_S)
        self.last_audio_at_s = clock.now_s()
        self.threshold = 0.5
        """Probability from which a slice counts as speech."""

        self.detects_turns = True
        """Whether to look for speech at all; a client that says itself when its turn is over needs none."""

        self._recogniser = recogniser
        self._vad = detector.open(self._on_probability, audio_format)

    @property
    def is_speaking(self) -> bool:
        """Whether the user is speaking now."""
        return self._segmenter.is_speaking

    @property
    def silence_ms(self) -> int:
        """For how long nobody has spoken; 0 while somebody does."""
        return self._segmenter.silence_samples * 1000 // self._rate_hz

    @property
    def audio_ms(self) -> int:
        """Milliseconds of audio received."""
        return self._position_samples * 1000 // self._rate_hz

    def push(self, audio: bytes) -> None:
        """Take whole samples.

        Raises:
            ProviderUnavailable: the detector has failed or can't keep up; audio may be lost.
        """
        self._position_samples += len(audio) // self._sample_bytes
        self.last_audio_at_s = self._clock.now_s()
        self._arrivals.append((self._position_samples, self.last_audio_at_s))
        if self.detects_turns:
            self._unjudged += audio
            try:
                self._vad.push(audio)
            except ProviderError:
                # What it did not take will not be judged, and must not be kept for that.
                self._judged_samples = self._position_samples
                self._unjudged.clear()
                self._judged.clear()
                raise
        else:
            self._recogniser.push(bytes(self._unjudged) + audio)
            self._unjudged.clear()
            self._judged.clear()
            self._judged_samples = self._position_samples

    def close(self) -> None:
        """Stop listening; no callback comes after this."""
        self._vad.close()

    def spoken_at_s(self, position_samples: int) -> float:
        """Return when the sample before `position_samples` was spoken, as near as its arrival tells.

        Frames arrive late, never early: the promptest of those around it shows how long the way is
        without a delay. At most `_JITTER_S` is taken off its own frame's arrival, since after a gap
        in which nothing was sent, the frames before it say nothing of those behind.
        """
        rate_hz = self._rate_hz
        arrived_at_s = self.last_audio_at_s
        is_found = False
        promptest_s = float("inf")
        for end_samples, at_s in self._arrivals:
            if end_samples < position_samples - rate_hz:
                continue
            promptest_s = min(promptest_s, at_s - end_samples / rate_hz)
            if not is_found and end_samples >= position_samples:
                is_found = True
                # The frame that holds it arrived whole, so the rest of the frame is taken off.
                arrived_at_s = at_s - (end_samples - position_samples) / rate_hz
        spoken_at_s = min(position_samples / rate_hz + promptest_s, arrived_at_s)
        return max(spoken_at_s, arrived_at_s - _JITTER_S)

    def _on_probability(self, probability: float, end_samples: int) -> None:
        # The detector counts the samples it was given; the session's audio may have had others between.
        judged_samples = end_samples - self._detected_samples
        judged_bytes = min(judged_samples * self._sample_bytes, len(self._unjudged))
        self._detected_samples = end_samples
        self._judged_samples += judged_bytes // self._sample_bytes
        judged = bytes(self._unjudged[:judged_bytes])
        self._recogniser.push(judged)
        self._judged += judged
        if len(self._judged) > 2 * self._most_judged_bytes:
            del self._judged[: -self._most_judged_bytes]
        del self._unjudged[:judged_bytes]
        match self._segmenter.update(probability, self._judged_samples, self.threshold):
            case SpeechBegan(start_sample=start):
                self._on_speech(Heard(True, self._ms(start), self.spoken_at_s(start)))
            case SpeechEnded(end_sample=end):
                self._on_speech(Heard(False, self._ms(end), self.spoken_at_s(self._sound_end(end))))
        if not self._segmenter.is_speaking:
            self._on_silence(self.silence_ms)

    def _sound_end(self, end_samples: int) -> int:
        """Return where the sound of the speech ends that the detector takes to end here."""
        decode = pcm16_decoder(self.audio_format.encoding)
        judged = bytes(self._judged)
        samples = np.frombuffer(judged if decode is None else decode(judged), np.int16)
        began_samples = self._judged_samples - len(samples)
        if end_samples < began_samples:
            return end_samples  # What came before was lost, or not looked at.
        return began_samples + sound_end(samples, end_samples - began_samples, self._rate_hz)

    def _ms(self, samples: int) -> int:
        return samples * 1000 // self._rate_hz

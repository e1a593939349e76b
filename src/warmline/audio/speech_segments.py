"""From probabilities of speech to stretches of speech. Decisions only; time is counted in samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from warmline.audio.silero import slice_samples

__all__ = ["SpeechBegan", "SpeechEnded", "SpeechSegmenter"]

HYSTERESIS: Final = 0.15
"""Speech goes on while the probability is above the threshold less this; Silero's own figure. Within
words the probability dips, and a single bound would cut there."""

LOWEST_STOP_PROBABILITY: Final = 0.01
"""Below this a slice is silent whatever the threshold, so that a low threshold cannot hold the floor."""

MIN_SPEECH_MS: Final = 64
"""Two slices in a row. One alone is as often a click, a cough or a door; a third would delay every
barge-in by 32 ms and lose short words such as "no"."""

DEFAULT_STOP_MS: Final = 224
"""Seven slices. The gaps before plosives and between the words of one phrase stay below 200 ms."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Somebody began to speak; known `MIN_SPEECH_MS` after it happened."""

    start_sample: int
    """The first sample of the first slice that counted as speech."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Nobody has spoken for the stop time."""

    end_sample: int
    """The sample past the last slice that counted as speech."""


class SpeechSegmenter:
    """Finds where speech begins and ends in one stream of audio.

    What changes here: the stretch in progress, and only in `update` and `reset`.
    """

    def __init__(
        self, *, rate_hz: int = 16_000, stop_ms: int = DEFAULT_STOP_MS, min_speech_ms: int = MIN_SPEECH_MS
    ) -> None:
        self._slice_samples = slice_samples(rate_hz)
        self._stop_samples = stop_ms * rate_hz // 1000
        self._min_speech_samples = min_speech_ms * rate_hz // 1000
        self._heard_until = 0
        self._last_speech_end = 0
        self._candidate_start: int | None = None
        self._is_speaking = False

    @property
    def is_speaking(self) -> bool:
        """Whether speech began that has not ended; true through the stop time."""
        return self._is_speaking

    @property
    def silence_samples(self) -> int:
        """Samples heard since the last slice that counted as speech, or since the start."""
        return self._heard_until - self._last_speech_end

    def update(
        self, probability: float, end_sample: int, threshold: float
    ) -> SpeechBegan | SpeechEnded | None:
        """Take the next slice of 32 ms, in order, and return what it decides.

        Args:
            probability: Of speech in this slice, 0..1.
            end_sample: Index of the sample just past the slice.
            threshold: Probability from which a slice counts as speech; may change at any time.
        """
        self._heard_until = end_sample
        if self._is_speaking:
            if probability >= max(threshold - HYSTERESIS, LOWEST_STOP_PROBABILITY):
                self._last_speech_end = end_sample
                return None
            if self.silence_samples < self._stop_samples:
                return None
            self._is_speaking = False
            return SpeechEnded(self._last_speech_end)
        if probability < threshold:
            self._candidate_start = None
            return None
        if self._candidate_start is None:
            self._candidate_start = max(end_sample - self._slice_samples, 0)
        start = self._candidate_start
        if end_sample - start < self._min_speech_samples:
            return None
        self._candidate_start = None
        self._is_speaking = True
        self._last_speech_end = end_sample
        return SpeechBegan(start)

    def reset(self) -> None:
        """Forget the stretch in progress: the caller ended the turn by other means."""
        self._candidate_start = None
        self._is_speaking = False
        self._last_speech_end = self._heard_until

"""Which words a caller heard, by comparing sounds: the ear of `phone.py` for answers that were broken off.

A recogniser would do, if one knew every word over a telephone; the offline one does not. The simulated voice
says the same word the same way each time, so that a word is known by the sound that it had before.
"""

from __future__ import annotations

import io
import wave
from typing import Final

import numpy as np
from numpy.typing import NDArray

from warmline.simulators.telephone.sound import SoundMeter

__all__ = ["WORDS", "Ear", "words_lost_and_twice"]

WORDS: Final = "Monday. Banana. Yellow. Seventeen. Telephone. Umbrella. Coffee. Elephant."
"""Each a sentence, so that there is silence between any two."""

_FRAME: Final = 160
_STEP: Final = 80
_BANDS: Final = 20
_FRAMES: Final = 24
"""Every word is as long as this when it is compared."""

_LEAST_S: Final = 0.08
"""A shorter sound is no word."""


class Ear:
    """Knows words by the answer of a call in which nothing went wrong."""

    def __init__(self, wav: bytes, from_s: float, until_s: float) -> None:
        """Learn.

        Args:
            wav: What the caller heard.
            from_s: When the answer began.
            until_s: When it ended.

        Raises:
            ValueError: it is not `WORDS` that was heard.
        """
        words = _sounds(wav, from_s, until_s)
        if len(words) != len(WORDS.split()):
            raise ValueError(f"{len(words)} sounds were heard, and {len(WORDS.split())} words were said")
        known: list[tuple[tuple[int, ...], NDArray[np.float64]]]
        known = [((index,), word) for index, word in enumerate(words)]
        # Where an answer goes on after it was broken off, the pause between two words may be missing.
        known += [
            (one + other, np.concatenate([before, after])) for one, before in known for other, after in known
        ]
        self._known = [(places, len(sound), _shape(sound)) for places, sound in known]

    def words(self, wav: bytes, from_s: float, until_s: float) -> list[int]:
        """Return the words of another answer, by their places in `WORDS`; arguments as for learning."""
        return [place for sound in _sounds(wav, from_s, until_s) for place in self._nearest(sound)]

    def _nearest(self, sound: NDArray[np.float64]) -> tuple[int, ...]:
        shape = _shape(sound)
        likeness = [
            float(shape.ravel() @ known.ravel()) - abs(np.log(len(sound) / length))
            for _, length, known in self._known
        ]
        return self._known[int(np.argmax(likeness))][0]


def words_lost_and_twice(heard: list[int]) -> tuple[int, int]:
    """Return how many words were not heard, and how many were heard again."""
    return len(WORDS.split()) - len(set(heard)), len(heard) - len(set(heard))


def _sounds(wav: bytes, from_s: float, until_s: float) -> list[NDArray[np.float64]]:
    """Return the samples of what is heard between two silences, time after time."""
    with wave.open(io.BytesIO(wav)) as recording:
        rate_hz = recording.getframerate()
        pcm = recording.readframes(recording.getnframes())
    meter = SoundMeter()
    meter.update(pcm)
    samples = np.frombuffer(pcm, np.int16).astype(np.float64)
    return [
        samples[round(began_s * rate_hz) : round(ended_s * rate_hz)]
        for began_s, ended_s in meter.sounds
        if from_s <= began_s < until_s and ended_s - began_s >= _LEAST_S
    ]


def _shape(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how loud a sound is, by band and by time, in units of its own."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_STEP] * np.hanning(_FRAME)
    power = (
        np
        .abs(np.fft.rfft(frames, axis=1))[:, 1 : 1 + 4 * _BANDS]
        .reshape(len(frames), _BANDS, 4)
        .mean(axis=2)
    )
    places = np.linspace(0, len(power) - 1, _FRAMES).round().astype(int)
    shape = np.log1p(power[places])
    shape -= shape.mean()
    return np.asarray(shape / np.linalg.norm(shape))

"""How long a result is waited for: by what the process itself has measured, within bounds. No I/O."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Bounds", "MeasuredTimes", "Wait", "deadline_s", "percentile_s"]

KEPT: Final = 200
"""Times that are kept for each leg and wait; the oldest is forgotten."""

FEW: Final = 20
"""With fewer, a percentile says nothing."""

_PERCENTILE: Final = 95.0
_FACTOR: Final = 1.5
"""How much longer than its slow times a leg may take."""


class Wait(enum.Enum):
    """What is waited for."""

    LLM_FIRST_TEXT = "llm_first_text"
    """From the request to the first piece of text, or a call."""

    LLM_STALL = "llm_stall"
    """Between two pieces; of each answer, its longest."""

    TTS_FIRST_AUDIO = "tts_first_audio"
    """From the first clause to the first audio."""

    TTS_STALL = "tts_stall"
    """Between two pieces of audio while some is owed; of each reply, its longest."""

    STT_FINAL = "stt_final"
    """From asking for the final transcript to having it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most patience, in seconds."""

    floor_s: float
    ceiling_s: float

    def __post_init__(self) -> None:
        if not 0 < self.floor_s <= self.ceiling_s:
            raise ValueError(f"patience from {self.floor_s:g} to {self.ceiling_s:g} s")


def percentile_s(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that so many percent of them do not exceed.

    Args:
        samples: At least one, in any order.
        percent: Above 0, up to 100.
    """
    rank = math.ceil(len(samples) * percent / 100)
    return sorted(samples)[max(rank, 1) - 1]


def deadline_s(samples: Sequence[float], bounds: Bounds) -> float:
    """Return how long to wait before something is done about it, in seconds.

    That is one and a half times what all but the slowest twentieth took, within the bounds; the
    ceiling alone while there are few samples. A leg that usually takes longer than the ceiling,
    such as a large model on a small machine, has not failed by being itself: its ceiling is one and
    a half times what it usually takes.
    """
    if len(samples) < FEW:
        return bounds.ceiling_s
    usual_s = percentile_s(samples, 50)
    ceiling_s = bounds.ceiling_s if usual_s <= bounds.ceiling_s else _FACTOR * usual_s
    return min(max(_FACTOR * percentile_s(samples, _PERCENTILE), bounds.floor_s), ceiling_s)


class MeasuredTimes:
    """How long things took lately, for all sessions of the process.

    What changes here: the samples, in `add`.
    """

    def __init__(self) -> None:
        self._samples: dict[tuple[str, Wait], deque[float]] = {}

    def add(self, leg: str, wait: Wait, took_s: float) -> None:
        """Note a time; of what was given up, the time until then, since it would have taken longer.

        Args:
            leg: Its name.
            wait: What was waited for.
            took_s: In seconds.
        """
        self._samples.setdefault((leg, wait), deque(maxlen=KEPT)).append(took_s)

    def of(self, leg: str, wait: Wait) -> Sequence[float]:
        """Return what was measured, oldest first."""
        return self._samples.get((leg, wait), ())

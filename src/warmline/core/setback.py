"""What went wrong with a provider in the middle of its work, and what was done about it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["OnSetback", "ProviderRole", "Remedy", "Setback", "SetbackKind"]


class ProviderRole(enum.Enum):
    """What a provider does for us; the words of the settings."""

    STT = "stt"
    LLM = "llm"
    TTS = "tts"


class SetbackKind(enum.Enum):
    """What went wrong."""

    LATE = "late"
    """The first result did not come within its deadline."""

    STALLED = "stalled"
    """Nothing more came in the middle."""

    CUT = "cut"
    """It ended in the middle."""

    UNAVAILABLE = "unavailable"
    """It failed before it gave anything; another try may help."""

    REFUSED = "refused"
    """It refused, and would refuse again: the key, the quota, the model or the input."""

    SKIPPED = "skipped"
    """It was known to be down, and not asked."""

    SLOW = "slow"
    """Not late yet, but later than it usually is."""


class Remedy(enum.Enum):
    """What was done about it; by the same leg or another."""

    RETRY = "retry"
    """The same work from its beginning."""

    CONTINUATION = "continuation"
    """The rest of the work, from where it stood."""

    REPLAY = "replay"
    """The utterance's audio once more."""

    HEDGE = "hedge"
    """The same work a second time beside the first, in case that is late."""

    NONE = "none"
    """Nothing could be done, or nothing had to be: the work went on without it."""


@dataclass(frozen=True, slots=True)
class Setback:
    """One failure of a leg, as the timeline keeps it; whether a user could notice it is for others to say."""

    role: ProviderRole
    leg: str
    """Which failed, by its name in the configuration, such as `openai`."""

    kind: SetbackKind
    remedy: Remedy
    taken_by: str
    """The leg that the remedy was asked of; empty where there is none."""

    at_s: float
    """When it was known, by the session's clock."""

    lost_s: float
    """How long it had been waited for in vain."""

    detail: str = ""
    """The provider's own words, for the operator."""

    @property
    def is_fallback(self) -> bool:
        """Whether another leg took over."""
        return self.taken_by not in ("", self.leg)


OnSetback = Callable[[Setback], None]
"""Called on the event loop, as soon as it is known."""

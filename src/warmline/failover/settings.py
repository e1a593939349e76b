"""The operator's choices about failures. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from warmline.failover.patience import Bounds, Wait

__all__ = ["DEFAULT_BOUNDS", "FailoverSettings", "HedgeSettings"]

DEFAULT_BOUNDS: Final[Mapping[Wait, Bounds]] = MappingProxyType({
    # With `again_s`, another provider is asked within 950 ms of the first.
    Wait.LLM_FIRST_TEXT: Bounds(0.35, 0.7),
    Wait.LLM_STALL: Bounds(0.5, 1.0),
    Wait.TTS_FIRST_AUDIO: Bounds(0.35, 0.6),
    # Up to `playout.lead_ms` of audio is on its way to the ear meanwhile.
    Wait.TTS_STALL: Bounds(0.4, 0.8),
    # Deepgram's Nova is waited for 1 s where there may have been nothing to hear.
    Wait.STT_FINAL: Bounds(0.5, 1.2),
})
"""The least and the most patience with each, in seconds."""


@dataclass(frozen=True, slots=True)
class HedgeSettings:
    """A second request for the first text before the first one is late."""

    is_on: bool = False
    percent: float = 90.0
    """Of the measured times that the first text has to exceed before it is asked for again."""

    share: float = 0.05
    """The most requests that may be hedged: of the last hundred, this share. Each costs its prompt twice."""


@dataclass(frozen=True, slots=True)
class FailoverSettings:
    """How long to wait, how often to try, and what to say when all is in vain."""

    bounds: Mapping[Wait, Bounds] = field(default_factory=lambda: DEFAULT_BOUNDS)
    again_s: float = 0.25
    """Between one attempt that is asked for because of a delay and the next."""

    give_up_s: float = 10.0
    """How long nothing may come at all, whoever is asked, before the work has failed."""

    tries: int = 2
    """How often one leg is asked for the same thing, the first time included."""

    hedge: HedgeSettings = field(default_factory=HedgeSettings)
    replay_s: float = 30.0
    """How much of an utterance's audio is kept for another recogniser."""

    replays: int = 3
    """How often one utterance's audio is sent again."""

    apology: str = "Sorry, I am having trouble at the moment. Please try again in a little while."
    """Said when nobody can answer or speak, from audio that was made ahead; empty for none."""

"""Legs, and what all sessions of a process know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from warmline.failover.health import Health
from warmline.failover.hedging import HedgeBudget
from warmline.failover.made_ahead import MadeAhead
from warmline.failover.patience import MeasuredTimes
from warmline.failover.settings import FailoverSettings

__all__ = ["FailoverState", "Leg"]

ProviderT_co = TypeVar("ProviderT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Leg(Generic[ProviderT_co]):
    """A provider in a role."""

    provider: ProviderT_co
    name: str
    """As in the configuration, such as `openai`; no two legs of a role have the same."""

    can_continue: bool = True
    """Of a language model: whether it can go on with an answer that another began."""


@dataclass(frozen=True, slots=True)
class FailoverState:
    """What the sessions of a process share about failures; nothing in it belongs to one session."""

    settings: FailoverSettings = field(default_factory=FailoverSettings)
    health: Health = field(default_factory=Health)
    times: MeasuredTimes = field(default_factory=MeasuredTimes)
    hedges: HedgeBudget = field(default_factory=HedgeBudget)
    made_ahead: MadeAhead = field(default_factory=MadeAhead)

"""What can be seen of a pool from outside, for people."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PoolView"]


@dataclass(frozen=True, slots=True)
class PoolView:
    """The lines to one place, as they are now; holds no URL and no key."""

    name: str
    """The endpoint's, such as `openai`."""

    kind: str
    """What the lines carry: `http`, `http2` or `socket`."""

    region: str
    """The host that they lead to, or new ones do."""

    is_current: bool
    """Whether new work goes there; of several base URLs one is in use at a time."""

    idle: int
    """Free lines."""

    leased: int
    opening: int
    draining: int
    waiting: int
    """Callers without a line."""

    warm_target: int
    """Free lines that should stand ready."""

    most: int
    """Lines at once, in whatever state."""

    opened: int
    """Lines opened since the start."""

    oldest_s: float | None
    """How long the oldest one has been open; None if none is."""

    round_trip_s: float | None
    """To there and back, the median of the last measurements; None if it was not measured."""

    is_broken: bool
    """It has kept failing, and is tried only now and then."""

    problem: str
    """Why the last opening failed, in words; empty since one succeeded."""

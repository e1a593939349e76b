"""Which of a provider's base URLs is the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Region", "nearest"]

_GAIN: Final = 0.8
"""Another region must answer in less than this share of the present one's round trip."""

_GAIN_S: Final = 0.005
"""And be at least so much nearer: below that, moving is not felt."""


@dataclass(frozen=True, slots=True)
class Region:
    """A base URL as it has been measured."""

    url: str
    round_trip_s: float | None
    """The median of the last few probes; None if it has not answered any."""

    is_broken: bool = False


def nearest(regions: Sequence[Region], current: str) -> str:
    """Return the base URL to use: the nearest that works, and the present one if in doubt.

    Moving costs a warm line or two, so a region must be clearly nearer to be moved to. A broken
    one is left at once; if all are broken, the present one stays.
    """
    working = [region for region in regions if not region.is_broken]
    measured = [region for region in working if region.round_trip_s is not None]
    here = next((region for region in working if region.url == current), None)
    best = min(measured, key=lambda region: region.round_trip_s or 0.0, default=None)
    if here is None:
        return best.url if best else (working[0].url if working else current)
    if best is None or best.round_trip_s is None:
        return current
    if here.round_trip_s is None:
        return best.url
    gain_s = here.round_trip_s - best.round_trip_s
    is_nearer = best.round_trip_s < here.round_trip_s * _GAIN and gain_s >= _GAIN_S
    return best.url if is_nearer else current

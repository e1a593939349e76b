"""What to do after a failure. Decisions only; no I/O, and no randomness but what is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmline.channels.whatsapp.failure_kinds import GraphFailureKind

__all__ = ["CONFIRM_S", "Confirm", "GiveUp", "NextStep", "Pause", "Wait", "next_step"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again in a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Try nothing at all, for anybody, until the operator has acted; then try again."""


@dataclass(frozen=True, slots=True)
class Confirm:
    """Wait for a status that carries this message's callback data: it proves that it was accepted.

    If none has come by then, it was not accepted, as far as can be known, and is to be sent again.
    """

    within_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It has failed."""


NextStep = Wait | Pause | Confirm | GiveUp


@dataclass(frozen=True, slots=True)
class _Backoff:
    first_s: float
    growth: float
    longest_s: float
    tries: int
    """In all; after so many it has failed."""

    spread: float = 0.0
    """How much of the wait is left to chance: 0 for none, 1 for all."""

    def step(self, tries: int, chance: float) -> Wait | None:
        """Return the wait after so many tries; None if there were enough."""
        if tries >= self.tries:
            return None
        # Beyond 64 doublings a float of 4**n would not be one any more.
        whole_s = min(self.first_s * self.growth ** min(tries - 1, 64), self.longest_s)
        return Wait(whole_s * (1 - self.spread * chance))


_BACKOFFS: Final[Mapping[GraphFailureKind, _Backoff]] = {
    # 4^n s, n from 0, is Meta's advice (.../whatsapp/support/error-codes, 131056). At one message in 6 s the
    # debt of the greatest burst that is allowed, 45 messages, is worked off in 270 s; this waits for 341.
    GraphFailureKind.PAIR_RATE: _Backoff(1.0, 4.0, 64.0, tries=9),
    # Limits are by the second, the hour and the day. Chance keeps those who wait from coming back at once.
    GraphFailureKind.THROUGHPUT: _Backoff(1.0, 2.0, 60.0, tries=12, spread=0.5),
    # Some four minutes: an answer that late is worth having still.
    GraphFailureKind.TRANSIENT: _Backoff(0.3, 2.0, 60.0, tries=12, spread=0.25),
    # Once more with a new address, or a new upload.
    GraphFailureKind.MEDIA_GONE: _Backoff(0.0, 1.0, 0.0, tries=2),
}

CONFIRM_S: Final = 20.0
"""How long a status is waited for the first time."""

_CONFIRM: Final = _Backoff(CONFIRM_S, 3.0, 180.0, tries=4)
"""Statuses come within a second or two as a rule, and late where webhooks can't be delivered."""


def next_step(kind: GraphFailureKind, tries: int, *, sending: bool, chance: float = 0.5) -> NextStep:
    """Return what to do after a failure.

    Args:
        kind: What failed last.
        tries: How many have failed by now, this one included; at least 1.
        sending: Whether it was a message, which must not arrive twice.
        chance: 0 to 1, drawn anew for each failure.
    """
    if kind is GraphFailureKind.TOKEN:
        return Pause()
    if kind is GraphFailureKind.UNKNOWN_OUTCOME:
        if sending:
            wait = _CONFIRM.step(tries, chance)
            return GiveUp() if wait is None else Confirm(wait.seconds)
        kind = GraphFailureKind.TRANSIENT
    backoff = _BACKOFFS.get(kind)
    wait = None if backoff is None else backoff.step(tries, chance)
    return GiveUp() if wait is None else wait

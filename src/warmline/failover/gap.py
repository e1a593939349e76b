"""A stretch in which nothing comes, and what is done about it when. Decisions only; no I/O, no clock."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

__all__ = ["Gap", "Step", "next_step"]


class Step(enum.Enum):
    """What is done when nothing comes."""

    HEDGE = "hedge"
    """Ask a second time, although nobody is late yet."""

    ASK = "ask"
    """Take those who were asked for late, and ask somebody else as well."""

    GIVE_UP = "give up"


@dataclass(slots=True)
class Gap:
    """How it was tried so far to fill one."""

    asked: list[str] = field(default_factory=list)
    """Legs, the one included after whose last piece nothing new came."""

    refused: frozenset[str] = frozenset()
    next_at_s: float | None = None
    """When the next attempt is due, once one was late."""

    is_hedged: bool = False


def next_step(
    gap: Gap,
    owed_s: float,
    *,
    patience_s: float,
    give_up_s: float,
    hedge_s: float | None,
    is_anybody_left: bool,
) -> tuple[float, Step]:
    """Return when something has to be done if nothing comes, and what.

    Args:
        gap: As it is.
        owed_s: Since when something is owed.
        patience_s: How long the first of those who are asked may take.
        give_up_s: How long nothing may come at all.
        hedge_s: After how long a second request may be made; None for never.
        is_anybody_left: Whether there is somebody to ask.
    """
    steps = [(owed_s + give_up_s, Step.GIVE_UP)]
    if is_anybody_left:
        steps.append((owed_s + patience_s if gap.next_at_s is None else gap.next_at_s, Step.ASK))
        if hedge_s is not None and not gap.is_hedged:
            steps.append((owed_s + hedge_s, Step.HEDGE))
    return min(steps, key=lambda step: step[0])

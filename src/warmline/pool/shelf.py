"""Which line goes to whom, which is opened, kept alive or closed: decided here, done elsewhere.

Values in, a value out; no I/O and no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from warmline.pool.states import LineState

__all__ = ["Plan", "ShelfPolicy", "ShelvedLine", "plan"]


@dataclass(frozen=True, slots=True)
class ShelfPolicy:
    """How many lines there should be, and how long one is good for."""

    warm_target: int = 1
    """Free lines that should stand ready, beyond those in use."""

    max_lines: int = 10
    """Lines at once, in whatever state."""

    idle_limit_s: float = 30.0
    """How long the far end, or we, let a line be unused."""

    max_age_s: float = 3600.0
    """How long a line may be open."""

    renew_margin_s: float = 5.0
    """How long before either limit a replacement is opened."""

    keep_alive_s: float | None = None
    """After how long without use a free line is kept alive; None if it is renewed instead."""


@dataclass(frozen=True, slots=True)
class ShelvedLine:
    """A line as the plan sees it; instants are seconds of the pool's clock."""

    id: str
    state: LineState
    opened_at_s: float = 0.0
    used_at_s: float = 0.0
    """When it last did something: was opened, came back, or was kept alive."""

    leases: int = 0
    capacity: int = 1
    """Leases that it takes at once; more than one on HTTP/2."""

    is_being_kept_alive: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now."""

    grant: tuple[str, ...]
    """A line for each waiter, the longest waiting first; there may be more waiters than lines.

    The same line may stand here several times, as far as its capacity goes.
    """

    close: tuple[str, ...]
    keep_alive: tuple[str, ...]
    open: int
    next_in_s: float | None
    """When to plan again, if nothing happens before; None if only an event can change anything."""


def plan(
    lines: Sequence[ShelvedLine],
    *,
    waiting: int,
    policy: ShelfPolicy,
    now_s: float,
    may_open: int | None = None,
) -> Plan:
    """Return what to do with the lines there are.

    Of the free lines the one used last is given first, so that the others can grow old and be
    closed. A line past a limit is never given. One that is near a limit is, but is replaced:
    it counts as free no more, so that another is opened, and is closed when that is there.

    Args:
        lines: All that are not closed.
        waiting: Callers without a line.
        policy: The endpoint's.
        now_s: The instant.
        may_open: How many may be opened, however many are missing; None for as many as fit.
    """
    usable = [line for line in lines if _is_usable(line, policy, now_s)]
    idle = sorted(
        (line for line in usable if line.state is LineState.IDLE),
        key=lambda line: (_is_fresh(line, policy, now_s), line.used_at_s),
        reverse=True,
    )
    shared = [line for line in usable if line.state is LineState.LEASED and line.leases < line.capacity]

    # Lines that are in use and have room come first: another is not worth waking for it.
    grant: list[str] = []
    taken: set[str] = set()
    for line in (*shared, *idle):
        places = min(line.capacity - line.leases, waiting - len(grant))
        if places > 0:
            grant.extend([line.id] * places)
            taken.add(line.id)

    free = [line for line in idle if line.id not in taken]
    fresh = [line for line in free if _is_fresh(line, policy, now_s)]
    ageing = [line for line in free if not _is_fresh(line, policy, now_s)]
    expired = [line for line in lines if line.state is LineState.IDLE and line not in usable]

    opening = sum(line.state is LineState.OPENING for line in lines)
    unserved = waiting - len(grant)
    spare_wanted = max(policy.warm_target - len(fresh), 0)
    missing = max(unserved + spare_wanted - opening, 0)

    close = list(expired)
    # One that is near its end stays while it is the best there is, and makes room where there is none.
    kept = ageing[: max(policy.warm_target - len(fresh), 0)]
    close.extend(line for line in ageing if line not in kept)
    room = policy.max_lines - (len(lines) - len(close))
    if missing and room <= 0 and kept:
        close.append(kept.pop())
    room = max(policy.max_lines - len(lines), 0)
    to_open = min(missing, room) if may_open is None else min(missing, room, may_open)

    closing = {line.id for line in close}
    keep_alive = [line for line in free if line.id not in closing and _is_quiet(line, policy, now_s)]
    return Plan(
        grant=tuple(grant),
        close=tuple(line.id for line in close),
        keep_alive=tuple(line.id for line in keep_alive),
        open=to_open,
        next_in_s=_next_in_s(
            [line for line in free if line.id not in closing and line not in keep_alive], policy, now_s
        ),
    )


def _left_s(line: ShelvedLine, policy: ShelfPolicy, now_s: float) -> float:
    """Return how long the line is good for."""
    return min(
        line.used_at_s + policy.idle_limit_s - now_s,
        line.opened_at_s + policy.max_age_s - now_s,
    )


def _is_usable(line: ShelvedLine, policy: ShelfPolicy, now_s: float) -> bool:
    if line.state is LineState.IDLE:
        return _left_s(line, policy, now_s) > 0
    return line.state is LineState.LEASED and line.opened_at_s + policy.max_age_s > now_s


def _is_fresh(line: ShelvedLine, policy: ShelfPolicy, now_s: float) -> bool:
    return _left_s(line, policy, now_s) > policy.renew_margin_s


def _is_quiet(line: ShelvedLine, policy: ShelfPolicy, now_s: float) -> bool:
    if policy.keep_alive_s is None or line.is_being_kept_alive:
        return False
    return now_s - line.used_at_s >= policy.keep_alive_s


def _next_in_s(free: Sequence[ShelvedLine], policy: ShelfPolicy, now_s: float) -> float | None:
    instants = []
    for line in free:
        left_s = _left_s(line, policy, now_s)
        instants.append(left_s - policy.renew_margin_s if left_s > policy.renew_margin_s else left_s)
        if policy.keep_alive_s is not None and not line.is_being_kept_alive:
            instants.append(line.used_at_s + policy.keep_alive_s - now_s)
    # A little late rather than a little early: early, the same plan would come out again and again.
    return max(min(instants), 0.0) + 0.001 if instants else None

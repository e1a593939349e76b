"""A piece of work that somebody else goes on with where one leg fails.

Attempts run beside each other. The first that gives anything leads: what it gives is passed on, and
the others are cancelled. Where the leader is quiet for too long or breaks off, the rest of the work
is asked for again; should a leader that was only late come back first, it goes on leading.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock
from warmline.core.setback import OnSetback, ProviderRole, Remedy, Setback, SetbackKind
from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.failover.attempts import Attempt, Source, gives_anything
from warmline.failover.gap import Gap, Step, next_step
from warmline.failover.health import LegEvent, next_leg
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.patience import Wait, deadline_s

__all__ = ["Relay"]

ProviderT = TypeVar("ProviderT")
PieceT = TypeVar("PieceT")

_GRACE_S: Final = 0.002
"""The loop may have been away for longer than a deadline: what has arrived meanwhile is read first."""

_MOST_ATTEMPTS: Final = 8
"""For one piece of work, however far each attempt gets."""


class Relay(ABC, Generic[ProviderT, PieceT]):
    """What is done, by whichever leg does it.

    What changes here: the attempts, the leader and the gap, in `start`, `next` and what they call.
    """

    role: ClassVar[ProviderRole]
    first_wait: ClassVar[Wait]
    stall_wait: ClassVar[Wait]
    ahead: ClassVar[int]
    """Pieces that are read before a provider is made to wait."""

    def __init__(
        self,
        legs: Sequence[Leg[ProviderT]],
        state: FailoverState,
        clock: Clock,
        on_setback: OnSetback | None,
    ) -> None:
        """Prepare; nothing is asked for until `start`.

        Args:
            legs: In the operator's order; at least one.
            state: The process's.
            clock: The session's.
            on_setback: Told of what goes wrong.
        """
        if not legs:
            raise ValueError(f"nobody to ask: no {self.role.value}")
        self.clock = clock
        self.state = state
        self.leader: Attempt[ProviderT, PieceT] | None = None
        """Whose pieces are passed on; None before the first."""

        self._legs = {leg.name: leg for leg in legs}
        self._on_setback = on_setback
        self._attempts: list[Attempt[ProviderT, PieceT]] = []
        self._count = 0
        self._patience_s: dict[tuple[str, Wait], float] = {}
        self._gap = Gap()
        self._is_anybody_left = True
        """As far as is known: whom to ask is looked up when somebody has to be asked."""

        self._is_changed = False
        self._waiting: anyio.Event | None = None
        self._tasks: TaskGroup | None = None

    @abstractmethod
    def source(self, leg: Leg[ProviderT], *, is_again: bool) -> Source[PieceT]:
        """Return what gives the rest of the work.

        Args:
            leg: Who does it.
            is_again: Whether the leg failed before at this work: it should take another line.
        """

    @abstractmethod
    def owed_since_s(self, attempt: Attempt[ProviderT, PieceT]) -> float | None:
        """Return since when the attempt owes something; None if it does not."""

    @abstractmethod
    def is_piece(self, piece: PieceT) -> bool:
        """Return whether that is anything; what is not is dropped."""

    def may_take(self, leg: Leg[ProviderT]) -> bool:
        """Return whether the leg can do the rest of the work."""
        del leg
        return True

    def wrong_end(self, attempt: Attempt[ProviderT, PieceT]) -> ProviderError | None:
        """Return why an attempt should not have ended where it did; None if it should."""
        del attempt
        return None

    def leads(self, attempt: Attempt[ProviderT, PieceT]) -> None:
        """Learn that an attempt is about to lead that did not before."""

    def lost(self, attempt: Attempt[ProviderT, PieceT]) -> None:
        """Learn that an attempt failed, or did not give in time what it owed."""

    async def until_begun(self) -> None:
        """Return when a leg can be expected to give something."""

    def patience_s(self, leg: str, wait: Wait) -> float:
        """Return how long to wait for a leg; the same throughout the work."""
        known_s = self._patience_s.get((leg, wait))
        if known_s is None:
            known_s = deadline_s(self.state.times.of(leg, wait), self.state.settings.bounds[wait])
            self._patience_s[leg, wait] = known_s
        return known_s

    def hedge_s(self, leg: str) -> float | None:
        """Return after how long the first result is asked for again, if it may be; None if it may not."""
        del leg
        return None

    def give_up_s(self) -> float:
        """Return how long nothing at all may come."""
        return self.state.settings.give_up_s

    def start(self, tasks: TaskGroup) -> None:
        """Ask the first choice."""
        self._tasks = tasks
        choice = self.state.health.choice(self.role, list(self._legs), self.clock.now_s())
        first, preferred = choice.order[0], next(iter(self._legs))
        self._begin(first)
        if first != preferred:
            self._tell(preferred, SetbackKind.SKIPPED, Remedy.NONE, first, 0.0)
        if choice.trial:
            self._note(choice.trial, LegEvent.PROBE_BEGAN)
            tasks.start_soon(self._try, self._legs[choice.trial])

    async def next(self) -> PieceT | None:
        """Return the next piece, or None at the end.

        Raises:
            ProviderError: nobody is left who could go on, or nothing came from anybody for too long.
        """
        while True:
            self._is_changed = False
            for attempt in self._attempts:
                if attempt.is_ready:
                    self._follow(attempt)
                    return attempt.take()
            for attempt in [*self._attempts]:
                problem = attempt.problem
                if attempt.is_over:
                    problem = self.wrong_end(attempt)
                    if problem is None:
                        self._follow(attempt)
                        return None
                if problem is not None:
                    self._failed(attempt, problem)
            due = self._due()
            if not await self._change_by(None if due is None else due[0]):
                due = self._due()  # Something may be owed no more, of which nobody told.
                if due is not None and due[0] <= self.clock.now_s() + _GRACE_S:
                    self._late(due[1])

    def stop(self) -> None:
        """Have every attempt stop; returns at once."""
        self._measure(self.leader)
        for attempt in self._attempts:
            self._drop(attempt)

    def went_on(self) -> None:
        """Note that something new came of the work: who is asked next may be anybody again."""
        if self.leader is not None and self._gap.asked != [self.leader.leg.name]:
            self._gap = Gap([self.leader.leg.name])

    def changed(self) -> None:
        """Look again: something has changed that the next step depends on."""
        self._is_changed = True
        if self._waiting is not None:
            self._waiting.set()

    def _begin(self, name: str) -> None:
        assert self._tasks is not None, "start it first"
        leg = self._legs[name]
        attempt = Attempt(
            leg,
            self.source(leg, is_again=name in self._gap.asked),
            self.clock,
            ahead=self.ahead,
            is_wanted=self.is_piece,
            on_arrival=self._arrived,
            on_change=self.changed,
        )
        self._count += 1
        self._gap.asked.append(name)
        self._attempts.append(attempt)
        self._tasks.start_soon(attempt.run)

    def _next_leg(self) -> str | None:
        """Return who is asked next; None if there is nobody."""
        if self._count >= _MOST_ATTEMPTS:
            return None
        able = [name for name, leg in self._legs.items() if self.may_take(leg)]
        order = self.state.health.choice(self.role, able, self.clock.now_s()).order
        tries = self.state.settings.tries
        return next_leg(order, asked=self._gap.asked, refused=self._gap.refused, tries=tries)

    def _arrived(self, attempt: Attempt[ProviderT, PieceT]) -> None:
        """Measure how long a piece was waited for."""
        owed_s = self.owed_since_s(attempt)
        if owed_s is None:
            return
        took_s = self.clock.now_s() - owed_s
        if attempt.has_begun:
            attempt.longest_quiet_s = max(attempt.longest_quiet_s, took_s)
        else:
            self.state.times.add(attempt.leg.name, self.first_wait, took_s)

    def _follow(self, attempt: Attempt[ProviderT, PieceT]) -> None:
        """Have an attempt lead that gives something, and cancel all others."""
        if attempt is not self.leader:
            self._measure(self.leader)
            self.leads(attempt)
            self.leader = attempt
            self._note(attempt.leg.name, LegEvent.SUCCEEDED)
        elif attempt.is_late:
            self._note(attempt.leg.name, LegEvent.SUCCEEDED)
        attempt.is_late = False
        for other in self._attempts:
            if other is not attempt:
                self._drop(other)
        if len(self._attempts) > 1:
            self._attempts = [attempt]
        self._gap.next_at_s = None
        self._is_anybody_left = True

    def _drop(self, attempt: Attempt[ProviderT, PieceT]) -> None:
        if attempt.is_late:
            self.lost(attempt)
            owed_s = self.owed_since_s(attempt)
            if not attempt.has_begun and owed_s is not None:
                self.state.times.add(attempt.leg.name, self.first_wait, self.clock.now_s() - owed_s)
        attempt.cancel()

    def _measure(self, attempt: Attempt[ProviderT, PieceT] | None) -> None:
        """Note the longest quiet of an attempt that has given something."""
        if attempt is None:
            return
        quiet_s = attempt.longest_quiet_s
        if not attempt.is_over and (owed_s := self.owed_since_s(attempt)) is not None:
            quiet_s = max(quiet_s, self.clock.now_s() - owed_s)
        self.state.times.add(attempt.leg.name, self.stall_wait, quiet_s)

    def _due(self) -> tuple[float, Step] | None:
        """Return when what has to be done if nothing comes; None if nothing is owed."""
        owed_s = self._owed_s()
        if owed_s is None:
            return None
        newest = self._attempts[-1]
        wait = self.stall_wait if newest.has_begun else self.first_wait
        return next_step(
            self._gap,
            owed_s,
            patience_s=self.patience_s(newest.leg.name, wait),
            give_up_s=self.give_up_s(),
            hedge_s=self.hedge_s(newest.leg.name) if self.leader is None else None,
            is_anybody_left=self._is_anybody_left,
        )

    def _owed_s(self) -> float | None:
        """Return since when something is owed; None while anybody owes nothing, and may just go on."""
        owed = [self.owed_since_s(attempt) for attempt in self._attempts]
        times = [owed_s for owed_s in owed if owed_s is not None]
        return min(times) if times and len(times) == len(owed) else None

    async def _change_by(self, due_s: float | None) -> bool:
        """Wait for anything to happen; return False if nothing did in time."""
        if self._is_changed:
            return True
        self._waiting = anyio.Event()
        try:
            with anyio.move_on_after(None if due_s is None else max(due_s - self.clock.now_s(), _GRACE_S)):
                await self._waiting.wait()
        finally:
            self._waiting = None
        return self._is_changed

    def _late(self, step: Step) -> None:
        newest = self._attempts[-1]
        owed_s = self.owed_since_s(newest)
        now_s = self.clock.now_s()
        lost_s = now_s - (newest.began_at_s if owed_s is None else owed_s)
        kind = SetbackKind.STALLED if newest.has_begun else SetbackKind.LATE
        name = self._next_leg()
        if name is None and step is not Step.GIVE_UP:
            self._is_anybody_left = False
            return
        if step is Step.GIVE_UP or name is None:
            self._tell(newest.leg.name, kind, Remedy.NONE, "", lost_s)
            if not newest.is_late:
                self._note(newest.leg.name, LegEvent.MISSED)
            raise ProviderUnavailable(
                f"nobody gave anything for {self.give_up_s():g} s; asked: {', '.join(self._gap.asked)}",
                provider=newest.leg.name,
                phase="stream" if self.leader is not None else "first_result",
            )
        if step is Step.HEDGE:
            self._gap.is_hedged = True
            if self.state.hedges.may_hedge(self.state.settings.hedge.share):
                self._begin(name)
                self._tell(newest.leg.name, SetbackKind.SLOW, Remedy.HEDGE, name, lost_s)
            return
        if not newest.is_late:
            self._note(newest.leg.name, LegEvent.MISSED)
        for attempt in self._attempts:
            attempt.is_late = True
        name = self._next_leg() or name
        remedy = self._remedy
        self._begin(name)
        self._gap.next_at_s = now_s + self.state.settings.again_s
        self._tell(newest.leg.name, kind, remedy, name, lost_s)

    def _failed(self, attempt: Attempt[ProviderT, PieceT], problem: ProviderError) -> None:
        """Go on without an attempt that has failed.

        Raises:
            ProviderError: there is nobody who could.
        """
        is_newest = attempt is self._attempts[-1]
        self._attempts.remove(attempt)
        self.lost(attempt)
        leg = attempt.leg.name
        lost_s = self.clock.now_s() - attempt.quiet_since_s
        kind = SetbackKind.CUT if attempt.has_begun else SetbackKind.UNAVAILABLE
        if isinstance(problem, ProviderRejected):
            kind = SetbackKind.REFUSED
            self._gap.refused |= {leg}
            self._note(leg, LegEvent.REFUSED)
        elif not attempt.is_late:
            self._note(leg, LegEvent.MISSED)
        if self._attempts and not is_newest:
            if not attempt.is_late:  # Of one that was, it was told that another is at it.
                self._tell(leg, kind, Remedy.NONE, self._attempts[-1].leg.name, lost_s, str(problem))
            return
        name = self._next_leg()
        if name is None:
            self._tell(leg, kind, Remedy.NONE, "", lost_s, str(problem))
            if not self._attempts:
                raise problem
            return
        remedy = self._remedy
        self._begin(name)
        if self._gap.next_at_s is not None:
            self._gap.next_at_s = self.clock.now_s() + self.state.settings.again_s
        self._tell(leg, kind, remedy, name, lost_s, str(problem))

    @property
    def _remedy(self) -> Remedy:
        return Remedy.CONTINUATION if self.leader is not None else Remedy.RETRY

    async def _try(self, leg: Leg[ProviderT]) -> None:
        """Find out beside the work whether a leg that was down does it again; what it gives is not used."""
        event = LegEvent.PROBE_ABANDONED
        try:
            await self.until_begun()
            limit_s = self.state.settings.bounds[self.first_wait].ceiling_s
            gives = await gives_anything(self.source(leg, is_again=True), self.is_piece, limit_s)
            event = LegEvent.PROBE_SUCCEEDED if gives else LegEvent.PROBE_FAILED
        finally:
            self._note(leg.name, event)

    def _note(self, leg: str, event: LegEvent) -> None:
        self.state.health.note(self.role, leg, event, self.clock.now_s())

    def _tell(
        self, leg: str, kind: SetbackKind, remedy: Remedy, taken_by: str, lost_s: float, detail: str = ""
    ) -> None:
        if self._on_setback is not None:
            self._on_setback(
                Setback(self.role, leg, kind, remedy, taken_by, self.clock.now_s(), lost_s, detail)
            )

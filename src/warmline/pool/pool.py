"""Carrying out the shelf's plan: lines are opened, lent, kept alive and closed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Generic, Self

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock
from warmline.core.line_use import LineUse, OnLine
from warmline.core.urgency import is_in_background
from warmline.errors import LeaseTimeout, OpenFailed, PoolClosed, PoolError
from warmline.pool.breaker import Breaker
from warmline.pool.line import LineT, OpenLine
from warmline.pool.shelf import ShelfPolicy, plan
from warmline.pool.states import LineEvent, LineState, next_state
from warmline.pool.view import PoolView
from warmline.pool.waiting import Shelved, Waiter, Waiters

__all__ = ["Pool"]

_log = logging.getLogger(__name__)

_CLOSE_S: Final = 2.0
"""How long saying goodbye to a far end may take."""

_KEEP_ALIVE_S: Final = 5.0
"""A line that does not answer for so long is of no use."""

_STANDS_S: Final = 2.0
"""A line that is dropped sooner, before anybody had it, counts as one that could not be opened."""

_SELDOM_S: Final = 3600.0
"""When to look again where only an event can change anything."""


_Errand = Callable[[Shelved[LineT]], Coroutine[Any, Any, None]]


class Pool(Generic[LineT]):
    """The lines to one base URL, shared by all sessions of the process.

    Use as an async context manager; leaving it closes every line.

    What changes here: `_lines`, `_waiters` and the lines' states, only in methods that do not
    await; so no decision is ever made on half a picture. Opening, keeping alive and closing run
    as tasks of the pool, and hold nothing that a caller waits for.
    """

    def __init__(
        self,
        name: str,
        open_line: OpenLine[LineT],
        policy: ShelfPolicy,
        clock: Clock,
        *,
        max_waiting: int = 100,
        on_round_trip: Callable[[float], None] | None = None,
        region: str = "",
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            name: The endpoint's, for people.
            open_line: How a line is opened.
            policy: How many lines, and how long one is good for.
            clock: The process's.
            max_waiting: Callers that may wait for a line at once; one more is refused.
            on_round_trip: Called with each round trip that is measured, in seconds.
            region: The host that all lines lead to, for people.
        """
        self.name = name
        self.breaker = Breaker()
        self.problem: PoolError | None = None
        """Why the last opening failed; None since one succeeded."""

        self.opened_count = 0
        """Lines opened so far."""

        self._open_line = open_line
        self._policy = policy
        self._clock = clock
        self._max_waiting = max_waiting
        self._on_round_trip = on_round_trip
        self._region = region
        self._lines: dict[str, Shelved[LineT]] = {}
        self._waiters = Waiters[LineT]()
        self._numbers = 0
        self._todo: deque[tuple[_Errand[LineT], Shelved[LineT]]] = deque()
        self._next_at_s = 0.0
        self._changed = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._is_open = False
        self._was_stillborn = False

    def __repr__(self) -> str:
        states = [shelved.state for shelved in self._lines.values()]
        counts = ", ".join(
            f"{states.count(state)} {state.value}" for state in LineState if state is not LineState.CLOSED
        )
        breaker = ", breaker open" if self.breaker.is_open else ""
        return (
            f"<Pool {self.name}: {counts} of {self._policy.max_lines}, {len(self._waiters)} waiting{breaker}>"
        )

    @property
    def policy(self) -> ShelfPolicy:
        """How many lines, and how long one is good for; may be replaced while the pool runs."""
        return self._policy

    @policy.setter
    def policy(self, policy: ShelfPolicy) -> None:
        self._policy = policy
        self._carry_out()

    @property
    def idle_count(self) -> int:
        """Free lines."""
        return sum(shelved.state is LineState.IDLE for shelved in self._lines.values())

    @property
    def open_count(self) -> int:
        """Lines that are open, free or not."""
        return sum(shelved.line is not None for shelved in self._lines.values())

    def view(
        self,
        *,
        kind: str,
        is_current: bool = True,
        round_trip_s: float | None = None,
        region: str = "",
    ) -> PoolView:
        """Return what is to be seen of it now.

        Args:
            kind: What its lines carry.
            is_current: Whether new work goes there.
            round_trip_s: To there and back, if it was measured.
            region: The host that new lines lead to, where that changes.
        """
        states = [shelved.state for shelved in self._lines.values()]
        opened_at_s = [shelved.opened_at_s for shelved in self._lines.values() if shelved.line is not None]
        return PoolView(
            name=self.name,
            kind=kind,
            region=region or self._region,
            is_current=is_current,
            idle=states.count(LineState.IDLE),
            leased=states.count(LineState.LEASED),
            opening=states.count(LineState.OPENING),
            draining=states.count(LineState.DRAINING),
            waiting=len(self._waiters),
            warm_target=self._policy.warm_target,
            most=self._policy.max_lines,
            opened=self.opened_count,
            oldest_s=self._clock.now_s() - min(opened_at_s) if opened_at_s else None,
            round_trip_s=round_trip_s,
            is_broken=self.breaker.is_open,
            problem=str(self.problem) if self.problem is not None else "",
        )

    @property
    def is_full(self) -> bool:
        """Whether the next caller waits until another is done; else for a line to be opened, at most."""
        leased = sum(shelved.state is LineState.LEASED for shelved in self._lines.values())
        return leased + len(self._waiters) >= self._policy.max_lines

    async def __aenter__(self) -> Self:
        """Begin to open lines; returns at once."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._is_open = True
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every line, leased or not; callers that wait get PoolClosed."""
        self._is_open = False
        for waiter in self._waiters:
            waiter.refuse(PoolClosed(f"waiting for a line to {self.name}: it is closing"))
        self._waiters.clear()
        tasks, self._tasks = self._tasks, None
        try:
            if tasks is not None:
                tasks.cancel_scope.cancel()
                await tasks.__aexit__(None, None, None)
        finally:
            # Whoever leaves may be being cancelled; the lines are closed all the same.
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as closing:
                    for shelved in list(self._lines.values()):
                        if shelved.line is not None:
                            closing.start_soon(shelved.line.aclose)
            self._lines.clear()

    async def until_warm(self) -> None:
        """Wait until a line is free, or opening one has failed.

        Raises:
            PoolError: opening failed; the pool goes on trying.
        """
        while not self.idle_count:
            if self.problem is not None:
                raise self.problem
            await self._changed.wait()

    @asynccontextmanager
    async def lease(self, *, wait_s: float, on_line: OnLine | None = None) -> AsyncIterator[LineT]:
        """Hold a line; a free one is had without awaiting anything.

        Work in the background (`warmline.core.urgency`) has half of the lines at most, and live turns are
        served before it.

        On leaving, a line that is not `is_reusable` is closed and another opened in its place.

        Args:
            wait_s: How long to wait for a line, in seconds.
            on_line: Told how the line was got.

        Raises:
            LeaseTimeout: none became free in time, or too many callers wait already.
            OpenFailed: the line opened for this caller could not be.
            PoolClosed: the pool is shutting down.
        """
        asked_at_s = self._clock.now_s()
        is_background = is_in_background()
        shelved = await self._take(wait_s, is_background)
        line = shelved.line
        assert line is not None
        if on_line is not None:
            now_s = self._clock.now_s()
            on_line(
                LineUse(
                    endpoint=self.name,
                    line_id=line.id,
                    reused=shelved.opened_at_s <= asked_at_s,
                    age_s=now_s - shelved.opened_at_s,
                    waited_s=now_s - asked_at_s,
                    cost=line.cost,
                    region=self._region,
                )
            )
        try:
            yield line
        finally:
            self._waiters.returned(is_in_background=is_background)
            self._give_back(shelved)

    async def _take(self, wait_s: float, is_background: bool) -> Shelved[LineT]:
        if not self._is_open:
            raise PoolClosed(f"leasing a line to {self.name}: the pool is not open")
        if len(self._waiters) >= self._max_waiting:
            raise LeaseTimeout(
                f"leasing a line to {self.name}: {len(self._waiters)} callers wait already; "
                "raise its limit of lines"
            )
        waiter = Waiter[LineT](is_in_background=is_background)
        self._waiters.add(waiter)
        self._carry_out()
        if waiter.shelved is not None:
            return waiter.shelved
        if self.breaker.is_open and not self.open_count:
            self._waiters.remove(waiter)
            raise OpenFailed(f"leasing a line to {self.name}: it has kept failing ({self.problem})")
        try:
            with anyio.move_on_after(wait_s):
                await waiter.served.wait()
        except BaseException:
            if waiter.shelved is not None:
                self._waiters.returned(is_in_background=is_background)
                self._give_back(waiter.shelved)
            raise
        finally:
            self._waiters.remove(waiter)
        if waiter.shelved is not None:
            return waiter.shelved
        raise waiter.problem or LeaseTimeout(
            f"leasing a line to {self.name}: none was free within {wait_s:g} s ({self!r})"
        )

    def _give_back(self, shelved: Shelved[LineT]) -> None:
        shelved.leases -= 1
        is_reusable = shelved.line is not None and shelved.line.is_reusable
        if shelved.state is LineState.LEASED:
            if not is_reusable:
                self._retire(shelved)
            elif not shelved.leases:
                shelved.used_at_s = self._clock.now_s()
                self._move(shelved, LineEvent.RETURNED)
        elif shelved.state is LineState.DRAINING and not shelved.leases:
            self._todo.append((self._close, shelved))
        self._carry_out()

    def _retire(self, shelved: Shelved[LineT]) -> None:
        """Let nobody have the line any more; it is closed when its last lease ends."""
        self._move(shelved, LineEvent.RETIRED)
        if not shelved.leases:
            self._todo.append((self._close, shelved))

    def _lost(self, shelved: Shelved[LineT]) -> None:
        """The far end dropped a line: the next is opened at once."""
        if shelved.state not in (LineState.IDLE, LineState.LEASED, LineState.DRAINING):
            return
        now_s = self._clock.now_s()
        if shelved.state is LineState.IDLE and now_s - shelved.opened_at_s < _STANDS_S:
            self._stillborn(now_s)
        self._move(shelved, LineEvent.LOST)
        self._carry_out()

    def _stillborn(self, now_s: float) -> None:
        """Note that the far end took a line and dropped it at once: not to be asked over and over."""
        self._was_stillborn = True
        self.breaker.failed(now_s)

    def _move(self, shelved: Shelved[LineT], event: LineEvent) -> None:
        shelved.state = next_state(shelved.state, event)
        if shelved.state is LineState.CLOSED:
            self._lines.pop(shelved.key, None)

    def _carry_out(self) -> None:
        """Plan, and do what needs no waiting; the rest is left to `_run`, which is woken."""
        if not self._is_open:
            return
        now_s = self._clock.now_s()
        if self._was_stillborn and self._has_line_that_stands(now_s):
            self._was_stillborn = False
            self.breaker.succeeded()
        wanted = plan(
            [shelved.view() for shelved in self._lines.values()],
            waiting=self._waiters.sought_for(self._policy.max_lines),
            policy=self._policy,
            now_s=now_s,
        )
        for key in wanted.grant:
            shelved = self._lines[key]
            shelved.leases += 1
            self._move(shelved, LineEvent.LEASED)
            self._waiters.serve(shelved)
        for key in wanted.close:
            self._retire(self._lines[key])
        for key in wanted.keep_alive:
            self._begin_keep_alive(self._lines[key])
        opening = wanted.open
        if opening and self.breaker.is_open:
            opening = 1 if self.breaker.try_now(now_s) else 0
        for _ in range(opening):
            self._begin_open()
        self._next_at_s = now_s + (wanted.next_in_s if wanted.next_in_s is not None else _SELDOM_S)
        if wanted.open > opening:
            self._next_at_s = min(self._next_at_s, now_s + self.breaker.pause_s(now_s) + 0.001)
        self._changed.set()
        self._changed = anyio.Event()

    def _has_line_that_stands(self, now_s: float) -> bool:
        return any(
            shelved.line is not None and now_s - shelved.opened_at_s >= _STANDS_S
            for shelved in self._lines.values()
        )

    def _begin_open(self) -> None:
        self._numbers += 1
        shelved = Shelved[LineT](self._numbers)
        self._lines[shelved.key] = shelved
        self._todo.append((self._open, shelved))

    def _begin_keep_alive(self, shelved: Shelved[LineT]) -> None:
        shelved.is_being_kept_alive = True
        if shelved.line is not None and shelved.line.capacity == 1:
            # While it is asked, it answers nobody else.
            shelved.is_lent_to_keep_alive = True
            shelved.leases += 1
            self._move(shelved, LineEvent.LEASED)
        self._todo.append((self._keep_alive, shelved))

    async def _run(self) -> None:
        """Start what was decided, and plan anew when time alone has changed something."""
        self._carry_out()
        while True:
            changed = self._changed
            tasks = self._tasks
            while self._todo and tasks is not None:
                errand, shelved = self._todo.popleft()
                tasks.start_soon(errand, shelved)
            with anyio.move_on_after(max(self._next_at_s - self._clock.now_s(), 0.0)) as timer:
                await changed.wait()
            if timer.cancelled_caught:
                self._carry_out()

    async def _open(self, shelved: Shelved[LineT]) -> None:
        try:
            line = await self._open_line(lambda: self._lost(shelved))
        except PoolError as error:
            self._open_failed(shelved, error)
            return
        if not self._was_stillborn:
            self.breaker.succeeded()
        self.problem = None
        self.opened_count += 1
        shelved.line = line
        shelved.opened_at_s = shelved.used_at_s = self._clock.now_s()
        self._move(shelved, LineEvent.OPENED)
        _log.debug("line.opened", extra={"pool": self.name, "line": line.id, "cost_s": line.cost.total_s})
        if not line.is_reusable:
            self._stillborn(shelved.opened_at_s)
            self._move(shelved, LineEvent.LOST)
        self._carry_out()

    def _open_failed(self, shelved: Shelved[LineT], error: PoolError) -> None:
        """Tell the caller who has waited longest, or all of them if there is no hope for now."""
        self._move(shelved, LineEvent.OPEN_FAILED)
        self.breaker.failed(self._clock.now_s())
        # One that is being opened while the pool closes is hung up on.
        if self.problem is None and self._is_open:
            _log.warning("line.open_failed", extra={"pool": self.name, "problem": str(error)})
        self.problem = error
        told = len(self._waiters) if self.breaker.is_open and not self.open_count else 1
        for _ in range(min(told, len(self._waiters))):
            self._waiters.pop().refuse(error)
        self._carry_out()

    async def _keep_alive(self, shelved: Shelved[LineT]) -> None:
        line = shelved.line
        assert line is not None
        round_trip_s: float | None = None
        try:
            with anyio.fail_after(_KEEP_ALIVE_S):
                round_trip_s = await line.keep_alive()
        except (PoolError, TimeoutError) as error:
            _log.debug("line.keep_alive_failed", extra={"pool": self.name, "problem": str(error)})
            if shelved.state in (LineState.IDLE, LineState.LEASED):
                self._move(shelved, LineEvent.RETIRED)
        shelved.is_being_kept_alive = False
        if round_trip_s is not None and self._on_round_trip is not None:
            self._on_round_trip(round_trip_s)
        if shelved.is_lent_to_keep_alive:
            shelved.is_lent_to_keep_alive = False
            self._give_back(shelved)
            return
        if shelved.state is LineState.IDLE:
            shelved.used_at_s = self._clock.now_s()
        elif shelved.state is LineState.DRAINING and not shelved.leases:
            self._todo.append((self._close, shelved))
        self._carry_out()

    async def _close(self, shelved: Shelved[LineT]) -> None:
        line = shelved.line
        assert line is not None
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await line.aclose()
        if shelved.state is LineState.DRAINING:
            self._move(shelved, LineEvent.CLOSED)
            self._carry_out()

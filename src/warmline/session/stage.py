"""What the parts of one session share: the floor, the context, the channel, the clock, the tasks."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVarTuple

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock
from warmline.core.ids import new_id
from warmline.interfaces.channel import Channel, EndReason, FloorChanged, SessionEvent, TurnSettings
from warmline.session.context import Context
from warmline.session.settings import SessionSettings
from warmline.turns.floor import Floor, FloorEvent, next_floor

__all__ = ["Stage"]

_log = logging.getLogger(__name__)
_Args = TypeVarTuple("_Args")


class Stage:
    """A session's common ground.

    What changes here: `floor`, only in `move`; `moved`, in `stir`; `turns` and `instructions` when the
    client changes them; `tasks` and `context_vars`, set while the session runs; `answered`, once, and
    `end_reason`, once.
    """

    def __init__(self, channel: Channel, settings: SessionSettings, clock: Clock) -> None:
        self.id = new_id("sess")
        self.channel = channel
        self.settings = settings
        self.clock = clock
        self.turns: TurnSettings = settings.turns
        self.instructions = settings.instructions
        self.context = Context(settings.context)
        self.floor = Floor.OPEN
        self.moved = anyio.Event()
        self.tasks: TaskGroup | None = None
        self.context_vars = contextvars.copy_context()
        self.answered = anyio.Event()
        """The person can hear and be heard: at once, or when the call is answered."""

        if not channel.is_ringing:
            self.answered.set()
        self.watchers: list[Callable[[SessionEvent], None]] = []
        """Told of every event beside the channel, and before it; must not fail."""

        self.ended = anyio.Event()
        self.end_reason: EndReason | None = None

    @property
    def is_ringing(self) -> bool:
        """Whether the person is still to answer the call."""
        return not self.answered.is_set()

    def move(self, event: FloorEvent) -> None:
        """Move the floor and tell the channel.

        Raises:
            InvalidTransition: `event` cannot happen now; a bug of ours.
        """
        before, self.floor = self.floor, next_floor(self.floor, event)
        if before is not self.floor:
            _log.debug("floor.moved", extra={"floor": self.floor.value, "by": event.value})
            self.send(FloorChanged(self.floor))
            self.stir()

    def send(self, event: SessionEvent) -> None:
        """Tell the channel, and whoever watches, what happened."""
        for watch in self.watchers:
            watch(event)
        self.channel.send(event)

    def stir(self) -> None:
        """Wake whoever waits for something to happen."""
        moved, self.moved = self.moved, anyio.Event()
        moved.set()

    def start(self, task: Callable[[*_Args], Coroutine[Any, Any, None]], *args: *_Args) -> None:
        """Start a task of the session; none is started before it runs or after it ended."""
        if self.tasks is not None and not self.ended.is_set():
            # A callback may come from a provider's thread, whose context knows of no event loop.
            tasks = self.tasks
            self.context_vars.copy().run(lambda: tasks.start_soon(task, *args))

    def end(self, reason: EndReason) -> None:
        """Ask the session to end; the first reason stands."""
        if self.end_reason is None:
            self.end_reason = reason
            self.ended.set()

"""The conversations that are being held, as they change, for pages that are open.

While no page is open, what is known of each session is kept and nothing else happens. A page that is slow
misses no change: it is told of the newest state of whatever has changed since it was told last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import anyio
import msgspec

from warmline.interfaces.channel import FloorChanged, SessionEvent, TurnMeasured
from warmline.session.session import Session
from warmline.timeline.report import TurnReport, TurnStatus

__all__ = ["Changes", "LiveCall", "LiveCalls", "Viewer"]


class LiveCall(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it is now; instants are seconds since 1970."""

    id: str
    channel: str
    facts: Mapping[str, str]
    began_s: float
    floor: str
    """A `Floor`'s value."""

    floor_s: float
    """When it came to be."""

    turns: int = 0
    """The number of the last turn that is over."""

    response_ms: float | None = None
    """Of the last turn that somebody had to wait in."""


class Changes(msgspec.Struct, frozen=True):
    """What has become of sessions since a page was told last."""

    changed: list[LiveCall]
    ended: list[str]


class Viewer:
    """An open page.

    What changes here: what it was not told yet, as sessions change and as it is told.
    """

    def __init__(self, live: LiveCalls) -> None:
        self._live = live
        self._untold: set[str] = set()
        self._stirred = anyio.Event()

    def stir(self, session_id: str | None = None) -> None:
        """Note that a session has changed or is over, or wake whoever waits."""
        if session_id is not None:
            self._untold.add(session_id)
        self._stirred.set()

    async def changes(self, within_s: float) -> Changes | None:
        """Wait for changes, and return them; None if there were none in time, or the server is stopping."""
        if not self._untold and not self._live.is_closed:
            with anyio.move_on_after(within_s):
                await self._stirred.wait()
        self._stirred = anyio.Event()
        if not self._untold:
            return None
        untold, self._untold = self._untold, set()
        calls = self._live.calls
        return Changes(
            [calls[each] for each in untold if each in calls],
            sorted(each for each in untold if each not in calls),
        )


class LiveCalls:
    """Watches every session of the process; implements `warmline.server.sessions.SessionObserver`.

    What changes here: `calls`, as sessions begin, change and end; `_viewers`, as pages come and go;
    `is_closed`, once.
    """

    def __init__(self, unix_now_s: Callable[[], float]) -> None:
        """Prepare.

        Args:
            unix_now_s: The wall clock, in seconds since 1970.
        """
        self._unix_now_s = unix_now_s
        self.calls: dict[str, LiveCall] = {}
        """By their ids, the oldest first."""

        self._viewers: set[Viewer] = set()
        self.is_closed = False
        """No more is told: the server is stopping."""

    def began(self, session_id: str, session: Session, facts: Mapping[str, str]) -> None:
        """Watch a session, which is about to run."""
        now_s = self._unix_now_s()
        self._put(
            LiveCall(
                id=session_id,
                channel=facts.get("channel", ""),
                facts=dict(facts),
                began_s=now_s,
                floor=session.floor.value,
                floor_s=now_s,
            )
        )
        session.watch(lambda event: self._take(session_id, event))

    def ended(self, session_id: str) -> None:
        """Know that a session is over."""
        self.calls.pop(session_id, None)
        self._tell(session_id)

    @contextmanager
    def viewed(self) -> Iterator[Viewer]:
        """Have changes told while inside."""
        viewer = Viewer(self)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def close(self) -> None:
        """Let go of every page."""
        self.is_closed = True
        for viewer in self._viewers:
            viewer.stir()

    def _take(self, session_id: str, event: SessionEvent) -> None:
        """Take an event; most are passed over, and so is what comes when the session is over."""
        if not isinstance(event, FloorChanged | TurnMeasured) or session_id not in self.calls:
            return
        call = self.calls[session_id]
        if isinstance(event, FloorChanged):
            floor = event.floor.value
            self._put(msgspec.structs.replace(call, floor=floor, floor_s=self._unix_now_s()))
        else:
            self._put(_with_turn(call, event.report))

    def _put(self, call: LiveCall) -> None:
        self.calls[call.id] = call
        self._tell(call.id)

    def _tell(self, session_id: str) -> None:
        for viewer in self._viewers:
            viewer.stir(session_id)


def _with_turn(call: LiveCall, report: TurnReport) -> LiveCall:
    response_ms, turns = call.response_ms, call.turns
    if report.user_text and report.response_us is not None and report.number >= turns:
        response_ms = report.response_us / 1000
    if report.status is not TurnStatus.PLAYING:
        turns = max(turns, report.number)
    return msgspec.structs.replace(call, turns=turns, response_ms=response_ms)

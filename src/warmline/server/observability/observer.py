"""From sessions' events to turns that are told to the log, the store and whoever else wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from warmline.core.clock import Clock
from warmline.interfaces.channel import SessionEvent, TurnMeasured
from warmline.reporting.events import TURN_EVENT, reported_turn, turn_fields
from warmline.reporting.turn import ReportedTurn
from warmline.server.vitals import Vitals
from warmline.session.session import Session
from warmline.timeline.report import TurnReport, TurnStatus

__all__ = ["KeptTurn", "Observer", "TurnSink", "log_turn"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn that is over, as it may be kept."""

    turn: ReportedTurn
    user_text: str
    """What the person said or typed; personal."""

    reply_text: str
    """All that was made of the reply; personal."""

    heard_text: str
    """The part of it that was played; personal."""

    is_correction: bool = False
    """It was told before: meanwhile the far end has said how much of the reply was played."""


TurnSink = Callable[[KeptTurn], None]
"""Takes each turn when it is over, on the event loop; neither blocks nor fails."""


class Observer:
    """Watches every session of the process; implements `warmline.server.sessions.SessionObserver`.

    What changes here: nothing; what is known of one session is in its watch.
    """

    def __init__(
        self,
        sinks: Sequence[TurnSink],
        clock: Clock,
        unix_now_s: Callable[[], float],
        vitals: Vitals,
        facts: Mapping[str, str],
    ) -> None:
        """Prepare.

        Args:
            sinks: Who takes turns, in this order.
            clock: The sessions'.
            unix_now_s: The wall clock, in seconds since 1970.
            vitals: How the process is doing.
            facts: What every session is held with, such as `llm`.
        """
        self._sinks = tuple(sinks)
        self._clock = clock
        self._unix_now_s = unix_now_s
        self._vitals = vitals
        self._facts = dict(facts)

    def began(self, session_id: str, session: Session, facts: Mapping[str, str]) -> None:
        """Watch a session, which is about to run; `facts` are its own."""
        session.watch(self.watching(session_id, facts))

    def watching(self, session_id: str, facts: Mapping[str, str]) -> Callable[[SessionEvent], None]:
        """Return what is to be told of a session's events; `facts` are its own."""
        return _Watch(self, session_id, {**self._facts, **facts}).take

    def ended(self, session_id: str) -> None:
        """Know that a session is over; its turns have been told."""

    def over(self, report: TurnReport, session_id: str, facts: Mapping[str, str], *, again: bool) -> None:
        """Tell of a turn."""
        began_s = report.origin_s
        since_s = self._clock.now_s() if began_s is None else began_s
        turn = reported_turn(
            report,
            call=session_id,
            origin_unix_s=None
            if began_s is None
            else round(self._unix_now_s() - (self._clock.now_s() - began_s), 6),
            facts=facts,
            loop_lag_ms=round(self._vitals.worst_lag_s(since_s) * 1000, 3),
            collector_ms=round(self._vitals.collected_s(since_s) * 1000, 3),
        )
        kept = KeptTurn(turn, report.user_text, report.reply_text, report.heard_text, again)
        for sink in self._sinks:
            sink(kept)


class _Watch:
    """What is known of one session.

    What changes here: the number of the last turn that was told.
    """

    def __init__(self, observer: Observer, session_id: str, facts: Mapping[str, str]) -> None:
        self._observer = observer
        self._session_id = session_id
        self._facts = facts
        self._told = 0

    def take(self, event: SessionEvent) -> None:
        """Take an event; all but turns that are over are passed over."""
        if not isinstance(event, TurnMeasured) or event.report.status is TurnStatus.PLAYING:
            return
        number = event.report.number
        self._observer.over(event.report, self._session_id, self._facts, again=number <= self._told)
        self._told = max(self._told, number)


def log_turn(kept: KeptTurn) -> None:
    """Log a turn, once; a `TurnSink`. `warmline report` reads these lines."""
    if kept.is_correction:
        return
    response_ms = kept.turn.response_ms
    fields = turn_fields(kept.turn)
    _log.info(TURN_EVENT, extra={**fields, "response_ms": response_ms})

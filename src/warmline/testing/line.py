"""A channel in memory: what a session sends, when, and a far end that plays it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from warmline.core.formats import PCM_16K, PCM_24K, AudioFormat
from warmline.interfaces.channel import (
    Conversation,
    EndReason,
    ReplyAudioDone,
    SessionEvent,
    Telephone,
    TurnMeasured,
)
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.report import TurnReport, TurnStatus

__all__ = ["Line"]

_Event = TypeVar("_Event")


@dataclass
class Line:
    """A channel whose far end plays in real time and, if it `reports_playout`, says so.

    Reports take `report_s` to arrive. Give it the session as `conversation` before it runs. A telephone is
    one with the formats of a telephone; one that `is_ringing` waits for `answer`.
    """

    reports_playout: bool = True
    report_s: float = 0.01
    never_reports: bool = False
    """It said that it would report, and does not."""

    input_format: AudioFormat = PCM_16K
    output_format: AudioFormat | None = PCM_24K
    least_lead_s: float = 0.0
    is_ringing: bool = False
    events: list[tuple[float, SessionEvent]] = field(default_factory=list)
    stops: list[tuple[float, str]] = field(default_factory=list)
    played_bytes: dict[str, int] = field(default_factory=dict)
    plays: list[tuple[float, bytes]] = field(default_factory=list)
    """What was played and when, if it `keeps_audio`."""

    keeps_audio: bool = False
    ended: EndReason | None = None
    telephone: Telephone | None = None
    conversation: Conversation | None = None
    _is_whole: set[str] = field(default_factory=set)
    _timers: list[asyncio.TimerHandle] = field(default_factory=list)
    _end_timer: asyncio.TimerHandle | None = None
    _plays_until_s: float = 0.0

    def answer(
        self, input_format: AudioFormat | None = None, output_format: AudioFormat | None = None
    ) -> None:
        """Have the person pick up; a format that is given turns out to be another than was expected."""
        self.input_format = input_format or self.input_format
        self.output_format = output_format or self.output_format
        self.is_ringing = False
        assert self.conversation is not None
        self.conversation.answered()

    def send(self, event: SessionEvent) -> None:
        """Note the event and when it came."""
        self.events.append((LoopClock().now_s(), event))
        if isinstance(event, ReplyAudioDone):
            self._is_whole.add(event.reply_id)
            self._expect_end(event.reply_id)

    def play(self, reply_id: str, audio: bytes) -> None:
        """Play it behind what was sent before."""
        assert self.output_format is not None
        assert not self.is_ringing, "nobody hears it"
        now_s = LoopClock().now_s()
        if self.keeps_audio:
            self.plays.append((now_s, audio))
        is_first = reply_id not in self.played_bytes
        self.played_bytes[reply_id] = self.played_bytes.get(reply_id, 0) + len(audio)
        self._plays_until_s = max(self._plays_until_s, now_s) + self.output_format.duration_s(len(audio))
        if is_first and self.reports_playout and not self.never_reports:
            assert self.conversation is not None
            self._later(self.report_s, self.conversation.playout_started, reply_id)
        elif reply_id in self._is_whole:
            # It was stopped, and goes on: its end is later.
            self._expect_end(reply_id)

    def stop_playout(self, reply_id: str) -> None:
        """Fall silent."""
        self.stops.append((LoopClock().now_s(), reply_id))
        self._plays_until_s = LoopClock().now_s()
        self._cancel_timers()

    def close(self, reason: EndReason) -> None:
        """Note why."""
        self.ended = reason
        self._cancel_timers()

    def of_type(self, kind: type[_Event]) -> list[_Event]:
        """Return the events of one type, in order."""
        return [event for _, event in self.events if isinstance(event, kind)]

    def turns(self) -> list[TurnReport]:
        """Return the last report of each turn that is over."""
        reports = {e.report.number: e.report for e in self.of_type(TurnMeasured)}
        return [report for report in reports.values() if report.status is not TurnStatus.PLAYING]

    def _expect_end(self, reply_id: str) -> None:
        if self.reports_playout and not self.never_reports and self.conversation is not None:
            if self._end_timer:
                self._end_timer.cancel()
            left_s = max(self._plays_until_s - LoopClock().now_s(), 0.0)
            self._end_timer = self._later(
                left_s + self.report_s, self.conversation.playout_finished, reply_id
            )

    def _later(self, delay_s: float, report: Callable[[str], None], reply_id: str) -> asyncio.TimerHandle:
        timer = asyncio.get_running_loop().call_later(delay_s, report, reply_id)
        self._timers.append(timer)
        return timer

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

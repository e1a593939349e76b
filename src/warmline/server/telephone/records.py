"""What is kept of a call that is over: who, when, how long, how fast, and how it ended; no word of it."""

from __future__ import annotations

import logging
import statistics
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import msgspec

from warmline.core.loggable import loggable
from warmline.interfaces.channel import SessionEvent, TurnMeasured
from warmline.timeline.report import TurnReport, TurnStatus

__all__ = ["CallFigures", "CallRecord", "FigureKeeper", "Records"]

_log = logging.getLogger(__name__)

_KEPT: Final = 1_000


class CallFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How its turns went; times are from the end of the caller's speech to the first sound of the reply."""

    turns: int = 0
    """Replies to what the caller said; the greeting is none."""

    interrupted: int = 0
    failed: int = 0
    setbacks: int = 0
    """What went wrong with providers, noticed or not."""

    underruns: int = 0
    line_wait_max_ms: float = 0.0
    """The longest that a reply waited for its connections, all of them together; nothing on warm ones."""

    greeting_ms: int | None = None
    """From the answer to the greeting's first sound."""

    response_p50_ms: int | None = None
    response_max_ms: int | None = None


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call; numbers are personal data."""

    id: str
    """Ours."""

    network: str
    network_id: str
    direction: str
    """`incoming` or `outgoing`."""

    caller: str
    number: str
    """Who was called."""

    began_at: str
    """UTC, ISO 8601, as the next two."""

    answered_at: str = ""
    """Empty if it was not."""

    ended_at: str = ""
    """Empty while it goes on."""

    state: str = ""
    """Where it is, or was last."""

    talked_s: float = 0.0
    """From the answer to the end."""

    ended_by: str = ""
    """`caller`, `agent`, `operator`, `network` or `server`."""

    reason: str = ""
    """Why: the network's or the session's own word."""

    refusal: str = ""
    """Why it was not taken."""

    machine: str = ""
    """What the network took who answered for: `human`, `machine`, `not_sure`."""

    streams: int = 0
    """Media streams; more than one if one broke."""

    without_stream: bool = False
    """No stream was to be had at some time: the network listened, and played files."""

    recordings: tuple[str, ...] = ()
    """Where the network keeps them."""

    metadata: str = ""
    """What whoever asked for an outgoing call handed over with it."""

    figures: CallFigures = CallFigures()


class FigureKeeper:
    """Adds up a call's turns.

    What changes here: the reports, in `see`.
    """

    def __init__(self) -> None:
        self._reports: dict[int, TurnReport] = {}

    def see(self, event: SessionEvent) -> None:
        """Take a session's event; all but measured turns are passed over."""
        if isinstance(event, TurnMeasured):
            self._reports[event.report.number] = event.report

    @property
    def figures(self) -> CallFigures:
        """What came to be so far."""
        reports = list(self._reports.values())
        asked = [report for report in reports if report.user_text]
        greeting = next((report for report in reports if not report.user_text), None)
        times = [report.response_us // 1000 for report in asked if report.response_us is not None]
        return CallFigures(
            turns=len(asked),
            interrupted=_count(reports, TurnStatus.INTERRUPTED),
            failed=_count(reports, TurnStatus.FAILED),
            setbacks=sum(len(report.setbacks) for report in reports),
            underruns=sum(report.underruns for report in reports),
            line_wait_max_ms=round(max(map(_line_wait_s, asked), default=0.0) * 1000, 3),
            greeting_ms=None
            if greeting is None or greeting.response_us is None
            else greeting.response_us // 1000,
            response_p50_ms=round(statistics.median(times)) if times else None,
            response_max_ms=max(times, default=None),
        )


class Records:
    """The calls that are over, newest last.

    What changes here: `_last`, in `add`.
    """

    def __init__(self, path: Path | None) -> None:
        """Prepare.

        Args:
            path: A file to which each call adds a line of JSON; None for memory alone.
        """
        self._path = path
        self._last: deque[CallRecord] = deque(maxlen=_KEPT)
        self._writing = anyio.Lock()

    @property
    def last(self) -> Sequence[CallRecord]:
        """Those that are in memory."""
        return tuple(self._last)

    async def add(self, record: CallRecord) -> None:
        """Keep a call; a file that can't be written is logged, and the call stays in memory."""
        self._last.append(record)
        if self._path is None:
            return
        line = msgspec.json.encode(record) + b"\n"
        async with self._writing:
            try:
                await anyio.to_thread.run_sync(_append, self._path, line)
            except OSError as problem:
                _log.error("call.record_not_written", extra={"path": str(self._path), **loggable(problem)})


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(line)


def _count(reports: Sequence[TurnReport], status: TurnStatus) -> int:
    return sum(report.status is status for report in reports)


def _line_wait_s(report: TurnReport) -> float:
    return sum(use.waited_s for use in report.lines)

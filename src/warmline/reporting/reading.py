"""Turns out of a log's lines, as a stream: one line and the open turns are in memory, however long it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from warmline.reporting.events import decode_turn
from warmline.reporting.foreign import ForeignLog
from warmline.reporting.pattern_file import LogPattern
from warmline.reporting.turn import ReportedTurn

__all__ = ["LineCounts", "read_turns"]


@dataclass(slots=True)
class LineCounts:
    """How many lines were read, and understood."""

    lines: int = 0
    """Those that are not blank."""

    unknown: int = 0
    """In no form that is known."""

    damaged: int = 0
    """A turn's, with fields that cannot be right."""

    first_damage: str = ""


def read_turns(
    lines: Iterable[str], pattern: LogPattern | None, counts: LineCounts
) -> Iterator[ReportedTurn]:
    """Yield the turns of one log, each when it is complete.

    Lines that are not understood are counted, and are no error: logs are shared with others.

    Args:
        lines: The log's.
        pattern: How to read them; None for warmline's structured log.
        counts: Is added to while the turns are taken.
    """
    if pattern is None:
        yield from _structured(lines, counts)
        return
    log = ForeignLog(pattern)
    for line in lines:
        if text := line.strip():
            counts.lines += 1
            is_known, turns = log.feed(text)
            counts.unknown += not is_known
            yield from turns
    yield from log.finish()


def _structured(lines: Iterable[str], counts: LineCounts) -> Iterator[ReportedTurn]:
    for line in lines:
        if not (text := line.strip()):
            continue
        counts.lines += 1
        if not text.startswith("{"):
            counts.unknown += 1
            continue
        try:
            turn = decode_turn(text)
        except msgspec.DecodeError as problem:
            counts.damaged += 1
            counts.first_damage = counts.first_damage or f"line {counts.lines}: {problem}"
            continue
        if turn is not None:
            yield turn

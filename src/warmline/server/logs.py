"""The log: one line an event, for people or for programs.

What anybody said, a number, or a key reaches no line: our own lines name an event and give figures, and of
what others have to say only what cannot quote anything is kept.
"""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import PurePath
from typing import Any, Final

from warmline.core.loggable import loggable
from warmline.server.settings import LogTable

__all__ = ["LogLines", "configure_log"]

_OWN_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record has; anything else was put there by whoever logged."""

_OURS: Final = "warmline"


class LogLines(logging.Formatter):
    """`time level event key=value …`, or a JSON object with the same.

    A library's line is told as `library.told`, with its place: what it says may quote what it was given.
    Where it leaves the filling in to us, the text around is its author's own, and is shown. Of an exception
    there are the kinds and the places, and not its text.
    """

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and of an exception the lines beneath it."""
        event, fields = _event(record)
        at = self.formatTime(record, "%H:%M:%S")
        error = record.exc_info[1] if record.exc_info else None
        trace = None if error is None else _trace(error)
        if self._as_json:
            line = {"at": at, "level": record.levelname.lower(), "event": event, **fields}
            return json.dumps(line | ({"traceback": trace} if trace else {}), default=str)
        # Tables within a line are for programs.
        shown = "".join(
            f" {key}={value}" for key, value in fields.items() if not isinstance(value, dict | list | tuple)
        )
        return f"{at} {record.levelname.lower():7} {event}{shown}" + (f"\n{trace}" if trace else "")


def configure_log(table: LogTable) -> None:
    """Send the process's log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogLines(as_json=table.json))
    # Of the libraries only warnings: what they say beneath is about themselves, or quotes their input.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(table.level.upper())


def _event(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    if record.name == _OURS or record.name.startswith(f"{_OURS}."):
        fields = {key: value for key, value in record.__dict__.items() if key not in _OWN_FIELDS}
        return str(record.msg), fields
    fields = {"library": record.name, "place": f"{record.filename}:{record.lineno}"}
    if record.args:
        fields["text"] = " ".join(str(record.msg).split())
    return "library.told", fields


def _trace(error: BaseException) -> str:
    """Return the kinds and places of an exception, of those that it came of, and of those in it."""
    return "\n".join(_told_lines(error, set()))


def _told_lines(error: BaseException, seen: set[int]) -> list[str]:
    if id(error) in seen:
        return []
    seen.add(id(error))
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        lines += [*_told_lines(before, seen), "of which came"]
    fields = loggable(error)
    lines.append(" ".join([str(fields.pop("problem")), *(f"{key}={value}" for key, value in fields.items())]))
    lines += [
        f"  {PurePath(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            lines += [f"  | {line}" for line in _told_lines(each, seen)]
    return lines

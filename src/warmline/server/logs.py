"""The log: one line an event, for people or for programs."""

from __future__ import annotations

import json
import logging
from typing import Final

from warmline.server.settings import LogTable

__all__ = ["configure_log"]

_OWN_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record has; anything else was put there by whoever logged."""


class _Lines(logging.Formatter):
    """`time level event key=value …`, or a JSON object with the same."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in record.__dict__.items() if key not in _OWN_FIELDS}
        event = record.getMessage()
        at = self.formatTime(record, "%H:%M:%S")
        trace = self.formatException(record.exc_info) if record.exc_info else None
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
    handler.setFormatter(_Lines(as_json=table.json))
    # Of the libraries only warnings: what they say beneath is about themselves, or quotes their input.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    logging.getLogger("warmline").setLevel(table.level.upper())

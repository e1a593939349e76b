"""Instants as people give them on a command line."""

from __future__ import annotations

import datetime
import re
from typing import Final

from warmline.errors import ConfigError

__all__ = ["instant_s"]

_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def instant_s(option: str, text: str, now_s: float) -> float:
    """Return an instant in seconds since 1970.

    Args:
        option: For messages, such as `--since`.
        text: How long ago, such as `7d`, `12h` or `30m`; or a date or a date with a time, in UTC where it
            names no other offset, such as `2026-11-20` or `2026-11-20T14:30`.
        now_s: When that is said.

    Raises:
        ConfigError: it is neither.
    """
    if ago := _AGO.fullmatch(text):
        return now_s - float(ago[1]) * _UNIT_S[ago[2]]
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option} {text}: give a duration such as 7d, 12h or 30m, or a date such as 2026-11-20 or "
            "2026-11-20T14:30 (UTC)"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()

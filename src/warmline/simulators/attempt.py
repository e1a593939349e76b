"""One try at telling a server something."""

from __future__ import annotations

import msgspec

__all__ = ["Attempt"]


class Attempt(msgspec.Struct, kw_only=True):
    """A request to a server, as a log keeps it."""

    url: str
    at_s: float
    took_ms: float
    status: int = 0
    """0 where no answer came."""

    problem: str = ""
    answer: str = ""
    """What came back, where that says what is to be done."""

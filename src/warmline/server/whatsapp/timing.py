"""Where the time of a message goes: what was done for it, when it was begun and how long it took.

Whoever does something for a job says so with `timed`, on the job's thread or on the event loop: a job does
one thing at a time. Nothing of what is said is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

__all__ = ["JobTiming", "timed", "timing"]


@dataclass
class JobTiming:
    """One run of a job by one process.

    What changes here: `_spans`, when something is done.
    """

    received_s: float
    """When the message was, by the clock."""

    clock: Callable[[], float]
    """The wall clock: a message may have been received by another process."""

    _spans: list[tuple[str, float, float]] = field(default_factory=list)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Note how long something takes, whether it succeeds or not."""
        began_s = self.clock()
        try:
            yield
        finally:
            self.note(name, began_s, self.clock())

    def note(self, name: str, began_s: float, ended_s: float) -> None:
        """Note what was done from one instant to another."""
        self._spans.append((name, began_s, ended_s))

    def told(self) -> list[dict[str, Any]]:
        """Return the spans as they began, in milliseconds, counted from the message's receipt."""
        return [
            {"name": name, "at_ms": _ms(began_s - self.received_s), "took_ms": _ms(ended_s - began_s)}
            for name, began_s, ended_s in sorted(self._spans, key=lambda span: span[1])
        ]


_CURRENT: ContextVar[JobTiming | None] = ContextVar("job_timing", default=None)


@contextmanager
def timing(job: JobTiming) -> Iterator[None]:
    """Let `timed` note for a job what is done within, on the event loop as well if it is asked for here."""
    token = _CURRENT.set(job)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Note how long something takes for the job that it is done for, if it is done for one."""
    job = _CURRENT.get()
    if job is None:
        yield
        return
    with job.span(name):
        yield


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)

"""Periods of turns in logs, for `warmline report`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from warmline.errors import ConfigError
from warmline.reporting.pattern_file import LogPattern
from warmline.reporting.period import Period
from warmline.reporting.reading import LineCounts, read_turns

__all__ = ["log_periods"]

_STEP_BYTES: Final = 1 << 20
"""How much is read between two steps of the progress bar."""


def log_periods(
    logs: Sequence[Path],
    against: Sequence[Path] | None,
    pattern: LogPattern | None,
    wanted: Mapping[str, str],
    wanted_before: Mapping[str, str],
) -> tuple[tuple[Period, LineCounts], tuple[Period, LineCounts] | tuple[None, None]]:
    """Return the turns of logs that were held with what is wanted, and those to compare with, if any.

    Args:
        logs: Together one period.
        against: The other period; the same logs, if there are none and others are wanted.
        pattern: How to read them; None for warmline's structured log.
        wanted: Facts and their values.
        wanted_before: Those of the other period.

    Raises:
        ConfigError: a log can't be read, or has no such turn.
    """
    if not logs:
        raise ConfigError("give the logs to be read, or --store")
    others = against or (logs if wanted_before else [])
    _check_files([*logs, *others])
    with _reading_progress([*logs, *others]) as on_bytes:
        now = _period(logs, pattern, wanted, on_bytes)
        return now, _period(others, pattern, wanted_before, on_bytes) if others else (None, None)


def _check_files(paths: Sequence[Path]) -> None:
    """Find out about a missing file before the others are read."""
    for path in paths:
        try:
            path.open("rb").close()
        except OSError as problem:
            raise ConfigError(f"reading {path}: {problem.strerror or problem}") from problem


def _period(
    paths: Sequence[Path],
    pattern: LogPattern | None,
    wanted: Mapping[str, str],
    on_bytes: Callable[[int], None],
) -> tuple[Period, LineCounts]:
    """Return what logs tell of the turns that were held with what is wanted, read line by line."""
    name = ", ".join(path.name for path in paths)
    left_out = 0
    period, counts = Period(name), LineCounts()
    for path in paths:
        try:
            for turn in read_turns(_lines(path, on_bytes), pattern, counts):
                if wanted.items() <= turn.facts.items():
                    period.add(turn)
                else:
                    left_out += 1
        except OSError as problem:
            raise ConfigError(f"reading {path}: {problem.strerror or problem}") from problem
    if left_out and not period.turns:
        facts = ", ".join(f"{fact}={value}" for fact, value in wanted.items())
        raise ConfigError(f"reading {name}: none of {left_out:,} turns was held with {facts}")
    if not period.turns:
        understood = counts.lines - counts.unknown - counts.damaged
        damage = f" ({counts.first_damage})" if counts.first_damage else ""
        advice = "check the pattern file" if pattern else "name the log's format by --pattern"
        read = f"no turn in {counts.lines:,} lines, of which {understood:,} were understood{damage}"
        raise ConfigError(f"reading {name}: {read}; {advice}")
    return period, counts


def _lines(path: Path, on_bytes: Callable[[int], None]) -> Iterator[str]:
    unsaid = 0
    with path.open("rb") as file:
        for line in file:
            unsaid += len(line)
            if unsaid >= _STEP_BYTES:
                on_bytes(unsaid)
                unsaid = 0
            yield line.decode("utf-8", "replace")
    on_bytes(unsaid)


@contextmanager
def _reading_progress(paths: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """Show how much of the logs has been read; nothing is left on the screen afterwards."""
    console = Console(stderr=True)
    columns = (TextColumn("Reading logs"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(path.stat().st_size for path in paths))
        yield lambda read: progress.advance(task, read)

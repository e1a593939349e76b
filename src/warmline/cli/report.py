"""`warmline report`: where the time went in many turns, read from logs."""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from warmline.cli.report_view import report_view
from warmline.errors import ConfigError
from warmline.reporting.as_json import json_report
from warmline.reporting.goals import goals_with
from warmline.reporting.html import html_report
from warmline.reporting.markdown import markdown_report
from warmline.reporting.pattern_file import SHIPPED, LogPattern, load_pattern
from warmline.reporting.period import Period
from warmline.reporting.reading import LineCounts, read_turns
from warmline.reporting.report import Report, made_report

__all__ = ["report_command"]

_FILE_COLUMNS: Final = 110
"""The width of a terminal's report that is written to a file."""

_STEP_BYTES: Final = 1 << 20
"""How much is read between two steps of the progress bar."""


class ReportFormat(enum.StrEnum):
    """What a report is shown as."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


_SUFFIXES: Final = {
    ".html": ReportFormat.HTML,
    ".htm": ReportFormat.HTML,
    ".md": ReportFormat.MARKDOWN,
    ".json": ReportFormat.JSON,
}


def report_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="The logs; together one period.")],
    pattern: Annotated[
        str,
        typer.Option(
            metavar=f"{'|'.join(SHIPPED)}|FILE.toml",
            help="How to read logs that are not warmline's: a pattern file, or the name of a shipped one.",
        ),
    ] = "",
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Logs of another period or configuration; may be repeated."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="FACT=VALUE", help="Only turns held with this, such as tts=elevenlabs."),
    ] = None,
    against_where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FACT=VALUE",
            help="Compare with turns held with this: those of --against, or of the same logs.",
        ),
    ] = None,
    format_: Annotated[
        ReportFormat | None,
        typer.Option("--format", help="By default what the name of --out ends in, or the terminal."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report there.")] = None,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LIMIT",
            help="Another limit for a goal, such as voice_first_audio=400 or cancellation_rate=10-40.",
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if a goal is broken.")] = False,
) -> None:
    """Say where the time went in the turns of a log, and what is remarkable about them."""
    goals = goals_with(_assignments("a goal", goal))
    wanted, wanted_before = _assignments("--where", where), _assignments("--against-where", against_where)
    others = against or (files if wanted_before else [])
    read_by = load_pattern(pattern) if pattern else None
    _check_files([*files, *others])
    with _reading_progress([*files, *others]) as on_bytes:
        now, counts = _period(files, read_by, wanted, on_bytes)
        before, before_counts = None, None
        if others:
            before, before_counts = _period(others, read_by, wanted_before, on_bytes)
    report = made_report(now, counts, before, before_counts, goals)
    chosen = format_ or (_SUFFIXES.get(out.suffix.lower()) if out is not None else None)
    _give(report, chosen or ReportFormat.TERMINAL, out)
    if check and not report.is_kept:
        raise typer.Exit(1)


def _assignments(what: str, texts: Sequence[str] | None) -> dict[str, str]:
    named = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"setting {what}: {text} has no =")
        named[name.strip()] = value.strip()
    return named


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


def _give(report: Report, form: ReportFormat, out: Path | None) -> None:
    if form is ReportFormat.TERMINAL and out is None:
        Console().print(report_view(report))
        return
    text = _text(report, form)
    if out is None:
        print(text, end="")  # noqa: T201 - it is the output
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as problem:
        raise ConfigError(f"writing {out}: {problem.strerror or problem}") from problem


def _text(report: Report, form: ReportFormat) -> str:
    match form:
        case ReportFormat.HTML:
            return html_report(report)
        case ReportFormat.MARKDOWN:
            return markdown_report(report)
        case ReportFormat.JSON:
            return json_report(report)
        case ReportFormat.TERMINAL:
            written = io.StringIO()
            Console(file=written, width=_FILE_COLUMNS).print(report_view(report))
            return written.getvalue()

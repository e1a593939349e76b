"""`warmline report`: where the time went in many turns, read from logs or from the store."""

from __future__ import annotations

import enum
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from warmline.cli.config import ConfigOption, SetOption, load_for_command
from warmline.cli.report_logs import log_periods
from warmline.cli.report_store import Times, store_periods
from warmline.cli.report_view import report_view
from warmline.errors import ConfigError
from warmline.reporting.as_json import json_report
from warmline.reporting.goals import goals_with
from warmline.reporting.html import html_report
from warmline.reporting.markdown import markdown_report
from warmline.reporting.pattern_file import SHIPPED, load_pattern
from warmline.reporting.report import Report, made_report

__all__ = ["report_command"]

_FILE_COLUMNS: Final = 110
"""The width of a terminal's report that is written to a file."""


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
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE…", help="The logs; together one period. With --store, its URL."),
    ] = None,
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
    store: Annotated[
        bool,
        typer.Option(
            "--store",
            help="Read the turns that servers have kept: in the store of the settings, or at a URL.",
        ),
    ] = False,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="With --store. A duration such as 7d, or a date (UTC).")
    ] = "",
    until: Annotated[str, typer.Option(metavar="WHEN", help="Likewise; now, if not given.")] = "",
    against_since: Annotated[
        str, typer.Option(metavar="WHEN", help="With --store: compare with the turns since then.")
    ] = "",
    against_until: Annotated[str, typer.Option(metavar="WHEN", help="Likewise; --since, if not given.")] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="FACT=VALUE", help="Only turns held with this, such as tts=elevenlabs."),
    ] = None,
    against_where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FACT=VALUE",
            help="Compare with turns held with this: those of --against, or the same ones.",
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
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Say where the time went in many turns, and what is remarkable about them."""
    goals = goals_with(_assignments("a goal", goal))
    wanted, wanted_before = _assignments("--where", where), _assignments("--against-where", against_where)
    times = Times(since, until, against_since, against_until)
    if store:
        if pattern or against or len(files or []) > 1:
            raise ConfigError("--store: give no logs and no pattern beside it, and one URL at the most")
        url = files[0] if files else load_for_command(config, assignments).settings.store.url
        (now, counts), (before, before_counts) = store_periods(url, times, wanted, wanted_before)
    else:
        if times != Times():
            raise ConfigError("--since, --until, --against-since, --against-until: they need --store")
        read_by = load_pattern(pattern) if pattern else None
        logs = [Path(name) for name in files or []]
        (now, counts), (before, before_counts) = log_periods(logs, against, read_by, wanted, wanted_before)
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

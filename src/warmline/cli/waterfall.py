"""A turn's waterfall in the terminal: what delayed the reply, stacked to the total."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from warmline.cli.turn_words import draft_lines, note_cells, setback_lines, underrun_line
from warmline.reporting.words import STAGE_WORDS
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus

__all__ = ["STAGES", "bar", "waterfall"]

_COLOURS: Final = {
    "endpointing": "cyan",
    "transcription": "blue",
    "retrieval": "green",
    "model": "magenta",
    "clause": "yellow",
    "voice": "red",
    "delivery": "white",
}

STAGES: Final = {name: (words, _COLOURS.get(name, "bright_black")) for name, words in STAGE_WORDS.items()}
"""What each contribution is to a person, and its colour."""

_BAR: Final = 30
_SHOWN_US: Final = 1_000
"""Contributions below a millisecond are shown together."""

_ENDINGS: Final = {
    TurnStatus.INTERRUPTED: "[yellow]interrupted",
    TurnStatus.CANCELLED: "[yellow]stopped",
    TurnStatus.FAILED: "[red]failed",
}


def waterfall(report: TurnReport, *, with_notes: bool = False) -> RenderableType:
    """Return the picture of a turn, and what happened in it; the latter alone if nothing of it was played.

    Args:
        report: The turn's.
        with_notes: Whether to list what was decided.
    """
    ending = _ENDINGS.get(report.status, "")
    happened: list[RenderableType] = [
        *(Text(line, style="dim") for line in draft_lines(report)),
        *(Text(line, style="yellow") for line in setback_lines(report.setbacks)),
        *([Text(gaps, style="yellow")] if (gaps := underrun_line(report)) else []),
        *([_notes(report)] if with_notes else []),
    ]
    if report.response_us is None:
        nothing = Text.from_markup(f"[dim]Turn {report.number}: nothing was played[/] {ending}")
        return Group(nothing, *happened)
    title = Text.from_markup(
        f"[bold]{report.response_us / 1000:,.0f} ms[/] [dim]until the answer was heard[/] {ending}"
        + (" [yellow]playout was not reported" if report.playout is PlayoutTruth.TIMED_OUT else "")
    )
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True)
    total_us = max(report.response_us, 1)
    before_us = rest_us = 0
    for part in report.contributions:
        if part.duration_us < _SHOWN_US:
            rest_us += part.duration_us
        else:
            label, colour = STAGES[part.name]
            drawn = bar(before_us, part.duration_us, total_us, colour)
            table.add_row(label, f"{part.duration_us / 1000:,.1f} ms", drawn)
        before_us += part.duration_us
    table.add_row("[dim]Everything else", f"[dim]{rest_us / 1000:,.1f} ms", "")
    return Group(title, table, *_lines(report), *happened)


def _lines(report: TurnReport) -> list[Text]:
    """Return what was waited for connections, which should be nothing."""
    if not report.lines:
        return []
    ready = ", ".join(dict.fromkeys(use.endpoint for use in report.lines if use.reused))
    shown = [Text(f"Lines that stood ready: {ready}", style="dim")] if ready else []
    for use in report.lines:
        if not use.reused:
            cost = use.cost
            parts = {"DNS": cost.dns_s, "TCP": cost.tcp_s, "TLS": cost.tls_s, "upgrade": cost.upgrade_s}
            told = ", ".join(
                f"{name} {spent_s * 1000:.0f}" for name, spent_s in parts.items() if spent_s >= 0.0005
            )
            waited = f"Waited {use.waited_s * 1000:,.0f} ms for a line to {use.endpoint}"
            shown.append(Text(f"{waited} ({told})" if told else waited, style="yellow"))
    return shown


def _notes(report: TurnReport) -> Table:
    """Return what was decided, each after its instant."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False, style="dim")
    table.add_column(no_wrap=True, justify="right")
    table.add_column()
    for note in report.notes:
        table.add_row(*map(Text, note_cells(note)))
    return table


def bar(start_us: int, duration_us: int, total_us: int, colour: str) -> Text:
    """Return a stage's part of a turn, as a bar that begins where it began."""
    start = round(_BAR * start_us / total_us)
    end = max(round(_BAR * (start_us + duration_us) / total_us), start + 1)
    return Text(" " * start) + Text("█" * (end - start), style=colour)

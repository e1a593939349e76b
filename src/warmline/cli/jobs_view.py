"""How messages and what became of them are shown."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmline.server.whatsapp.policy import ASIDE
from warmline.store.messages import Job, JobState
from warmline.store.outbox import Send, Status

__all__ = ["Overview", "job_to_json", "overview_to_json", "print_job", "print_overview", "short_id"]

_STYLES: Final = {
    JobState.QUEUED: "cyan",
    JobState.WORKING: "bold cyan",
    JobState.ANSWERED: "green",
    JobState.PARTLY: "yellow",
    JobState.HELD: "yellow",
    JobState.IGNORED: "dim",
    JobState.FAILED: "bold red",
}
_ID: Final = 11
"""Characters of an id that are shown: `wa_` and eight digits; of a million jobs, 116 pairs share them."""

_PIPE_COLUMNS: Final = 1_000
"""Width for a pipe or a file, where a folded line would be two lines to the next program."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What `warmline jobs` shows."""

    counts: Mapping[JobState, int]
    jobs: Sequence[Job]
    paused: str | None
    """Why everything stands still, if it does."""

    workers: Sequence[str]
    """The servers that answer."""

    now_s: float


def short_id(job_id: str) -> str:
    """Return the beginning of an id, by which the job is found."""
    return job_id[:_ID]


def overview_to_json(overview: Overview, *, is_full: bool) -> dict[str, object]:
    """Return an overview for programs."""
    return {
        "stands_still": overview.paused,
        "workers": list(overview.workers),
        "counts": {state.name.lower(): count for state, count in overview.counts.items()},
        "jobs": [_to_json(job, is_full=is_full) for job in overview.jobs],
    }


def job_to_json(
    job: Job, parts: Sequence[Send], statuses: Sequence[Status], *, is_full: bool, has_texts: bool
) -> dict[str, object]:
    """Return a job's life for programs."""
    texts = {"heard": job.heard, "answer": job.answer} if has_texts else {}
    return {**_to_json(job, is_full=is_full), **texts, "parts": [_part(part, statuses) for part in parts]}


def print_overview(overview: Overview, *, is_full: bool) -> None:
    """Show messages, newest first."""
    console = _console()
    counted = [(count, state) for state, count in overview.counts.items() if count]
    line = Text(", ").join(Text(f"{count} {state.value}", _STYLES[state]) for count, state in counted)
    console.print(line, soft_wrap=True)
    if overview.paused is not None:
        console.print(Text(f"Everything stands still: {overview.paused}", "bold red"), soft_wrap=True)
        console.print(
            "It goes on when the token is good again, at a server's start, or by: warmline jobs resume"
        )
    if not overview.workers:
        console.print("[dim]No server answers messages now.")
    if not overview.jobs:
        console.print("\nNone of those that were asked for.")
        return
    console.print()
    table = Table("Job", "Came", "From", "Kind", "State", "Took", "Reason", box=None, pad_edge=False)
    table.header_style = "bold"
    for column in table.columns[:-1]:
        column.no_wrap = True
    table.columns[5].justify = "right"
    for job in overview.jobs:
        table.add_row(
            job.id if is_full else short_id(job.id),
            _instant(job.received_s),
            _sender(job, is_full=is_full),
            job.kind,
            Text(job.state.value, _STYLES[job.state]),
            _took(job, overview.now_s),
            Text(job.reason),
        )
    console.print(table)


def print_job(
    job: Job, parts: Sequence[Send], statuses: Sequence[Status], *, is_full: bool, has_texts: bool
) -> None:
    """Show a job's life."""
    console = _console()
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("Job", job.id)
    facts.add_row("From", _sender(job, is_full=is_full))
    facts.add_row("To our number", job.phone_number_id)
    facts.add_row("Kind", job.kind)
    facts.add_row("Sent", _instant(job.sent_s))
    facts.add_row("Came", _instant(job.received_s))
    if job.finished_s is not None:
        facts.add_row(
            "Over", f"{_instant(job.finished_s)}, after {_duration(job.finished_s - job.received_s)}"
        )
    facts.add_row("State", Text(job.state.value, _STYLES[job.state]))
    if job.reason:
        facts.add_row("Reason", Text(job.reason))
    if job.runs > 1:
        facts.add_row("Run", f"{job.runs}, after {job.runs - 1} that {_were(job.runs - 1)} replayed")
    if has_texts:
        facts.add_row("Heard", Text(job.heard if job.heard is not None else "(not known)"))
        facts.add_row("Answer", Text(job.answer if job.answer is not None else "(none)"))
    console.print(facts)
    if parts:
        console.print()
        console.print(_parts_table(parts, statuses))


def _parts_table(parts: Sequence[Send], statuses: Sequence[Status]) -> Table:
    table = Table("Part", "State", "What was told of it", box=None, pad_edge=False, header_style="bold")
    for part in parts:
        told = [
            f"{status.state} {_instant(status.at_s)}"
            for status in statuses
            if status.callback_data == part.id
        ]
        if part.error_code:
            told.append(f"{part.error_code} {part.error_title}".strip())
        accepted = "" if part.accepted_s is None else f" {_instant(part.accepted_s)}"
        table.add_row(_part_name(part), f"{part.state.value}{accepted}", Text("\n".join(told)))
    return table


def _to_json(job: Job, *, is_full: bool) -> dict[str, object]:
    return {
        "id": job.id,
        "from": _sender(job, is_full=is_full),
        "phone_number_id": job.phone_number_id,
        "kind": job.kind,
        "sent_s": job.sent_s,
        "received_s": job.received_s,
        "finished_s": job.finished_s,
        "state": job.state.name.lower(),
        "reason": job.reason,
        "runs": job.runs,
    }


def _part(part: Send, statuses: Sequence[Status]) -> dict[str, object]:
    return {
        "part": _part_name(part),
        "state": part.state.value,
        "accepted_s": part.accepted_s,
        "error_code": part.error_code,
        "error_title": part.error_title,
        "statuses": [
            {"state": status.state, "at_s": status.at_s, "error_code": status.error_code}
            for status in statuses
            if status.callback_data == part.id
        ],
    }


def _part_name(part: Send) -> str:
    return "aside" if part.part == ASIDE else str(part.part + 1)


def _sender(job: Job, *, is_full: bool) -> str:
    if is_full or job.is_forgotten:
        return job.user_key
    return f"…{job.user_key[-3:]}"


def _instant(at_s: float) -> str:
    """Return an instant in local time."""
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _took(job: Job, now_s: float) -> str:
    if job.finished_s is not None:
        return _duration(job.finished_s - job.received_s)
    return "-" if job.state.is_over else f"{_duration(now_s - job.received_s)} so far"


def _duration(seconds: float) -> str:
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{max(seconds, 0.0):.1f} s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_COLUMNS
    return console

"""Progress bars of what takes a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from warmline.knowledge.index import OnProgress, Stage
from warmline.knowledge.index import Progress as IndexProgress

__all__ = ["index_progress"]

_LABELS = {Stage.READING: "Reading documents", Stage.EMBEDDING: "Indexing passages"}


@contextmanager
def index_progress(console: Console) -> Iterator[OnProgress]:
    """Show how far indexing is; nothing is left on the screen afterwards."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[name]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks = {
            stage: progress.add_task(label, total=None, visible=False, name="")
            for stage, label in _LABELS.items()
        }

        def on_progress(step: IndexProgress) -> None:
            progress.update(
                tasks[step.stage], completed=step.done, total=step.total, visible=True, name=step.name
            )

        yield on_progress

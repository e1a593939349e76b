"""A conversation in the terminal, as it happens."""

from __future__ import annotations

import sys
from typing import Final, Protocol

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from warmline.cli.waterfall import waterfall
from warmline.interfaces.channel import (
    PartialTranscript,
    ReplyText,
    SessionEvent,
    SessionFailure,
    SourcesFound,
    TurnMeasured,
    UserTurn,
)
from warmline.interfaces.retriever import Passage
from warmline.timeline.report import TurnStatus

__all__ = ["JsonView", "TalkView", "TerminalView"]

_YOU: Final = "[bold cyan]You  [/] "
_AGENT: Final = "[bold green]Agent[/] "


class TalkView(Protocol):
    """Shows a conversation."""

    def show(self, event: SessionEvent) -> None:
        """Take an event of the session."""
        ...

    def close(self) -> None:
        """Show nothing more."""
        ...


class TerminalView:
    """For people: the words as they come, then each turn's waterfall.

    What changes here: the line that is still growing.
    """

    def __init__(self, console: Console, *, with_notes: bool = False) -> None:
        """Prepare.

        Args:
            console: Where it is shown.
            with_notes: Whether to list what was decided in each turn.
        """
        self._console = console
        self._with_notes = with_notes
        self._live: Live | None = None
        self._reply = ""
        self._reported = 0

    def show(self, event: SessionEvent) -> None:
        """Take an event of the session."""
        match event:
            case PartialTranscript(text=text):
                self._grow(_YOU, f"{text} …")
            case UserTurn(text=text):
                self._settle(_YOU, text or "(nothing was understood)")
            case ReplyText(delta=delta):
                self._reply += delta
                self._grow(_AGENT, self._reply)
            case SessionFailure(message=message):
                self._drop()
                self._console.print(f"[yellow]{message}", highlight=False)
            case TurnMeasured(report=report) if report.status is not TurnStatus.PLAYING:
                self._drop()
                if report.number == self._reported:
                    return  # A correction of how much was heard, by a word at most.
                self._reported = report.number
                self._settle(_AGENT, self._reply.strip() or "(no answer)")
                self._reply = ""
                if report.heard_text != report.reply_text:
                    self._console.print(
                        f"[dim]      heard: {report.heard_text or 'nothing'}", highlight=False
                    )
                self._console.print(waterfall(report, with_notes=self._with_notes))
                self._console.print()
            case _:
                pass

    def close(self) -> None:
        """Leave the screen as it is."""
        self._drop()

    def _grow(self, who: str, text: str) -> None:
        line = Text.from_markup(who) + Text(text)
        if not self._console.is_terminal:
            return
        if self._live is None:
            self._live = Live(line, console=self._console, transient=True, refresh_per_second=12)
            self._live.start()
        self._live.update(line)

    def _settle(self, who: str, text: str) -> None:
        self._drop()
        self._console.print(Text.from_markup(who) + Text(text))

    def _drop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()


class JsonView:
    """For programs: one line of JSON on standard output for each turn that is over."""

    def __init__(self) -> None:
        self._sources: list[Passage] = []
        self._last: bytes | None = None
        self._number = 0

    def show(self, event: SessionEvent) -> None:
        """Take an event of the session."""
        match event:
            case SourcesFound(passages=passages):
                self._sources = list(passages)
            case TurnMeasured(report=report) if report.status is not TurnStatus.PLAYING:
                if report.number != self._number:
                    self._flush()
                self._number = report.number
                self._last = msgspec.json.encode({**msgspec.to_builtins(report), "sources": self._sources})
            case SessionFailure(code=code, message=message):
                self._flush()
                self._last = msgspec.json.encode({"problem": code, "message": message})
            case _:
                pass

    def close(self) -> None:
        """Write the last turn."""
        self._flush()

    def _flush(self) -> None:
        """Write a turn once nothing can correct it any more: when the next one is over."""
        last, self._last = self._last, None
        if last is not None:
            sys.stdout.write(last.decode() + "\n")
            sys.stdout.flush()

"""Pattern files: how to read turns out of a plain-text log; TOML in, a checked value out."""

from __future__ import annotations

import enum
import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from warmline.errors import ConfigError
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth

__all__ = [
    "SHIPPED",
    "DraftStep",
    "LinePattern",
    "LogPattern",
    "TurnEdge",
    "load_pattern",
    "numbers",
    "parse_pattern",
]

_FOLDER: Final = Path(__file__).with_name("patterns")

SHIPPED: Final = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""The pattern files that come with warmline, by name."""

_NUMBERS: Final = frozenset({"turn", "took_ms", "span_ms", "passages"})


_GREATEST: Final = 1e9
"""Beyond it, and where it is no number at all, something else was matched than milliseconds or a count."""


class TurnEdge(enum.Enum):
    """What a line says of its turn as a whole."""

    BEGINS = "begins"
    """The user's speech ended, or what else the user waits from: the turn before is over."""

    ENDS = "ends"


class DraftStep(enum.Enum):
    """What a line says of a reply that was begun on a guess."""

    BEGUN = "begun"
    DROPPED = "dropped"


class _EventTable(msgspec.Struct, forbid_unknown_fields=True):
    pattern: str
    marks: tuple[Mark, ...] = ()
    started: Mark | None = None
    turn: TurnEdge | None = None
    draft: DraftStep | None = None
    span: str = ""
    retrieval: bool = False
    playout: PlayoutTruth | None = None
    note: str = ""
    text: str = ""


class _FileTable(msgspec.Struct, forbid_unknown_fields=True):
    time: str
    events: dict[str, _EventTable]
    about: str = ""


@dataclass(frozen=True, slots=True)
class LinePattern:
    """One kind of line, and what it says of a turn. Groups of its expression have fixed meanings.

    `call`: the call's id. `turn`: the turn's number. `took_ms`: how long what ends here took. `span_ms`: the
    length of the span that the line states. `passages`: how many were found. Other groups serve `text` alone.
    """

    name: str
    expression: re.Pattern[str]
    marks: tuple[Mark, ...]
    """What happened at the line's instant."""

    started: Mark | None
    """What happened `took_ms` before it."""

    turn: TurnEdge | None
    draft: DraftStep | None
    span: str
    """The name of the span that the line states."""

    is_retrieval: bool
    """A retrieval was run, and took `took_ms`."""

    playout: PlayoutTruth | None
    """How it is known what was played; `timed_out` if the far end did not report it."""

    note: str
    """The note's kind; empty if the line makes none."""

    text: str
    """The note's, with `{group}` for what a group matched."""

    @property
    def is_of_a_turn(self) -> bool:
        """Whether it says anything; a line that is known and says nothing is passed over."""
        told = (self.marks, self.turn, self.draft, self.span, self.is_retrieval, self.playout, self.note)
        return any(told)


@dataclass(frozen=True, slots=True)
class LogPattern:
    """How a plain-text log is read."""

    name: str
    time: re.Pattern[str]
    """Matches at a line's beginning; its group `time` is the time of day, `date` the date if there is one.
    What follows the match is the message."""

    lines: tuple[LinePattern, ...]
    """The first that is found in a message counts."""


def load_pattern(name: str) -> LogPattern:
    """Return a pattern file by the name of one that is shipped, or by its path.

    Raises:
        ConfigError: there is none, or it is malformed.
    """
    path = _FOLDER / f"{name}.toml" if name in SHIPPED else Path(name)
    try:
        text = path.read_text("utf-8")
    except OSError as problem:
        known = ", ".join(SHIPPED)
        raise ConfigError(
            f"reading the pattern file {name}: {problem.strerror or problem}; those shipped are: {known}"
        ) from problem
    except UnicodeDecodeError as problem:
        raise ConfigError(f"reading the pattern file {name}: it is not UTF-8 text") from problem
    return parse_pattern(text, name)


def parse_pattern(text: str, name: str) -> LogPattern:
    """Return what a pattern file says.

    Raises:
        ConfigError: it is malformed; the text says where.
    """
    where = f"reading the pattern file {name}"
    try:
        table = msgspec.convert(tomllib.loads(text), _FileTable)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise ConfigError(f"{where}: {_told(str(problem))}") from problem
    time = _compiled(table.time, f"{where}: time")
    if "time" not in time.groupindex:
        raise ConfigError(
            f"{where}: time: it has no group named time, such as (?P<time>\\d\\d:\\d\\d:\\d\\d)"
        )
    if not table.events:
        raise ConfigError(f"{where}: events: there are none")
    lines = tuple(_line(key, event, f"{where}: events.{key}") for key, event in table.events.items())
    return LogPattern(name, time, lines)


def _line(name: str, event: _EventTable, where: str) -> LinePattern:
    expression = _compiled(event.pattern, f"{where}.pattern")
    groups = set(expression.groupindex)
    needs: Mapping[str, tuple[bool, str]] = {
        "started": (event.started is not None, "took_ms"),
        "retrieval": (event.retrieval, "took_ms"),
        "span": (bool(event.span), "span_ms"),
    }
    for key, (is_set, group) in needs.items():
        if is_set and group not in groups:
            raise ConfigError(f"{where}: {key} needs a group named {group} in the pattern")
    if event.text and not event.note:
        raise ConfigError(f"{where}: text is a note's, and there is no note")
    try:
        parts = list(string.Formatter().parse(event.text))
    except ValueError as problem:
        raise ConfigError(f"{where}.text: {problem}") from problem
    if any(form or conversion for _, _, form, conversion in parts):
        raise ConfigError(f"{where}.text: braces hold no more than a group's name")
    wanted = {field for _, field, _, _ in parts if field is not None}
    if wanted - groups:
        unknown = ", ".join(sorted(wanted - groups)) or "one without a name"
        raise ConfigError(f"{where}.text: the pattern has no such group: {unknown}")
    return LinePattern(
        name=name,
        expression=expression,
        marks=event.marks,
        started=event.started,
        turn=event.turn,
        draft=event.draft,
        span=event.span,
        is_retrieval=event.retrieval,
        playout=event.playout,
        note=event.note,
        text=event.text,
    )


def _compiled(pattern: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as problem:
        raise ConfigError(f"{where}: this is no regular expression: {problem}") from problem


def _told(problem: str) -> str:
    """Return msgspec's message with its path in TOML's words."""
    return problem.replace(" - at `$.", " (").replace("`", "") + (")" if " - at `$." in problem else "")


def numbers(found: re.Match[str]) -> dict[str, float]:
    """Return what the groups that are numbers matched; those that are none are left out."""
    values: dict[str, float] = {}
    groups = found.groupdict()
    for name in _NUMBERS & groups.keys():
        try:
            value = float(groups[name])
        except (TypeError, ValueError):
            continue
        if abs(value) <= _GREATEST:
            values[name] = value
    return values

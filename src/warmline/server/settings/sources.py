"""Where a setting's value came from."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["COMMAND_LINE", "DEFAULT", "Source", "SourceKind"]


class SourceKind(enum.Enum):
    """The four places, weakest first."""

    DEFAULT = "default"
    FILE = "file"
    FLAG = "flag"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Source:
    """One value's origin."""

    kind: SourceKind
    place: str = ""
    """The file's path as it was given, or the variable's name."""

    line: int = 0
    """In the file, from 1."""

    def __str__(self) -> str:
        if self.kind is SourceKind.FILE:
            return f"{self.place}:{self.line}"
        return f"{self.kind.value} {self.place}" if self.place else self.kind.value

    @property
    def in_words(self) -> str:
        """How an error names the place, before its colon."""
        if self.kind is SourceKind.FILE:
            return f"{self.place} line {self.line}"
        if self.kind is SourceKind.FLAG:
            return "command line"
        return f"environment variable {self.place}"


DEFAULT = Source(SourceKind.DEFAULT)
COMMAND_LINE = Source(SourceKind.FLAG)

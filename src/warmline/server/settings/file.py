"""The settings file: read, parsed, and each key's line known."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from warmline.errors import ConfigError
from warmline.server.settings.lines import KeyPath, key_lines
from warmline.server.settings.sources import Source, SourceKind

__all__ = ["SettingsFile", "read_file"]


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file that is valid TOML; whether its keys are settings is not known yet."""

    path: Path
    content: Mapping[str, object]
    lines: Mapping[KeyPath, int]

    @property
    def folder(self) -> Path:
        """What paths in the file are relative to."""
        return self.path.parent

    def source(self, path: KeyPath) -> Source:
        """Return where the table or key at `path` stands."""
        return Source(SourceKind.FILE, str(self.path), self.lines[path])


def read_file(path: Path, *, may_be_missing: bool = False) -> SettingsFile | None:
    """Return the file at `path`, or None if there is none and `may_be_missing`.

    Raises:
        ConfigError: it is missing, cannot be read, or is not TOML in UTF-8.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if may_be_missing:
            return None
        raise ConfigError(
            f"cannot read the settings file {path}: there is no such file; "
            f"`warmline config --example` prints one to start from"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read the settings file {path}: {error.strerror}") from error
    text = _decode(path, data)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, what = _syntax_error(str(error), text)
        raise ConfigError(f"{path} line {line}: this is not valid TOML: {what}") from error
    return SettingsFile(path, content, key_lines(text))


def _decode(path: Path, data: bytes) -> str:
    """Return the text with every line's end as a line feed."""
    try:
        # Some editors write a byte order mark, which TOML does not know.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path} line {line}: this is not UTF-8 text; save the file as UTF-8") from error
    return text.replace("\r\n", "\n")


def _syntax_error(message: str, text: str) -> tuple[int, str]:
    """Return the line, and what is wrong there, from tomllib's message."""
    what = re.sub(r" \(at [^()]*\)$", "", message)
    place = re.search(r"\(at line (\d+), column (\d+)\)$", message)
    if place is None:
        return max(1, len(text.splitlines())), f"{what} (at the end of the file)"
    return int(place[1]), f"{what} (column {place[2]})"

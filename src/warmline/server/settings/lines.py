"""Which line of a TOML text each key stands on; `tomllib` does not say.

Only for a text that `tomllib` has accepted: what is valid is not checked again.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

__all__ = ["KeyPath", "key_lines"]

KeyPath = tuple[str, ...]
"""A key's tables and its own name, such as `("turns", "silence_ms")`."""

_TOKEN: Final = re.compile(
    r'''
      (?P<comment> \#[^\n]* )
    | (?P<text> """ (?: \\. | [^\\] )*? """ "{0,2}   # up to two quotes may stand before the closing three
              | \'\'\' .*? \'\'\' '{0,2}
              | " (?: \\. | [^"\\\n] )* "
              | ' [^'\n]* ' )
    | (?P<newline> \n )
    | (?P<mark> [\[\]{}=,.] )
    | (?P<bare> [^\s\[\]{}=,.\#"']+ )
    ''',
    re.VERBOSE | re.DOTALL,
)

_END: Final = ("newline", "\n", 0)
_Token = tuple[str, str, int]


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of each table and key in `text`.

    What is opened more than once, as by dotted keys or in an array of tables, has the line of the
    first time.
    """
    scanner = _Scanner(_tokens(text))
    scanner.scan()
    return scanner.lines


def _tokens(text: str) -> list[_Token]:
    """Return (kind, text, line) of each token but comments; white space is between tokens."""
    tokens = []
    line, counted_to = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", counted_to, match.start())
        counted_to = match.start()
        if match.lastgroup != "comment":
            tokens.append((str(match.lastgroup), match.group(), line))
    return tokens


class _Scanner:
    """Walks over the tokens once.

    What changes here: `_at`, only in `_take`; `lines`, only in `_record`.
    """

    def __init__(self, tokens: list[_Token]) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._tokens = tokens
        self._at = 0

    def scan(self) -> None:
        table: KeyPath = ()
        while self._at < len(self._tokens):
            if self._skip("\n"):
                continue
            if self._skip("["):
                self._skip("[")
                table = self._key(())
                self._skip("]")
                self._skip("]")
            else:
                self._pair(table)

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _skip(self, mark: str) -> bool:
        """Pass over `mark` if it comes next; a quoted text is never a mark."""
        kind, text, _ = self._peek()
        if kind not in {"mark", "newline"} or text != mark or self._at >= len(self._tokens):
            return False
        self._take()
        return True

    def _record(self, path: KeyPath, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _key(self, table: KeyPath) -> KeyPath:
        """Read a key of one or more parts and record it under `table`."""
        _, part, line = self._take()
        path = (*table, _unquoted(part))
        while self._skip("."):
            path = (*path, _unquoted(self._take()[1]))
        self._record(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        path = self._key(table)
        self._skip("=")
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        """Pass over a value; the keys of inline tables in it are recorded under `path`."""
        if self._skip("["):
            while not self._skip("]"):
                if not (self._skip(",") or self._skip("\n")):
                    self._value(path)
        elif self._skip("{"):
            while not self._skip("}"):
                if not (self._skip(",") or self._skip("\n")):
                    self._pair(path)
        else:
            while self._peek()[0] in {"text", "bare"} or self._peek()[1] == ".":
                self._take()


def _unquoted(part: str) -> str:
    """Return what a part of a key means, escapes and all."""
    return next(iter(tomllib.loads(f"{part} = 0"))) if part[0] in "\"'" else part

"""How a setting is declared: beside its field, as the field's metadata."""

from __future__ import annotations

import dataclasses
from typing import Final, TypeVar

from warmline.server.settings.secret import Secret

__all__ = ["DECLARATION", "Declaration", "secret", "setting"]

T = TypeVar("T")

DECLARATION: Final = "warmline.setting"
"""The key under which a field's metadata holds its `Declaration`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """What a field's type and default cannot say."""

    doc: str
    """One or two sentences for the operator, without Markdown beyond backticks."""

    unit: str = ""
    """Such as `ms`; what a number counts."""

    at_least: float | None = None
    """For a text: its fewest characters."""

    at_most: float | None = None
    """For a text: its most characters."""

    pattern: str = ""
    """A regular expression that a whole text, or each text of a list, must match."""

    phrase: str = ""
    """What `pattern` asks for, to follow "it must be"."""

    environment: str = ""
    """The variable that a secret is read from; empty for everything that is not secret."""


def setting(
    default: T,
    doc: str,
    *,
    unit: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    pattern: str = "",
    phrase: str = "",
) -> T:
    """Declare a field of a table; its key is the field's name."""
    declared = Declaration(doc, unit, at_least, at_most, pattern, phrase)
    return dataclasses.field(default=default, metadata={DECLARATION: declared})


def secret(
    environment: str, doc: str, *, at_least: float | None = None, pattern: str = "", phrase: str = ""
) -> Secret | None:
    """Declare a secret field: unset by default, and never read from a file or a flag."""
    declared = Declaration(doc, "", at_least, None, pattern, phrase, environment)
    return dataclasses.field(default=None, metadata={DECLARATION: declared})

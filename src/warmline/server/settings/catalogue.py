"""The settings as a list: what loading, the reference page and `warmline config` walk over."""

from __future__ import annotations

import dataclasses
import enum
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from warmline.server.settings.declaration import DECLARATION, Declaration
from warmline.server.settings.secret import Secret
from warmline.server.settings.tables import Settings

__all__ = ["CATALOGUE", "TABLES", "Kind", "Setting", "Table", "Value", "format_number", "setting_named"]

_UNITS_IN_FULL: Final = {"ms": "milliseconds", "s": "seconds"}

Value = str | int | float | bool | tuple[str, ...] | Path | Secret | None
"""What a setting can hold."""


class Kind(enum.Enum):
    """What is written for a setting in the file."""

    SWITCH = "true or false"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXT = "a text in quotes"
    TEXTS = "a list of texts in quotes"
    CHOICE = "one of a few words"
    PROVIDER = "one of a few words, or the name of an installed provider"
    PROVIDERS = "a list of such words and names"
    PATH = "a path in quotes"
    SECRET = "a secret"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    table: str
    key: str
    kind: Kind
    default: Value
    choices: tuple[str, ...]
    """The words of a `CHOICE`, a `PROVIDER` or `PROVIDERS`; else empty."""

    declared: Declaration

    @property
    def name(self) -> str:
        """The table and the key, such as `turns.silence_ms`."""
        return f"{self.table}.{self.key}"

    @property
    def requirement(self) -> str:
        """What a value must be, to follow "it must be"."""
        declared = self.declared
        if self.choices:
            words = ", ".join(f'"{choice}"' for choice in self.choices)
            if self.kind is Kind.PROVIDERS:
                return f"a list of {words}, and names of installed providers"
            words = f"one of {words}"
            return words if self.kind is Kind.CHOICE else f"{words}, or the name of an installed provider"
        if self.kind is Kind.TEXTS:
            return f"a list of {declared.phrase}" if declared.phrase else self.kind.value
        if declared.phrase:
            return declared.phrase
        text: str = self.kind.value
        if self.kind is Kind.TEXT and declared.at_most is not None:
            return f"{text} of at most {format_number(declared.at_most)} characters"
        if declared.unit:
            text += f" of {_UNITS_IN_FULL.get(declared.unit, declared.unit)}"
        if declared.at_least is not None and declared.at_most is not None:
            text += f" from {format_number(declared.at_least)} to {format_number(declared.at_most)}"
        return text


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file."""

    name: str
    doc: str
    settings: tuple[Setting, ...]


def format_number(number: float) -> str:
    """Return a number as people write it in the file: no exponent, and `5` for 5.0."""
    return str(int(number)) if float(number).is_integer() else str(number)


def _kind_of(annotation: object) -> tuple[Kind, tuple[str, ...]]:
    if typing.get_origin(annotation) is typing.Literal:
        return Kind.CHOICE, typing.get_args(annotation)
    first = next(iter(typing.get_args(annotation)), None)
    if typing.get_origin(first) is typing.Literal:
        return Kind.PROVIDER, typing.get_args(first)
    if typing.get_origin(annotation) is tuple and (inner := typing.get_args(first)):
        return Kind.PROVIDERS, typing.get_args(inner[0])
    kinds: dict[object, Kind] = {
        bool: Kind.SWITCH,
        int: Kind.WHOLE,
        float: Kind.NUMBER,
        str: Kind.TEXT,
        tuple[str, ...]: Kind.TEXTS,
        Path | None: Kind.PATH,
        Secret | None: Kind.SECRET,
    }
    return kinds[annotation], ()


def _tables() -> tuple[Table, ...]:
    """Return the tables whose keys are known; `[plugins.NAME]` has its owner's."""
    tables = []
    for name, table_class in typing.get_type_hints(Settings).items():
        if not dataclasses.is_dataclass(table_class):
            continue
        hints = typing.get_type_hints(table_class)
        settings = []
        for field in dataclasses.fields(table_class):
            kind, choices = _kind_of(hints[field.name])
            default = cast("Value", field.default)
            settings.append(Setting(name, field.name, kind, default, choices, field.metadata[DECLARATION]))
        tables.append(Table(name, str(table_class.__doc__), tuple(settings)))
    return tuple(tables)


TABLES: Final = _tables()
"""In the order of the file."""

CATALOGUE: Final = tuple(setting for table in TABLES for setting in table.settings)
"""Every setting, in the order of the file."""

_BY_NAME: Final = {setting.name: setting for setting in CATALOGUE}


def setting_named(name: str) -> Setting | None:
    """Return the setting called `name`, such as `turns.silence_ms`, or None."""
    return _BY_NAME.get(name)

"""`warmline config`: what is in force, and where each value came from."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from warmline.server.settings import (
    DEFAULT_FILE,
    TABLES,
    Kind,
    LoadedSettings,
    Secret,
    Setting,
    SourceKind,
    Value,
    example_file,
    load_settings,
    parse_assignments,
    reference_page,
)
from warmline.server.settings.secret import MASK
from warmline.server.settings.tables import PLUGINS
from warmline.server.settings.values import to_toml

__all__ = ["ConfigOption", "SetOption", "config_command", "load_for_command"]

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="PATH", help=f"Settings file; {DEFAULT_FILE} in this folder if not given."
    ),
]
"""The `--config` of every command that has settings."""

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Set anything, over the file; repeatable."),
]
"""The `--set` of every command that has settings."""


_PIPE_COLUMNS: Final = 1_000
"""Width for a pipe or a file, where a folded line would be two lines to the next program."""


def load_for_command(
    config: Path | None,
    assignments: list[str] | None,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Return the settings of a command, from its options and the process's environment.

    Args:
        config: What `--config` gave.
        assignments: What `--set` gave.
        flags: The command's own flags by the settings' names, such as `server.port`; None for one
            that was not given. They win over `--set`.
        environment: More variables, which win over the process's.

    Raises:
        ConfigError: as `load_settings`.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    return load_settings(
        config, {**parse_assignments(assignments or ()), **given}, {**os.environ, **(environment or {})}
    )


def config_command(
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Print a complete settings file, every key explained.")
    ] = False,
    reference: Annotated[
        bool, typer.Option("--reference", help="Print the reference page of all settings, in Markdown.")
    ] = False,
) -> None:
    """Show the settings in force and where each came from."""
    if example:
        sys.stdout.write(example_file())
    elif reference:
        sys.stdout.write(reference_page())
    elif as_json:
        loaded = load_for_command(config, assignments)
        sys.stdout.write(json.dumps(_to_json(loaded), indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        _print_table(load_for_command(config, assignments))


def _to_json(loaded: LoadedSettings) -> dict[str, object]:
    return {
        "file": str(loaded.path) if loaded.path else None,
        "settings": {
            table.name: {setting.key: _entry(loaded, setting) for setting in table.settings}
            for table in TABLES
        },
        "plugins": {
            plugin: {key: {"value": value, **_source(loaded, name)} for name, key, value in entries}
            for plugin, entries in _plugins(loaded).items()
        },
    }


def _plugins(loaded: LoadedSettings) -> dict[str, list[tuple[str, str, object]]]:
    """Return each plugin's settings: full name, key and value."""
    return {
        plugin: [(f"{PLUGINS}.{plugin}.{key}", key, value) for key, value in table.items()]
        for plugin, table in loaded.settings.plugins.items()
    }


def _entry(loaded: LoadedSettings, setting: Setting) -> dict[str, object]:
    entry = {
        "value": _plain(loaded.value(setting.name)),
        **_source(loaded, setting.name),
        "default": _plain(setting.default),
    }
    if setting.declared.environment:
        entry |= {"variable": setting.declared.environment}
    return entry


def _source(loaded: LoadedSettings, name: str) -> dict[str, object]:
    source = loaded.sources[name]
    place = {"file": source.place, "line": source.line} if source.kind is SourceKind.FILE else {}
    return {"source": source.kind.value, **place}


def _plain(value: Value) -> object:
    match value:
        case Secret():
            return MASK
        case Path():
            return str(value)
        case tuple():
            return list(value)
        case _:
            return value


def _print_table(loaded: LoadedSettings) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for group in TABLES:
        for setting in group.settings:
            source = loaded.sources[setting.name]
            is_default = source.kind is SourceKind.DEFAULT
            value = loaded.value(setting.name)
            style = "" if is_default else "bold"
            cell = Text(_cell(setting, value), style).append(f" {setting.declared.unit}", "dim")
            cell.rstrip()
            table.add_row(
                Text(setting.name, style),
                cell,
                Text(_origin(loaded, setting), "dim" if is_default else "green"),
            )
        table.add_section()
    for entries in _plugins(loaded).values():
        for name, _, raw in entries:
            origin = Text(str(loaded.sources[name]), "green")
            table.add_row(Text(name, "bold"), Text(to_toml(raw), "bold"), origin)
        table.add_section()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_COLUMNS
    console.print(table)
    file = f"file: {loaded.path}" if loaded.path else f"file: none (no {DEFAULT_FILE} in this folder)"
    console.print(Text("\n" + file, "dim"))


def _origin(loaded: LoadedSettings, setting: Setting) -> str:
    source = loaded.sources[setting.name]
    if source.kind is SourceKind.DEFAULT and setting.declared.environment:
        return f"default (no {setting.declared.environment})"
    return str(source)


def _cell(setting: Setting, value: Value) -> str:
    if setting.kind is Kind.SECRET:
        return "not set" if value is None else MASK
    if isinstance(value, float):
        return f"{value:g}"
    return to_toml(value)

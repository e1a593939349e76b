"""From a file, the flags and the environment to settings, with every error of the file at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from warmline.errors import ConfigError
from warmline.server.settings.catalogue import CATALOGUE, TABLES, Kind, Setting, Value, setting_named
from warmline.server.settings.file import SettingsFile, read_file
from warmline.server.settings.installed import GROUPS, installed, names_in_words
from warmline.server.settings.lines import KeyPath
from warmline.server.settings.nearest import looks_secret, suggestion, written
from warmline.server.settings.sources import COMMAND_LINE, DEFAULT, Source, SourceKind
from warmline.server.settings.tables import NOT_ABOVE, PLUGINS, REFERENCE, Settings
from warmline.server.settings.values import Unfit, read_value, shown

__all__ = ["DEFAULT_FILE", "LoadedSettings", "load_settings"]

DEFAULT_FILE: Final = Path("warmline.toml")
"""Read from the working directory if it is there and no other file was named."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """What is in force, and why."""

    settings: Settings
    sources: Mapping[str, Source]
    """Where each value came from, by the setting's name, for every setting; plugins' that are set as well."""

    path: Path | None
    """The file that was read, as it was named; None without one."""

    def value(self, name: str) -> Value:
        """Return the value of the setting called `name`, such as `turns.silence_ms`."""
        table, key = name.split(".")
        return cast("Value", getattr(getattr(self.settings, table), key))


def load_settings(
    path: Path | None, flags: Mapping[str, object], environ: Mapping[str, str]
) -> LoadedSettings:
    """Return what is in force: flags over the file over the defaults, and secrets from `environ`.

    Args:
        path: The file that the operator named; None takes `DEFAULT_FILE` if it exists.
        flags: Values by the settings' names, such as `server.port`; None stands for a flag that was
            not given. A path among them is relative to the working directory, one in the file to the
            file's folder.
        environ: The process's environment.

    Raises:
        ConfigError: the file cannot be read, or something in it, in the flags or in the environment
            is unknown, of the wrong type or out of range. One line for each of them, the file's first.
    """
    file = read_file(path) if path is not None else read_file(DEFAULT_FILE, may_be_missing=True)
    gathering = _Gathering()
    if file is not None:
        gathering.take_file(file)
    gathering.take_flags(flags)
    gathering.take_environment(environ)
    return gathering.finish(file.path if file is not None else None)


@dataclass(frozen=True, slots=True)
class _Problem:
    source: Source
    text: str

    def __str__(self) -> str:
        return f"{self.source.in_words}: {self.text}"


class _Gathering:
    """Values and problems, as they are found.

    What changes here: all of it, only in the `take_` methods; a later source replaces an earlier one.
    """

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._plugins: dict[str, dict[str, object]] = {}
        self._sources: dict[str, Source] = {}
        self._problems: list[_Problem] = []

    def take_file(self, file: SettingsFile) -> None:
        tables = {table.name for table in TABLES} | {PLUGINS}
        for name, content in file.content.items():
            if name not in tables:
                self._unknown(file.source((name,)), (name,), is_table=isinstance(content, dict))
            elif not isinstance(content, dict):
                self._problem(
                    file.source((name,)), f"{name} is {shown(content)}; it must be a table, [{name}]"
                )
            elif name == PLUGINS:
                self._take_plugins(file, content)
            else:
                for key, raw in content.items():
                    self._take_key(file, (name, key), raw)

    def take_flags(self, flags: Mapping[str, object]) -> None:
        for name, raw in flags.items():
            if raw is None:
                continue
            setting = setting_named(name)
            path = tuple(name.split("."))
            if path[0] == PLUGINS and len(path) == 3:
                self._take_plugin_key(COMMAND_LINE, path, raw)
            elif setting is None:
                self._unknown(COMMAND_LINE, path, is_table=False)
            elif setting.kind is Kind.SECRET:
                self._secret_misplaced(COMMAND_LINE, setting)
            else:
                self._take(COMMAND_LINE, setting, raw)

    def take_environment(self, environ: Mapping[str, str]) -> None:
        for setting in CATALOGUE:
            variable = setting.declared.environment
            if variable and environ.get(variable):
                self._take(Source(SourceKind.ENVIRONMENT, variable), setting, environ[variable])

    def finish(self, path: Path | None) -> LoadedSettings:
        tables = {
            table.name: dataclasses.replace(
                getattr(Settings(), table.name),
                **{
                    setting.key: self._values[setting.name]
                    for setting in table.settings
                    if setting.name in self._values
                },
            )
            for table in TABLES
        }
        settings = Settings(**tables, plugins=self._plugins)
        sources = {setting.name: DEFAULT for setting in CATALOGUE} | self._sources
        loaded = LoadedSettings(settings, sources, path)
        problems = self._problems or list(_contradictions(loaded))
        if problems:
            # Stable: the file's by line, then the command line's, then the environment's.
            raise ConfigError("\n".join(map(str, sorted(problems, key=_order))))
        return loaded

    def _take_key(self, file: SettingsFile, path: KeyPath, raw: object) -> None:
        source = file.source(path)
        setting = setting_named(".".join(path))
        if setting is None:
            self._unknown(source, path, is_table=False)
        elif setting.kind is Kind.SECRET:
            self._secret_misplaced(source, setting)
        else:
            self._take(source, setting, raw)
            value = self._values.get(setting.name)
            if isinstance(value, Path):
                self._values[setting.name] = file.folder / value

    def _take_plugins(self, file: SettingsFile, content: Mapping[str, object]) -> None:
        for name, table in content.items():
            path = (PLUGINS, name)
            if not isinstance(table, dict):
                self._problem(
                    file.source(path),
                    f"{written(path)} is {shown(table)}; it must be a table, [{written(path)}]",
                )
                continue
            if not any(name in installed(key) for key in GROUPS):
                told = f"[{written(path)}] is for no package that is there ({names_in_words(*GROUPS)})"
                self._problem(file.source(path), told)
            for key, raw in table.items():
                self._take_plugin_key(file.source((*path, key)), (*path, key), raw)

    def _take_plugin_key(self, source: Source, path: KeyPath, raw: object) -> None:
        """Take what only the plugin itself can check; a secret may be there only by its variable's name."""
        _, name, key = path
        if looks_secret(path) and isinstance(raw, str) and not raw.startswith(REFERENCE):
            self._problem(
                source,
                f"{written(path)} looks like a secret, which must not stand here; put it into the "
                f'environment, and write "{REFERENCE}" and the variable\'s name',
            )
            return
        self._plugins.setdefault(name, {})[key] = raw
        self._sources[".".join(path)] = source

    def _take(self, source: Source, setting: Setting, raw: object) -> None:
        try:
            self._values[setting.name] = read_value(setting, raw)
        except Unfit as problem:
            self._problem(source, f"{setting.name} {problem}")
        else:
            self._sources[setting.name] = source

    def _unknown(self, source: Source, path: KeyPath, *, is_table: bool) -> None:
        name = f"[{written(path)}]" if is_table else written(path)
        if looks_secret(path):
            variables = ", ".join(
                setting.declared.environment for setting in CATALOGUE if setting.declared.environment
            )
            advice = f"looks like a secret, which must not stand here; a secret is read from {variables}"
            self._problem(source, f"{name} is unknown and {advice} in the environment")
        else:
            self._problem(source, f"{name} is unknown; {suggestion(path, is_table=is_table)}")

    def _secret_misplaced(self, source: Source, setting: Setting) -> None:
        self._problem(
            source,
            f"{setting.name} is a secret, which must not stand here; "
            f"delete it and set the environment variable {setting.declared.environment}",
        )

    def _problem(self, source: Source, text: str) -> None:
        self._problems.append(_Problem(source, text))


def _order(problem: _Problem) -> tuple[bool, int]:
    return problem.source.kind is not SourceKind.FILE, problem.source.line


def _contradictions(loaded: LoadedSettings) -> Iterator[_Problem]:
    """Yield what is wrong between settings that are each right by themselves."""
    for low, high in NOT_ABOVE:
        low_value, high_value = loaded.value(low), loaded.value(high)
        if cast("float", low_value) > cast("float", high_value):
            source = loaded.sources[low]
            if source == DEFAULT:
                source = loaded.sources[high]
            yield _Problem(
                source,
                f"{low} is {low_value} ({loaded.sources[low]}), "
                f"which is above {high}, {high_value} ({loaded.sources[high]})",
            )

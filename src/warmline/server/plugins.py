"""What other packages bring: found by its entry point, told its settings, opened and closed."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import EntryPoint
from typing import Any, Final

from warmline.errors import ConfigError
from warmline.pool.lines import Lines
from warmline.server.settings import Secret
from warmline.server.settings.installed import GROUPS, installed, names_in_words
from warmline.server.settings.tables import PLUGINS, REFERENCE
from warmline.tools.definition import Tool

__all__ = ["PluginFactory", "open_plugin"]

PluginFactory = Callable[[Mapping[str, object], Lines], AbstractAsyncContextManager[object]]
"""What an entry point names: takes its settings and the program's lines; leaving what it gives closes it."""

_METHODS: Final = {"llm": "stream", "stt": "open", "tts": "open"}
"""What the interfaces ask for: `LanguageModel`, `SpeechToText` and `TextToSpeech`."""

_SETTINGS: Final = {**{key: f"providers.{key} is" for key in _METHODS}, "tools": "tools.plugins has"}
_IN_WORDS: Final = {GROUPS["tools"]: "the tools"}


@asynccontextmanager
async def open_plugin(
    key: str, name: str, table: Mapping[str, object], lines: Lines, environ: Mapping[str, str]
) -> AsyncIterator[Any]:
    """Open a provider of another package, or tools; what is given back is what `key` stands for.

    Args:
        key: `llm`, `stt` or `tts`, for the interface of that setting of `[providers]`; or `tools`,
            for an iterable of `Tool`.
        name: What its entry point is called.
        table: Its settings as they were written; texts `env:NAME` become the `Secret` in that variable.
        lines: Shared by all providers of the program; still open when it is closed.
        environ: The process's environment.

    Raises:
        ConfigError: it is not installed, cannot be imported, is not made as plugins are made, lacks a
            secret, or does not like its settings.
        ProviderError: it could not be started.
    """
    entry = installed(key).get(name)
    if entry is None:
        raise ConfigError(f"{_SETTINGS[key]} {name!r}, and there is none such ({names_in_words(key)})")
    factory = _load(entry)
    opening = factory(_told(name, table, environ), lines)
    if not isinstance(opening, AbstractAsyncContextManager):
        raise ConfigError(
            f"{_in_words(entry)} gave {_kind(opening)}, which is no async context manager; "
            "decorate it with contextlib.asynccontextmanager"
        )
    async with opening as provider:
        if wrong := _what_is_wrong(key, provider):
            raise ConfigError(f"{_in_words(entry)} yielded {_kind(provider)}, which {wrong}")
        yield provider


def _what_is_wrong(key: str, thing: object) -> str:
    """Return why what was yielded is not what was asked for; empty if it is."""
    if key == "tools":
        is_some = isinstance(thing, Collection) and thing and all(isinstance(each, Tool) for each in thing)
        return "" if is_some else "is no list of tools; make each of them with warmline.tool"
    method = _METHODS[key]
    return "" if callable(getattr(thing, method, None)) else f"has no method {method}()"


def _load(entry: EntryPoint) -> PluginFactory:
    try:
        factory = entry.load()
    # Another's package may fail at anything.
    except Exception as error:
        raise ConfigError(
            f"{_in_words(entry)} cannot be imported: {type(error).__name__}: {error}; "
            "install what it needs, or ask its maintainers"
        ) from error
    try:
        inspect.signature(factory).bind({}, None)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{_in_words(entry)} is no function of settings and lines: {error}") from error
    return factory  # type: ignore[no-any-return]


def _told(name: str, table: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    """Return what a plugin is told: its settings, with secrets in place of references to them."""
    told: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, str) and value.startswith(REFERENCE):
            variable = value.removeprefix(REFERENCE)
            if not environ.get(variable):
                raise ConfigError(
                    f"{PLUGINS}.{name}.{key} is {value!r}, and the environment variable {variable} is not set"
                )
            told[key] = Secret(environ[variable])
        else:
            told[key] = value
    return told


def _in_words(entry: EntryPoint) -> str:
    owner = f" of the package {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"{_IN_WORDS.get(entry.group, 'the provider')} {entry.name!r} ({entry.value}){owner}"


def _kind(thing: object) -> str:
    return f"an object of type {type(thing).__name__}"

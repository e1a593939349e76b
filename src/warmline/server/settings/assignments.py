"""`--set TABLE.KEY=VALUE`: any setting from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable

from warmline.errors import ConfigError
from warmline.server.settings.catalogue import Kind, setting_named
from warmline.server.settings.tables import PLUGINS

__all__ = ["parse_assignments"]


def parse_assignments(assignments: Iterable[str]) -> dict[str, object]:
    """Return flags for `load_settings`; the last one wins where a setting is given twice.

    A text needs no quotes, and may have them: `agent.greeting=Hello there`. Everything else is written as
    in the file; a list of one may be written as its only item.

    Raises:
        ConfigError: one has no `=`. Names and values are checked by `load_settings`.
    """
    flags: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"command line: --set {assignment} has no value; write it as in --set turns.silence_ms=400"
            )
        flags[name.strip()] = _raw(name.strip(), text.strip())
    return flags


def _raw(name: str, text: str) -> object:
    setting = setting_named(name)
    if setting is None and not name.startswith(f"{PLUGINS}."):
        return text
    is_text = setting and setting.kind in {Kind.TEXT, Kind.CHOICE, Kind.PROVIDER, Kind.PATH, Kind.SECRET}
    is_quoted = len(text) > 1 and text[0] in "\"'" and text[0] == text[-1]
    if is_text and not is_quoted:
        return text
    if setting and setting.kind in {Kind.TEXTS, Kind.PROVIDERS} and not text.startswith("["):
        return [text] if text else []
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

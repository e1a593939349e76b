"""A complete settings file, to start from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from warmline.server.settings.catalogue import TABLES, Kind, Setting
from warmline.server.settings.values import default_in_toml

__all__ = ["example_file"]

_HEAD: Final = """\
# Settings of warmline. Every setting is here with its default: to change one, remove the `#`
# before it and write another value. Paths are relative to this file.
"""

_TAIL: Final = """\
# What a provider or tools of another package are told, under the name that they are installed under. A
# secret stands in the environment; here is its variable.
#
#     [plugins.parrot]
#     base_url = "https://parrot.example.com"
#     api_key = "env:PARROT_API_KEY"
"""

_WIDTH: Final = 100


def example_file() -> str:
    """Return the text: each setting explained, and written out behind a `#` with its default."""
    parts = [_HEAD]
    for table in TABLES:
        lines = [f"# {table.doc}", f"[{table.name}]"]
        for setting in table.settings:
            lines += ["", *_explained(setting)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join([*parts, _TAIL])


def _explained(setting: Setting) -> Iterator[str]:
    declared = setting.declared
    if setting.kind is Kind.SECRET:
        text = f"{setting.key}: {declared.doc} Set it in the environment, as {declared.environment}."
        yield from _comment(text)
        return
    requirement = setting.requirement
    yield from _comment(f"{declared.doc} {requirement[0].upper()}{requirement[1:]}.")
    yield f"#{setting.key} = {default_in_toml(setting)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )

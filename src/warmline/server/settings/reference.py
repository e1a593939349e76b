"""docs/reference/configuration.md, written from the declarations."""

from __future__ import annotations

from typing import Final

from warmline.server.settings.catalogue import TABLES, Kind, Setting, Table
from warmline.server.settings.values import default_in_toml

__all__ = ["reference_page"]

_HEAD: Final = """\
# Configuration

<!-- Written by `warmline config --reference`; a test compares the two. Change tables.py instead. -->

warmline runs without any configuration. To change something, put a file called `warmline.toml` into
the folder you start it from, or name one with `--config PATH`. `warmline config --example` prints a
complete one.

- **What wins.** A flag over the file over the default. Any setting can be given as a flag:
  `--set turns.silence_ms=400`.
- **What is in force.** `warmline config` prints every setting and where its value came from;
  `--json` is for programs.
- **Secrets** are read from the environment only, and are never printed. One in the file is an error.
- **Paths** in the file are relative to the file; in a flag, to the working directory.
- **Mistakes** stop the start. Each is reported with its line and the nearest right name, all at once.
"""


_TAIL: Final = """\
## `[plugins.NAME]`

What a provider or tools of another package are told, where NAME is the name that they are installed
under. Their own documentation says which keys there are. A secret stands in the environment; the
file has its variable: `api_key = "env:PARROT_API_KEY"`.
"""


def reference_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *map(_table, TABLES), _TAIL])


def _table(table: Table) -> str:
    lines = [f"## `[{table.name}]`", "", table.doc, ""]
    settings = [setting for setting in table.settings if setting.kind is not Kind.SECRET]
    lines += ["| key | default | unit | what may be written | meaning |", "|---|---|---|---|---|"]
    lines += [_row(setting) for setting in settings]
    for setting in table.settings:
        if setting.kind is Kind.SECRET:
            declared = setting.declared
            lines += ["", f"Secret `{declared.environment}` (environment variable, unset by default)."]
            lines += [f"{declared.doc} It must be {setting.requirement}."]
    return "\n".join(lines) + "\n"


def _row(setting: Setting) -> str:
    declared = setting.declared
    cells = (
        f"`{setting.key}`",
        f"`{default_in_toml(setting)}`",
        declared.unit or "-",
        setting.requirement,
        declared.doc,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

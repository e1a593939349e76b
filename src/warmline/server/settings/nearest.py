"""The right name that a wrong one was probably meant to be."""

from __future__ import annotations

import difflib
import json
import re
from typing import Final

from warmline.server.settings.catalogue import CATALOGUE, TABLES
from warmline.server.settings.lines import KeyPath
from warmline.server.settings.tables import PLUGINS

__all__ = ["looks_secret", "suggestion", "written"]

_CUTOFF: Final = 0.6
"""Likeness, 0..1, from which a name is suggested; difflib's own default."""

_CUTOFF_ELSEWHERE: Final = 0.75
"""For names of other tables: there are many, and one that is a little alike is always among them."""

_SECRET_WORDS: Final = re.compile(r"secret|password|token|credential|api[-_ ]?key|^key$", re.IGNORECASE)


def written(path: KeyPath) -> str:
    """Return a path as it is written in TOML: dots between the parts, quotes where they are needed."""
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False)
        for part in path
    )


def looks_secret(path: KeyPath) -> bool:
    """Return whether an unknown key's name says that its value is a secret."""
    return _SECRET_WORDS.search(path[-1]) is not None


def suggestion(path: KeyPath, *, is_table: bool) -> str:
    """Return how to go on after "is unknown": the nearest name, or else what there is."""
    tables = {table.name: table for table in TABLES}
    wanted = _plain(path[-1])
    if is_table and len(path) == 1:
        known = [*tables, f"{PLUGINS}.NAME"]
        near = difflib.get_close_matches(wanted, known, 1, _CUTOFF)
        if near:
            return f"did you mean [{near[0]}]?"
        return "the tables are " + ", ".join(f"[{name}]" for name in known)
    same_table = tables.get(path[0]) if len(path) > 1 else None
    here = same_table.settings if same_table else ()
    for candidates, cutoff in ((here, _CUTOFF), (CATALOGUE, _CUTOFF_ELSEWHERE)):
        names = {setting.key: setting.name for setting in candidates if not setting.declared.environment}
        near = difflib.get_close_matches(wanted, names, 1, cutoff)
        if near:
            return f"did you mean {names[near[0]]}?"
    if same_table:
        keys = ", ".join(setting.key for setting in same_table.settings if not setting.declared.environment)
        return f"[{same_table.name}] has {keys}"
    return "`warmline config --example` shows every setting"


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")

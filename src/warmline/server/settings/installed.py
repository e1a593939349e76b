"""Providers and tools that other packages bring, by the entry points that they declare."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final

__all__ = ["GROUPS", "installed", "names_in_words"]

GROUPS: Final = {
    "llm": "warmline.llm",
    "stt": "warmline.stt",
    "tts": "warmline.tts",
    "tools": "warmline.tools",
}
"""The group of entry points for each role in `[providers]`, and for `tools.plugins`."""

_FALLBACKS: Final = "_fallbacks"


def installed(key: str) -> Mapping[str, EntryPoint]:
    """Return what may be written for the setting `key` of `[providers]`, or for `tools.plugins`."""
    return {entry.name: entry for entry in entry_points(group=GROUPS[key.removesuffix(_FALLBACKS)])}


def names_in_words(*keys: str) -> str:
    """Return the names that are installed in some groups, for an error."""
    names = sorted({name for key in keys for name in installed(key)})
    return f"installed: {', '.join(names)}" if names else "none is installed"

"""Header fields by name, in whatever case a server keeps them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["header"]


def header(headers: Mapping[str, str], name: str) -> str:
    """Return a field's value, without the white space around it; empty if there is none.

    Args:
        headers: As they came.
        name: In lower case.
    """
    found = headers.get(name)
    if found is None:
        found = next((value for key, value in headers.items() if key.lower() == name), "")
    return found.strip()

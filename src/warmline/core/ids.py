"""Names for things that cross a wire: a prefix that says what it is, and 96 random bits."""

from __future__ import annotations

import secrets

__all__ = ["new_id"]


def new_id(prefix: str) -> str:
    """Return a fresh id such as `sess_3f2a…`; unguessable, so it may be shown to the far end."""
    return f"{prefix}_{secrets.token_hex(12)}"

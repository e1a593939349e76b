"""What all commands of Telnyx's call control have in common."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Command", "Legs"]

Legs = Literal["self", "opposite", "both"]
"""Of two legs that are put through to each other, as a command to one of them names them."""


class Command(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What every command may carry."""

    client_state: str | None = None
    command_id: str | None = None

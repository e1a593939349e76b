"""One command to Telnyx, as a value. No I/O.

A command that comes a second time with the same `command_id`, for the same call and within a minute, is
ignored: it is sent again without fear, and a name such as `answer` of the call's own makes it happen once
however often its reason is delivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from warmline.channels.telephone.telnyx.client_state import encode_client_state
from warmline.pool.http import HttpRequest

__all__ = ["TelnyxCommand", "action", "given"]


@dataclass(frozen=True, slots=True)
class TelnyxCommand:
    """One command."""

    name: str
    """Such as `answer`."""

    path: str
    """From the base URL on."""

    parameters: Mapping[str, Any]
    """What its body holds, the command's id among it."""

    @property
    def command_id(self) -> str:
        """What Telnyx knows it by if it comes again."""
        return str(self.parameters["command_id"])

    def request(self) -> HttpRequest:
        """Return the request; the same each time."""
        return HttpRequest(
            "POST",
            self.path,
            (("content-type", "application/json"),),
            msgspec.json.encode(self.parameters),
        )


def action(
    call_control_id: str, name: str, command_id: str, *, client_state: str = "", **fields: Any
) -> TelnyxCommand:
    """Return a command about a call that there is.

    Args:
        call_control_id: Whose.
        name: The last part of the path.
        command_id: What the command is known by.
        client_state: Comes with later events of this leg.
        fields: The body's; those that say nothing are left out.
    """
    path = f"/calls/{quote(call_control_id, safe='')}/actions/{name}"
    state = encode_client_state(client_state) if client_state else None
    return TelnyxCommand(name, path, given(**fields, client_state=state, command_id=command_id))


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", b"", [])}

"""How a piece of work got its connection: what it cost, or that it cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["LineUse", "OnLine", "OpenCost"]


@dataclass(frozen=True, slots=True)
class OpenCost:
    """What opening a connection took, in seconds; the parts are one after another."""

    dns_s: float = 0.0
    """Finding the address; 0 when it was cached."""

    tcp_s: float = 0.0
    """Connecting to it, and through a proxy where there is one."""

    tls_s: float = 0.0
    upgrade_s: float = 0.0
    """The WebSocket's handshake, or waiting for HTTP/2's settings; 0 for HTTP/1.1."""

    @property
    def total_s(self) -> float:
        """All of it."""
        return self.dns_s + self.tcp_s + self.tls_s + self.upgrade_s


@dataclass(frozen=True, slots=True)
class LineUse:
    """One lease, as the timeline keeps it."""

    endpoint: str
    """The endpoint's name in the configuration, such as `openai`."""

    line_id: str
    reused: bool
    """The line was open already, so the work waited for nothing."""

    age_s: float
    """How long the line had been open."""

    waited_s: float
    """From asking for a line to holding one."""

    cost: OpenCost
    """What opening the line took, whenever that was."""

    region: str = ""
    """The host that it leads to, where an endpoint has one at a time."""


OnLine = Callable[[LineUse], None]
"""Called on the event loop, once for each line that the work was given."""

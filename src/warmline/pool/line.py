"""What a pool holds: an open connection, whatever it carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from warmline.core.line_use import OpenCost

__all__ = ["Line", "LineT", "OnLost", "OpenLine"]


class Line(Protocol):
    """One open connection, as the pool sees it."""

    @property
    def id(self) -> str:
        """Its name, unlike any other's in the process."""
        ...

    @property
    def cost(self) -> OpenCost:
        """What opening it took."""
        ...

    @property
    def capacity(self) -> int:
        """How many leases it takes at once."""
        ...

    @property
    def is_reusable(self) -> bool:
        """Whether it is open, and nothing is left over from the work before."""
        ...

    async def keep_alive(self) -> float | None:
        """Do the least that shows both ends that the line is used; return the round trip, if measured.

        Raises:
            PoolError: the line is of no more use.
        """
        ...

    async def aclose(self) -> None:
        """Close it; never raises."""
        ...


LineT = TypeVar("LineT", bound=Line)

OnLost = Callable[[], None]
"""Called on the event loop when the far end drops a line, at most once."""

OpenLine = Callable[[OnLost], Awaitable[LineT]]
"""Opens a line; raises PoolError."""

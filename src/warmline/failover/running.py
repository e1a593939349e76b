"""Running a relay while what comes of it is read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

import anyio

from warmline.failover.relay import Relay

__all__ = ["relayed"]

ProviderT = TypeVar("ProviderT")
PieceT = TypeVar("PieceT")
OutT = TypeVar("OutT")


@asynccontextmanager
async def relayed(
    relay: Relay[ProviderT, PieceT], pieces: AsyncGenerator[OutT, None]
) -> AsyncIterator[AsyncIterator[OutT]]:
    """Run a relay's attempts while what comes of them is read.

    Args:
        relay: Not started yet.
        pieces: What is made of its pieces; closed here.
    """
    problem: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        relay.start(tasks)
        try:
            async with aclosing(pieces):
                yield pieces
        # Raised below: the task group would put it into a group of one, and whoever closes a generator
        # that reads this would meet that in place of the end it asked for.
        except (Exception, GeneratorExit) as error:  # noqa: BLE001
            problem = error
        finally:
            relay.stop()
            tasks.cancel_scope.cancel()
    if problem is not None:
        raise problem

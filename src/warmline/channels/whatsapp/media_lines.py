"""Lines to the hosts that files come from, which are known only when there is a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio

from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.lines import Lines

__all__ = ["MediaLines"]

_MOST_LINES: Final = 8
_IDLE_S: Final = 15.0


class MediaLines:
    """An endpoint for each host; no line stands ready, since which host is next is not known.

    What changes here: the endpoints, in `to`; they are closed with the lines that they belong to.
    """

    def __init__(self, lines: Lines, token: str, graph_urls: Sequence[str]) -> None:
        """Prepare; nothing is opened.

        Args:
            lines: The program's.
            token: Shown to every host that is asked.
            graph_urls: The Graph API's base URLs.
        """
        self.graph_urls = tuple(graph_urls)
        self._lines = lines
        self._headers = {"authorization": f"Bearer {token}"}
        self._endpoints: dict[str, HttpEndpoint] = {}
        self._opening = anyio.Lock()

    async def to(self, base_url: str) -> HttpEndpoint:
        """Return the lines to a host that may be shown the token.

        Raises:
            PoolClosed: the program's lines are not open.
        """
        # Nothing is connected to in here: an endpoint is told to begin, and that is all.
        async with self._opening:
            if base_url not in self._endpoints:
                self._endpoints[base_url] = await self._lines.endpoint(
                    "whatsapp",
                    base_url,
                    warm=0,
                    max_lines=_MOST_LINES,
                    idle_s=_IDLE_S,
                    headers=self._headers,
                )
            return self._endpoints[base_url]

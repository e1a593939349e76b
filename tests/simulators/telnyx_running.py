"""The simulated Telnyx in the test's own loop, and its official SDK."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import telnyx

from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script

__all__ = ["sdk_client", "telnyx_running"]


@asynccontextmanager
async def telnyx_running() -> AsyncIterator[Running]:
    """Run it, with a key that is the only one."""
    async with simulators_running(only=["telnyx"], scripts={"telnyx": Script(key=KEY)}) as found:
        yield found


@asynccontextmanager
async def sdk_client(running: Running) -> AsyncIterator[telnyx.AsyncTelnyx]:
    """Make a client that trusts it, and never tries twice."""
    trusted = ssl.create_default_context(cafile=running.certificate)
    async with (
        httpx.AsyncClient(verify=trusted) as http,
        telnyx.AsyncTelnyx(
            api_key=running.environment["TELNYX_API_KEY"],
            public_key=running.environment["TELNYX_PUBLIC_KEY"],
            base_url=running.base_urls["telnyx"],
            http_client=http,
            max_retries=0,
        ) as made,
    ):
        yield made

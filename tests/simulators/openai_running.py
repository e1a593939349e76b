"""The simulated OpenAI in the test's own loop, over real TLS, and lines to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from warmline.core.clock import SystemClock
from warmline.pool.dialling import Dialler, ssl_context
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.resolver import Resolver
from warmline.pool.retrying import RetryPolicy
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.openai.chat import openai_headers
from warmline.simulators.faults import parse_fault
from warmline.simulators.running import KEY, simulators_running
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator

__all__ = ["OpenAiRunning", "openai_running"]


@dataclass
class OpenAiRunning:
    """Where it is, and how it is reached."""

    simulator: Simulator
    url: str
    certificate: Path
    dialler: Dialler

    def http(self, *, key: str = KEY, **policy: float) -> HttpEndpoint:
        """Return lines for requests, not yet opened."""
        return HttpEndpoint(
            "openai",
            [self.url],
            self.dialler,
            ShelfPolicy(**policy),  # type: ignore[arg-type]
            SystemClock(),
            headers=openai_headers(key),
            retry=RetryPolicy(retries=2, backoff_s=0.01),
        )

    def socket(self, *, key: str = KEY, **policy: float) -> SocketEndpoint:
        """Return lines to the Responses API's socket, not yet opened."""
        return SocketEndpoint(
            "openai-responses",
            self.url.replace("https://", "wss://") + "/responses",
            self.dialler,
            ShelfPolicy(**policy),  # type: ignore[arg-type]
            SystemClock(),
            headers=openai_headers(key),
        )

    def fault(self, text: str) -> None:
        """Have the next request that it fits meet a fault, written as in the header."""
        self.simulator.faults.add(parse_fault(text))

    def asked(self, path: str) -> int:
        """Return how many requests came to a path; a socket is one."""
        return sum(request.path == f"/v1{path}" for request in self.simulator.requests)


@asynccontextmanager
async def openai_running() -> AsyncIterator[OpenAiRunning]:
    """Run it with a model that is quick, so that tests are."""
    script = Script(first_token_ms=5, token_ms=1, reply="You asked: {question} We öffnen at nine. नमस्ते")
    async with simulators_running(only=["openai"], scripts={"openai": script}) as running:
        tls = await anyio.to_thread.run_sync(ssl_context, str(running.certificate))
        dialler = Dialler(Resolver(SystemClock()), SystemClock(), tls=tls)
        yield OpenAiRunning(
            running.simulators["openai"], running.base_urls["openai"], running.certificate, dialler
        )

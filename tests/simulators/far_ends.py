"""The simulators in a test's own loop, and lines that lead to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest
from warmline.pool.lines import Lines
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.sockets import KeepAlive, SocketEndpoint
from warmline.simulators.faults import parse_fault
from warmline.simulators.profiles import Profile
from warmline.simulators.running import KEY, Running, simulators_running
from warmline.simulators.script import Script
from warmline.simulators.simulator import Simulator

__all__ = ["FarEnds", "far_ends"]


@dataclass
class FarEnds:
    """One provider's simulator, and lines to it."""

    name: str
    running: Running
    lines: Lines

    @property
    def simulator(self) -> Simulator:
        return self.running.simulators[self.name]

    @property
    def url(self) -> str:
        return self.running.base_urls[self.name]

    def fault(self, text: str) -> None:
        """Have something go wrong with the next request."""
        self.simulator.faults.add(parse_fault(text))

    async def endpoint(self, headers: Mapping[str, str], probe: HttpRequest | None = None) -> HttpEndpoint:
        return await self.lines.endpoint(self.name, self.url, headers=headers, probe=probe, warm=1)

    def sockets(
        self,
        path: str,
        headers: Mapping[str, str],
        *,
        warm: int = 1,
        keep_alive: KeepAlive | None = None,
    ) -> SocketEndpoint:
        policy = ShelfPolicy(warm_target=warm, max_lines=10, idle_limit_s=60)
        url = self.url.replace("https://", "wss://") + path
        return SocketEndpoint(
            self.name,
            url,
            self.lines.dialler,
            policy,
            self.lines.clock,
            headers=headers,
            keep_alive=keep_alive,
        )


@asynccontextmanager
async def far_ends(
    name: str,
    script: Script | None = None,
    profile: Profile | None = None,
    sentences: Sequence[str] = (),
) -> AsyncIterator[FarEnds]:
    """Run one provider's simulator, whose recogniser knows the words of `sentences` best."""
    scripts = {name: script or Script(key=KEY)}
    async with simulators_running(
        only=[name], scripts=scripts, profile=profile, sentences=sentences
    ) as running:
        network, names = running.network, running.names
        async with Lines(
            certificate=running.certificate,
            proxy=network.url if network else None,
            dns_server=names.address if names else None,
        ) as lines:
            yield FarEnds(name, running, lines)

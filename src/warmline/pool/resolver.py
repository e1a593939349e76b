"""Names to addresses: cached, looked up again ahead of time, the dead ones left for last."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import anyio
import dns.asyncresolver
import dns.exception

from warmline.core.clock import Clock
from warmline.errors import OpenFailed

__all__ = ["Lookup", "Resolver", "lookup_at", "system_lookup"]

Lookup = Callable[[str], Awaitable[list[str]]]
"""Returns a name's addresses, best first; raises OSError."""

_AHEAD: Final = 0.8
"""An answer is renewed when this share of its life is over."""

_DEAD_S: Final = 30.0
"""How long an address that could not be reached is tried last."""

_LOOKUP_S: Final = 5.0


async def system_lookup(name: str) -> list[str]:
    """Ask the operating system, on a thread."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def lookup_at(server: str) -> Lookup:
    """Return a look-up that asks one name server over UDP, without a thread.

    Args:
        server: Its address and port, such as `10.0.0.2:53`.
    """
    address, _, port = server.rpartition(":")
    asking = dns.asyncresolver.Resolver(configure=False)
    asking.nameservers = [address.strip("[]")]
    asking.port = int(port)

    async def lookup(name: str) -> list[str]:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            pass
        else:
            return [name]
        if name == "localhost":
            return ["127.0.0.1"]
        found: dict[str, list[str]] = {}
        problems: list[dns.exception.DNSException] = []

        async def ask(kind: str) -> None:
            try:
                answer = await asking.resolve(name, kind, raise_on_no_answer=False, lifetime=_LOOKUP_S)
            except dns.exception.DNSException as error:
                problems.append(error)
            else:
                found[kind] = [record.to_text() for record in answer]

        # Both at once: one after the other would take two round trips.
        async with anyio.create_task_group() as tasks:
            for kind in ("A", "AAAA"):
                tasks.start_soon(ask, kind)
        addresses = [*found.get("A", ()), *found.get("AAAA", ())]
        if problems and not addresses:
            raise OSError(f"{server} says: {problems[0]}") from problems[0]
        return addresses

    return lookup


@dataclass(slots=True)
class _Answer:
    addresses: list[str] = field(default_factory=list)
    found_at_s: float = float("-inf")


class Resolver:
    """Addresses shared by all pools of the process.

    A name that was asked for once is kept fresh by `run`, so that nobody waits for it again. If
    a look-up fails, the last answer goes on being used.

    What changes here: `_answers`, in `addresses` and `run`; `_dead_until_s`, in `failed`.
    """

    def __init__(self, clock: Clock, lookup: Lookup = system_lookup, *, life_s: float = 300.0) -> None:
        """Prepare; nothing is looked up.

        Args:
            clock: The process's.
            lookup: Who is asked.
            life_s: How long an answer is used, in seconds.
        """
        self._clock = clock
        self._lookup = lookup
        self._life_s = life_s
        self._answers: dict[str, _Answer] = {}
        self._dead_until_s: dict[str, float] = {}

    async def addresses(self, name: str) -> list[str]:
        """Return the addresses of a name, the dead ones last; at once if they are known.

        Raises:
            OpenFailed: the name is not known, or nobody could be asked.
        """
        answer = self._answers.get(name)
        if answer is None or self._clock.now_s() - answer.found_at_s >= self._life_s:
            answer = await self._ask(name, answer)
        now_s = self._clock.now_s()
        return sorted(answer.addresses, key=lambda address: self._dead_until_s.get(address, 0.0) > now_s)

    def failed(self, address: str) -> None:
        """Note that an address could not be reached."""
        self._dead_until_s[address] = self._clock.now_s() + _DEAD_S

    async def run(self) -> None:
        """Renew answers before they grow old, until cancelled."""
        while True:
            await anyio.sleep(self._life_s * (1 - _AHEAD) / 2)
            for name, answer in list(self._answers.items()):
                if self._clock.now_s() - answer.found_at_s >= self._life_s * _AHEAD:
                    try:
                        await self._ask(name, answer)
                    except OpenFailed:
                        continue

    async def _ask(self, name: str, before: _Answer | None) -> _Answer:
        try:
            with anyio.fail_after(_LOOKUP_S):
                addresses = await self._lookup(name)
        except (OSError, UnicodeError) as error:  # TimeoutError is one
            if before is not None and before.addresses:
                return before
            raise OpenFailed(
                f"looking up {name}: {error or 'no answer'}; check the name and the network"
            ) from error
        if not addresses:
            raise OpenFailed(f"looking up {name}: it has no address")
        answer = _Answer(addresses, self._clock.now_s())
        self._answers[name] = answer
        return answer

"""Whether this process should be given work now: what a load balancer asks before it sends anybody here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warmline.core.clock import Clock
from warmline.core.setback import ProviderRole
from warmline.errors import ProviderError
from warmline.failover.health import LegKey
from warmline.pool.census import EndpointLines
from warmline.session.settings import Providers

__all__ = ["Moment", "Readiness", "Reason", "Room", "ready_route", "reasons"]

_CHECK_S: Final = 10.0
"""How often who was in trouble is asked again, and how long that may take."""

_WAITED_FOR: Final = frozenset({"whatsapp", "openai embeddings", "openai transcriptions"})
"""Endpoints whose work is kept until they are back, or done without them."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands in the way."""

    code: str
    """`starting`, `full`, `no_lines` or `provider_down`."""

    subject: str = ""
    """The endpoint, or the role of the provider."""

    def fields(self) -> dict[str, str]:
        """Return it for JSON."""
        return {"code": self.code, "subject": self.subject} if self.subject else {"code": self.code}


@dataclass(frozen=True, slots=True)
class Moment:
    """What readiness depends on, at one instant."""

    is_running: bool
    """Sessions may begin: the server has started, and does not stop."""

    has_room: bool
    endpoints: Sequence[EndpointLines]
    legs: Mapping[ProviderRole, Mapping[str, bool]]
    """Of each role the legs by name, and whether there is nothing wrong with them."""


def reasons(moment: Moment) -> tuple[Reason, ...]:
    """Return what stands in the way of serving somebody now; nothing, if the process is ready.

    A provider that another one stands in for is not in the way; nor are the lines to it.
    """
    if not moment.is_running:
        return (Reason("starting"),)
    found = [] if moment.has_room else [Reason("full")]
    cold = {endpoint.name for endpoint in moment.endpoints if not endpoint.is_ready}
    for role, legs in moment.legs.items():
        if any(works and name not in cold for name, works in legs.items()):
            continue
        if not any(legs.values()):
            found.append(Reason("provider_down", role.value))
        found += [Reason("no_lines", name) for name in legs if name in cold]
    known = {name for legs in moment.legs.values() for name in legs}
    found += [Reason("no_lines", name) for name in sorted(cold - known - _WAITED_FOR)]
    return tuple(dict.fromkeys(found))


class Room(Protocol):
    """What readiness asks of the process's sessions."""

    @property
    def is_running(self) -> bool:
        """Whether sessions may begin."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether another one may."""
        ...


class Readiness:
    """Keeps track of providers in trouble, and says whether the process is ready; asking costs no I/O.

    Who is in trouble is asked again every few seconds for what costs nothing: without traffic, nobody else
    would find out that a refused key or a lost network is well again.

    What changes here: `_troubled`, in `run`.
    """

    def __init__(self, providers: Providers, clock: Clock) -> None:
        """Prepare.

        Args:
            providers: Whom sessions share.
            clock: The process's.
        """
        self._providers = providers
        self._clock = clock
        self._troubled = set(providers.troubled)
        self._legs = {
            ProviderRole.STT: [leg.name for leg in providers.stt_legs],
            ProviderRole.LLM: [leg.name for leg in providers.llm_legs],
            ProviderRole.TTS: [leg.name for leg in providers.tts_legs],
        }

    def reasons(self, room: Room) -> tuple[Reason, ...]:
        """Return what stands in the way of serving somebody now."""
        moment = Moment(
            room.is_running,
            room.has_room,
            self._providers.census.endpoints(),
            {role: {name: self._works((role, name)) for name in names} for role, names in self._legs.items()},
        )
        return reasons(moment)

    async def run(self) -> None:
        """Ask those in trouble again and again, until cancelled."""
        while True:
            await anyio.sleep(_CHECK_S)
            for key in [*self._troubled]:
                await self._ask(key)

    def _works(self, key: LegKey) -> bool:
        if key in self._troubled:
            return False
        # Down, and to be asked again in a while; when that is over, the next turn will tell.
        return not self._providers.failover.health.due_in_s(key, self._clock.now_s())

    async def _ask(self, key: LegKey) -> None:
        check = self._providers.checks.get(key)
        try:
            with anyio.fail_after(_CHECK_S):
                if check is not None:
                    await check()
        except (ProviderError, TimeoutError):
            return
        self._troubled.discard(key)


def ready_route(current: Callable[[], Sequence[Reason]]) -> Route:
    """Return `/ready`: 200, or 503 with the reasons."""

    async def ready(_: Request) -> Response:
        found = current()
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        told = {"ready": not found, "reasons": [reason.fields() for reason in found]}
        return JSONResponse(told, status_code=status)

    return Route("/ready", ready)

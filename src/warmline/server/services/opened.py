"""A provider that was opened, and what people are told of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import anyio

from warmline.core.line_use import OnLine
from warmline.core.loggable import loggable
from warmline.errors import ConfigError, ProviderError
from warmline.pool.census import Census
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.lines import Lines
from warmline.pool.retrying import RetryPolicy
from warmline.server.settings import Secret, Settings

__all__ = ["Check", "Opened", "Service", "each_of", "host_of", "key_of", "lines_of", "retry_of", "socket_url"]

_log = logging.getLogger(__name__)

_STOOD_IN_FOR: Final = RetryPolicy(retries=1, backoff_s=0.0, statuses=frozenset())
"""Of a provider that others stand in for: a connection that broke is replaced at once, and a refusal is
not waited out while the next one could be asked."""

_CHECK_S: Final = 6.0
"""How long the start waits to learn whether a key is accepted."""

ProviderT_co = TypeVar("ProviderT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Opened(Generic[ProviderT_co]):
    """One of the three that a turn needs."""

    provider: ProviderT_co
    name: str
    """For people."""

    find_problem: Callable[[], Awaitable[str]] | None = None
    """Asks for what costs nothing; returns why it will fail and what to do about it, or nothing.
    None where there is nothing to ask."""

    leg: str = "offline"
    """Its name in the settings, such as `openai`."""

    probe: Callable[[], Awaitable[None]] | None = None
    """Asks for what costs nothing; raises ProviderError. None where there is nothing to ask."""

    can_continue: bool = True
    """Of who answers: whether it can go on with an answer that another began."""

    note: str = ""
    """What people should know that stops nothing."""


Check = Callable[[OnLine | None], Awaitable[None]]
"""Asks for what costs nothing; raises ProviderError."""


@dataclass(frozen=True, slots=True)
class Service(Generic[ProviderT_co]):
    """A provider elsewhere, on lines of its own; it was not asked anything yet."""

    provider: ProviderT_co
    table: str
    """Its settings', such as `openai`."""

    name: str
    """For people."""

    doing: str
    """What would fail, such as `asking gpt-5.4-mini`."""

    check_key: Check
    check_socket: Check | None = None
    """None where a call needs no socket."""

    def opened(self) -> Opened[ProviderT_co]:
        """Return it for a turn's use."""
        return Opened(self.provider, self.name, self._find_problem, self.table, self._probe)

    async def _probe(self) -> None:
        await self.check_key(None)

    async def _find_problem(self) -> str:
        try:
            with anyio.move_on_after(_CHECK_S):
                await self.check_key(None)
                return ""
        except ProviderError as error:
            _log.warning("provider.not_ready", extra=loggable(error))
            return str(error)
        _log.warning("provider.not_ready", extra={"provider": self.table, "problem": "no answer"})
        return f"{self.doing}: no answer within {_CHECK_S:g} s; see {self.table}.base_urls"


def each_of(settings: Settings, role: str, chosen: str) -> list[Settings]:
    """Return settings with one provider in a role each: the chosen one's, then its fallbacks'.

    Args:
        settings: As they are.
        role: `stt`, `llm` or `tts`.
        chosen: Who is asked first, where that is `auto` as well.

    Raises:
        ConfigError: somebody is named twice.
    """
    names = (chosen, *getattr(settings.providers, f"{role}_fallbacks"))
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"providers.{role}_fallbacks names {name!r}, which is asked already; each can be asked once"
            )
    return [replace(settings, providers=replace(settings.providers, **{role: name})) for name in names]


def retry_of(settings: Settings, role: str, alone: RetryPolicy | None = None) -> RetryPolicy:
    """Return when a provider's requests are sent again.

    Args:
        settings: As they are.
        role: `stt`, `llm` or `tts`.
        alone: Where nobody stands in for it; the usual policy by default.
    """
    has_fallbacks = bool(getattr(settings.providers, f"{role}_fallbacks"))
    return _STOOD_IN_FOR if has_fallbacks else alone or RetryPolicy()


def lines_of(settings: Settings, census: Census | None = None) -> Lines:
    """Return the lines that all services share, counted in `census`; not open yet."""
    table = settings.lines
    return Lines(
        certificate=table.certificate,
        proxy=table.proxy or None,
        connect_s=table.connect_s,
        dns_s=table.dns_s,
        dns_server=table.dns_server or None,
        census=census,
    )


def key_of(key: Secret | None, *, is_needed: bool, role: str, variable: str) -> str:
    """Return a key as it is sent.

    Raises:
        ConfigError: there is none, and one is needed.
    """
    if key is None and is_needed:
        raise ConfigError(f"{role}: set {variable}")
    return key.reveal() if key is not None else ""


def host_of(base_urls: tuple[str, ...]) -> str:
    """Return the host that people are told."""
    return urlsplit(base_urls[0]).hostname or base_urls[0]


def socket_url(endpoint: HttpEndpoint, path: str) -> Callable[[], str]:
    """Return what gives a socket's URL at the base URL that is the nearest at that moment."""
    return lambda: f"ws{endpoint.base_url.removeprefix('http')}{path}"

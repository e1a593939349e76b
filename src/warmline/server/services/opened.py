"""A provider that was opened, and what people are told of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import anyio

from warmline.errors import ConfigError, ProviderError
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.lines import Lines
from warmline.server.settings import Secret, Settings

__all__ = ["Opened", "checked", "host_of", "key_of", "lines_of", "socket_url"]

_log = logging.getLogger(__name__)

_CHECK_S: Final = 6.0
"""How long the start waits to learn whether a key is accepted."""

ProviderT = TypeVar("ProviderT")


@dataclass(frozen=True, slots=True)
class Opened(Generic[ProviderT]):
    """One of the three that a turn needs."""

    provider: ProviderT
    name: str
    """For people."""

    check: Callable[[], Awaitable[str]] | None = None
    """Asks for something that costs nothing; returns why it will fail and what to do about it, or nothing.
    None where there is nothing to ask."""

    is_offline: bool = False
    """It runs on this machine."""


def lines_of(settings: Settings) -> Lines:
    """Return the lines that all services share; not open yet."""
    table = settings.lines
    return Lines(
        certificate=table.certificate,
        proxy=table.proxy or None,
        connect_s=table.connect_s,
        dns_s=table.dns_s,
        dns_server=table.dns_server or None,
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


def checked(provider: str, doing: str, check: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[str]]:
    """Return what finds out whether a provider will work.

    Args:
        provider: Its name in the settings.
        doing: What would fail, such as `asking gpt-5.4-mini`.
        check: Asks; raises ProviderError.
    """

    async def problem() -> str:
        found = f"{doing}: no answer within {_CHECK_S:g} s; see {provider}.base_urls"
        try:
            with anyio.move_on_after(_CHECK_S):
                await check()
                found = ""
        except ProviderError as error:
            found = str(error)
        if found:
            _log.warning("provider.not_ready", extra={"provider": provider, "problem": found})
        return found

    return problem

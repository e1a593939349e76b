"""Asking a server that runs, and the simulators beside it."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp

from warmline.cli.simulated_server import SimulatedServer
from warmline.errors import ConfigError, ProviderUnavailable

__all__ = ["asked", "control_client"]


def control_client(found: SimulatedServer) -> aiohttp.ClientSession:
    """Return a client that trusts the simulators; it is the caller's to close.

    Raises:
        ConfigError: they have ended.
    """
    try:
        trusted = ssl.create_default_context(cafile=found.certificate)
    except OSError as problem:
        raise ConfigError("the simulators have ended: start `warmline serve --simulate`") from problem
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))


async def asked(client: aiohttp.ClientSession, method: str, url: str, body: object = None) -> Any:
    """Return the answer's JSON.

    Raises:
        ConfigError: it was refused; the text is the far end's.
        ProviderUnavailable: nobody is there.
    """
    try:
        async with client.request(method, url, json=body) as response:
            told = await response.json(content_type=None)
            if response.status < 300:
                return told
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
        raise ProviderUnavailable(
            f"asking {url.partition('/v1')[0]}: {problem}", provider="warmline", phase="connect"
        ) from problem
    error = told.get("error") if isinstance(told, dict) else None
    raise ConfigError(str((error or {}).get("message") or told.get("problem") or told))

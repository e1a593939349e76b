"""From settings to the networks that calls come over."""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from starlette.routing import Route

from warmline.channels.telephone.admission import AdmissionPolicy, Refusal
from warmline.channels.telephone.hours import parse_opening
from warmline.channels.telephone.media import MediaWire
from warmline.channels.telephone.telnyx.client import BALANCE, TelnyxClient
from warmline.channels.telephone.telnyx.media import TelnyxMediaWire
from warmline.channels.telephone.telnyx.signature import TelnyxSignatures
from warmline.core.formats import PCMU_8K, AudioFormat, Encoding
from warmline.errors import ConfigError
from warmline.pool.lines import Lines
from warmline.server.services.opened import lines_of
from warmline.server.settings import PhoneTable, Settings, TelnyxTable
from warmline.server.telephone.calls import CallPolicy, Calls
from warmline.server.telephone.network import Network
from warmline.server.telephone.routes import telnyx_routes
from warmline.server.telephone.telnyx import TelnyxNetwork, TelnyxWebhooks
from warmline.session.settings import SessionSettings

__all__ = ["OpenNetwork", "call_policy", "call_session_settings", "open_networks"]

_FORMATS: Final = {
    "PCMU": PCMU_8K,
    "PCMA": AudioFormat(Encoding.PCMA, 8_000),
    "L16": AudioFormat(Encoding.PCM16, 16_000),
}
_IDLE_S: Final = 50.0


@dataclass(frozen=True, slots=True)
class OpenNetwork:
    """A network that is used."""

    network: Network
    make_wire: Callable[[], MediaWire]
    """Returns how one call's media stream is written."""

    routes: Callable[[Calls], Sequence[Route]]
    """Returns where it tells of calls."""


@asynccontextmanager
async def open_networks(settings: Settings) -> AsyncIterator[Sequence[OpenNetwork]]:
    """Open lines to each network whose key is set.

    Raises:
        ConfigError: something that belongs to a key is missing or wrong.
    """
    async with lines_of(settings) as lines:
        networks = []
        if settings.telnyx.api_key is not None:
            networks.append(await _telnyx(settings.telnyx, settings.phone, lines))
        yield networks


def call_policy(table: PhoneTable) -> CallPolicy:
    """Return what is done about calls.

    Raises:
        ConfigError: there is no such time zone.
    """
    try:
        timezone = zoneinfo.ZoneInfo(table.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ConfigError(
            f"phone.timezone is {table.timezone!r}, which is no time zone such as 'Europe/Berlin'"
        ) from problem
    texts = {Refusal.CLOSED: table.closed_text, Refusal.FULL: table.full_text}
    return CallPolicy(
        admission=AdmissionPolicy(
            numbers=frozenset(table.numbers),
            callers=frozenset(table.callers),
            blocked=frozenset(table.blocked),
            openings=[parse_opening(each) for each in table.hours],
            texts={refusal: text for refusal, text in texts.items() if text},
        ),
        timezone=timezone,
        public_url=table.public_url,
        records_from_start=table.record,
        hangs_up_on_machines=table.machine == "hang_up",
    )


def call_session_settings(settings: SessionSettings, table: PhoneTable) -> SessionSettings:
    """Return what the session of a call is told."""
    return replace(settings, playout_lead_s=table.lead_ms / 1000)


async def _telnyx(table: TelnyxTable, phone: PhoneTable, lines: Lines) -> OpenNetwork:
    if table.public_key is None:
        raise ConfigError(
            "calls over Telnyx: set TELNYX_PUBLIC_KEY, which its webhooks are checked with; "
            "it is shown in the portal under Account, Keys & Credentials"
        )
    assert table.api_key is not None
    signatures = TelnyxSignatures(table.public_key.reveal())
    endpoint = await lines.endpoint(
        "telnyx",
        table.base_urls,
        warm=1,
        max_lines=100,
        idle_s=_IDLE_S,
        headers={"authorization": f"Bearer {table.api_key.reveal()}"},
        probe=BALANCE,
    )
    network = TelnyxNetwork(
        TelnyxClient(endpoint),
        audio_format=_FORMATS[table.codec],
        number=table.number,
        connection_id=table.connection_id,
        voice=table.voice,
        target_legs=table.target_legs or None,
        ring_s=phone.ring_s,
        detection=None if phone.machine == "talk" else "detect",
    )
    return OpenNetwork(
        network,
        lambda: TelnyxMediaWire(_FORMATS[table.codec], l16_order=table.l16_order),
        lambda calls: telnyx_routes(TelnyxWebhooks(calls, signatures)),
    )

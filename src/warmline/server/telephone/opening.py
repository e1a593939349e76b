"""From settings to the networks that calls come over."""

from __future__ import annotations

import zoneinfo
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from starlette.routing import Route

from warmline.channels.telephone.admission import AdmissionPolicy, Refusal
from warmline.channels.telephone.hours import parse_opening
from warmline.channels.telephone.media import MediaWire
from warmline.channels.telephone.telnyx import commands as telnyx_commands
from warmline.channels.telephone.telnyx.client import BALANCE, TelnyxClient
from warmline.channels.telephone.telnyx.media import TelnyxMediaWire
from warmline.channels.telephone.telnyx.signature import TelnyxSignatures
from warmline.channels.telephone.twilio import commands as twilio_commands
from warmline.channels.telephone.twilio.client import TwilioClient, authorization
from warmline.channels.telephone.twilio.media import TwilioMediaWire
from warmline.channels.telephone.twilio.signature import TwilioSignatures
from warmline.errors import ConfigError
from warmline.pool.lines import Lines
from warmline.pool.view import PoolView
from warmline.server.services.opened import lines_of
from warmline.server.settings import PhoneTable, Settings, TelnyxTable, TwilioTable
from warmline.server.settings.phone_tables import TELEPHONE_FORMATS
from warmline.server.telephone.calls import CallPolicy, Calls
from warmline.server.telephone.machines import MachinePolicy
from warmline.server.telephone.network import Network
from warmline.server.telephone.routes import telnyx_routes, twilio_routes
from warmline.server.telephone.telnyx import TelnyxNetwork, TelnyxWebhooks
from warmline.server.telephone.twilio import TwilioNetwork, TwilioWebhooks
from warmline.session.settings import SessionSettings

__all__ = ["OpenNetwork", "call_policy", "call_session_settings", "open_networks"]

_IDLE_S: Final = 50.0

_TELNYX_DETECTION: Final[Mapping[str, telnyx_commands.Detection | None]] = {
    "talk": None,
    "hang_up": "detect",
    "leave_message": "greeting_end",
}
_TWILIO_DETECTION: Final[Mapping[str, twilio_commands.Detection | None]] = {
    "talk": None,
    "hang_up": "Enable",
    "leave_message": "DetectMessageEnd",
}


@dataclass(frozen=True, slots=True)
class OpenNetwork:
    """A network that is used."""

    network: Network
    make_wire: Callable[[], MediaWire]
    """Returns how one call's media stream is written."""

    routes: Callable[[Calls], Sequence[Route]]
    """Returns where it tells of calls."""

    pools: Callable[[], Sequence[PoolView]]
    """Returns what is to be seen now of the lines that commands go over."""


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
        if settings.twilio.auth_token is not None:
            networks.append(await _twilio(settings.twilio, settings.phone, lines))
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
        machines=_machines(table),
    )


def _machines(table: PhoneTable) -> MachinePolicy | None:
    if table.machine == "talk":
        return None
    if table.machine == "leave_message" and not table.machine_text:
        raise ConfigError('phone.machine is "leave_message": set phone.machine_text to what is to be left')
    return MachinePolicy(table.machine_text if table.machine == "leave_message" else "")


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
        audio_format=TELEPHONE_FORMATS[table.codec],
        number=table.number,
        connection_id=table.connection_id,
        public_url=phone.public_url,
        voice=table.voice,
        language=table.language,
        target_legs=table.target_legs or None,
        ring_s=phone.ring_s,
        detection=_TELNYX_DETECTION[phone.machine],
    )
    return OpenNetwork(
        network,
        lambda: TelnyxMediaWire(TELEPHONE_FORMATS[table.codec], l16_order=table.l16_order),
        lambda calls: telnyx_routes(TelnyxWebhooks(calls, signatures), phone.public_url),
        endpoint.views,
    )


async def _twilio(table: TwilioTable, phone: PhoneTable, lines: Lines) -> OpenNetwork:
    assert table.auth_token is not None
    token = table.auth_token.reveal()
    account_id = table.account_sid.reveal() if table.account_sid else ""
    signatures = TwilioSignatures(token)
    endpoint = await lines.endpoint(
        "twilio",
        table.base_urls,
        warm=1 if account_id else 0,
        max_lines=100,
        idle_s=_IDLE_S,
        headers={"authorization": authorization(account_id, token)} if account_id else {},
        probe=twilio_commands.account(account_id) if account_id else None,
    )
    network = TwilioNetwork(
        TwilioClient(endpoint),
        account_id=account_id,
        number=table.number,
        public_url=phone.public_url,
        ring_s=phone.ring_s,
        detection=_TWILIO_DETECTION[phone.machine],
    )
    return OpenNetwork(
        network,
        TwilioMediaWire,
        lambda calls: twilio_routes(TwilioWebhooks(calls, network, signatures), phone.public_url),
        endpoint.views,
    )

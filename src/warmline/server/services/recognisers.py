"""Who listens."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from warmline.core.formats import PCM_16K, AudioFormat
from warmline.errors import ConfigError
from warmline.interfaces.stt import SpeechToText
from warmline.pool.lines import Lines
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.deepgram.protocol import (
    PROJECTS,
    FluxSettings,
    NovaSettings,
    flux_path,
    nova_path,
)
from warmline.providers.deepgram.recogniser import DeepgramRecogniser
from warmline.providers.deepgram.transcriptions import DeepgramTranscriptions
from warmline.providers.deepgram.transcriptions_protocol import TranscriptionSettings
from warmline.providers.offline.recogniser import OfflineRecogniser
from warmline.server.plugins import open_plugin
from warmline.server.services.knowledge import Knowledge
from warmline.server.services.opened import Opened, Service, host_of, key_of, socket_url
from warmline.server.settings import DeepgramTable, Settings
from warmline.server.settings.phone_tables import telephone_formats

__all__ = ["chosen_recogniser", "open_recogniser", "recogniser_service"]

_SPARE_S: Final = 8.0
"""Deepgram closes a socket on which nothing was said for 10 s; a spare is replaced before that."""


@asynccontextmanager
async def open_recogniser(
    settings: Settings, knowledge: Knowledge, lines: Lines
) -> AsyncIterator[Opened[SpeechToText]]:
    """Open who listens.

    Raises:
        ConfigError: a key is missing, settings do not go together, or a plugin cannot be had.
        ProviderUnavailable: the offline recogniser's processes can't be started.
    """
    wanted = chosen_recogniser(settings)
    async with AsyncExitStack() as held:
        if wanted == "offline":
            recogniser = OfflineRecogniser(
                knowledge.index.sentences(),
                spare_processes=settings.recogniser.spare,
                max_processes=settings.recogniser.processes,
            )
            yield Opened(await held.enter_async_context(recogniser), "this machine")
        elif (service := await recogniser_service(settings, lines)) is not None:
            await held.enter_async_context(service.provider)
            yield service.opened()
        else:
            plugin = settings.plugins.get(wanted, {})
            opening = open_plugin("stt", wanted, plugin, lines, os.environ)
            yield Opened(await held.enter_async_context(opening), wanted, leg=wanted)


async def recogniser_service(settings: Settings, lines: Lines) -> Service[DeepgramRecogniser] | None:
    """Return who listens, not entered yet, if that is a service.

    Raises:
        ConfigError: a key is missing, or settings do not go together.
    """
    return await _deepgram(settings, lines) if chosen_recogniser(settings) == "deepgram" else None


def chosen_recogniser(settings: Settings) -> str:
    """Return who listens, `auto` resolved."""
    if settings.providers.stt != "auto":
        return settings.providers.stt
    return "deepgram" if settings.deepgram.api_key else "offline"


async def _deepgram(settings: Settings, lines: Lines) -> Service[DeepgramRecogniser]:
    table = settings.deepgram
    key = key_of(
        table.api_key,
        is_needed=table.base_urls == DeepgramTable().base_urls,
        role='listening by Deepgram ("deepgram" in [providers])',
        variable="DEEPGRAM_API_KEY",
    )
    if table.eager_eot_threshold and not 0.3 <= table.eager_eot_threshold <= table.eot_threshold:
        raise ConfigError(
            f"deepgram.eager_eot_threshold is {table.eager_eot_threshold:g}; it must be 0, or from 0.3 to "
            f"deepgram.eot_threshold ({table.eot_threshold:g})"
        )
    headers = {"authorization": f"Token {key}"}
    endpoint = await lines.endpoint(
        "deepgram",
        table.base_urls,
        warm=min(settings.lines.tts_warm, 1),
        max_lines=settings.lines.tts_connections,
        idle_s=settings.lines.tts_idle_s,
        headers=headers,
        probe=PROJECTS,
        http2=table.http2,
    )
    is_flux = table.model.startswith("flux")
    nova = NovaSettings(table.model, table.language, table.endpointing_ms, table.keyterms)
    recordings = TranscriptionSettings.as_live(table.model, table.language, table.keyterms)
    flux = FluxSettings(
        table.model,
        table.eot_threshold,
        table.eager_eot_threshold or None,
        table.eot_timeout_ms,
        table.keyterms,
        (table.language,) if table.model.endswith("multi") and table.language != "multi" else (),
    )
    policy = ShelfPolicy(
        warm_target=settings.lines.stt_warm,
        max_lines=2 * (settings.limits.sessions + settings.lines.stt_warm),
        idle_limit_s=_SPARE_S,
        renew_margin_s=_SPARE_S / 4,
    )

    def sockets(audio_format: AudioFormat) -> SocketEndpoint:
        path = flux_path(flux, audio_format) if is_flux else nova_path(nova, audio_format)
        url = socket_url(endpoint, path)
        return lines.sockets("deepgram", url, policy, headers=headers)

    # With a threshold of 1 Flux ends no turn before its timeout.
    ends_turns = is_flux and settings.turns.endpointing == "recogniser" and table.eot_threshold < 1
    recogniser = DeepgramRecogniser(
        sockets,
        lines.clock,
        is_flux=is_flux,
        ends_turns=ends_turns,
        ready_formats=(PCM_16K, *telephone_formats(settings.telnyx, settings.twilio)),
    )
    return Service(
        recogniser,
        "deepgram",
        f"{table.model} at {host_of(table.base_urls)}",
        "listening by Deepgram",
        DeepgramTranscriptions(endpoint, recordings).check_key,
        recogniser.check_socket,
    )

"""Who speaks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from warmline.core.formats import PCM_24K, AudioFormat
from warmline.interfaces.tts import TextToSpeech
from warmline.pool.lines import Lines
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.sockets import SocketEndpoint
from warmline.providers.elevenlabs.protocol import socket_path, voice_request
from warmline.providers.elevenlabs.rest import ElevenLabsRest
from warmline.providers.elevenlabs.settings import PRESETS, SpeechSettings, VoiceSettings
from warmline.providers.elevenlabs.voice import ElevenLabs
from warmline.providers.offline.voice import OfflineVoice
from warmline.server.plugins import open_plugin
from warmline.server.services.opened import Opened, Service, host_of, key_of, retry_of, socket_url
from warmline.server.settings import ElevenLabsTable, Settings
from warmline.server.settings.phone_tables import telephone_formats

__all__ = ["chosen_voice", "open_voice", "voice_service"]

_SHARE: Final = 0.9
"""Of the idle time, after which a socket that waits is replaced."""


@asynccontextmanager
async def open_voice(settings: Settings, lines: Lines) -> AsyncIterator[Opened[TextToSpeech]]:
    """Open who speaks.

    Raises:
        ConfigError: a key is missing, or a plugin or the offline voice cannot be had.
        ProviderUnavailable: the offline voice's process can't be started.
    """
    wanted = chosen_voice(settings)
    async with AsyncExitStack() as held:
        if wanted == "offline":
            table = settings.voice
            voice = OfflineVoice(voice=table.name, rate_wpm=table.rate_wpm, pitch=table.pitch)
            yield Opened(await held.enter_async_context(voice), "this machine's voice")
        elif (service := await voice_service(settings, lines)) is not None:
            await held.enter_async_context(service.provider)
            yield service.opened()
        else:
            plugin = settings.plugins.get(wanted, {})
            opening = open_plugin("tts", wanted, plugin, lines, os.environ)
            yield Opened(await held.enter_async_context(opening), wanted, leg=wanted)


async def voice_service(settings: Settings, lines: Lines) -> Service[ElevenLabs] | None:
    """Return who speaks, not entered yet, if that is a service.

    Raises:
        ConfigError: a key is missing.
    """
    return await _elevenlabs(settings, lines) if chosen_voice(settings) == "elevenlabs" else None


def chosen_voice(settings: Settings) -> str:
    """Return who speaks, `auto` resolved."""
    if settings.providers.tts != "auto":
        return settings.providers.tts
    return "elevenlabs" if settings.elevenlabs.api_key else "offline"


async def _elevenlabs(settings: Settings, lines: Lines) -> Service[ElevenLabs]:
    table = settings.elevenlabs
    key = key_of(
        table.api_key,
        is_needed=table.base_urls == ElevenLabsTable().base_urls,
        role='speaking by ElevenLabs ("elevenlabs" in [providers])',
        variable="ELEVENLABS_API_KEY",
    )
    headers = {"xi-api-key": key}
    speech = speech_settings(table, settings.lines.tts_idle_s)
    endpoint = await lines.endpoint(
        "elevenlabs",
        table.base_urls,
        warm=settings.lines.tts_warm,
        max_lines=settings.lines.tts_connections,
        idle_s=settings.lines.tts_idle_s,
        headers=headers,
        probe=voice_request(speech),
        retry=retry_of(settings, "tts"),
        http2=table.http2,
    )
    policy = ShelfPolicy(
        warm_target=settings.lines.tts_warm,
        # One for each call, the spares, and as many again that are being closed.
        max_lines=2 * (settings.limits.sessions + settings.lines.tts_warm),
        idle_limit_s=settings.lines.tts_idle_s,
        renew_margin_s=settings.lines.tts_idle_s * (1 - _SHARE),
    )

    def sockets(audio_format: AudioFormat, has_contexts: bool) -> SocketEndpoint:
        url = socket_url(endpoint, socket_path(speech, audio_format, has_contexts=has_contexts))
        return lines.sockets("elevenlabs", url, policy, headers=headers)

    rest = ElevenLabsRest(endpoint, speech)
    voice = ElevenLabs(
        rest,
        sockets,
        speech,
        lines.clock,
        use_persistent_tts=settings.agent.use_persistent_tts,
        ready_formats=(PCM_24K, *telephone_formats(settings.telnyx, settings.twilio)),
    )
    name = f"{speech.model} at {host_of(table.base_urls)}"
    return Service(voice, "elevenlabs", name, "finding the voice", rest.check_key, voice.check_socket)


def speech_settings(table: ElevenLabsTable, idle_s: float) -> SpeechSettings:
    """Return how the voice is asked to speak: the preset, and what was set above it.

    Args:
        table: What was set.
        idle_s: How long a line may be unused.
    """
    preset = PRESETS[table.preset]
    base = preset.voice_settings
    boost = {"on": True, "off": False}.get(table.speaker_boost, base.use_speaker_boost)
    return SpeechSettings(
        voice_id=table.voice,
        model=table.model or preset.model,
        voice_settings=VoiceSettings(
            stability=table.stability if table.stability >= 0 else base.stability,
            similarity_boost=table.similarity_boost if table.similarity_boost >= 0 else base.similarity_boost,
            style=table.style,
            use_speaker_boost=boost,
            speed=table.speed,
        ),
        language_code=table.language,
        keep_alive_s=idle_s / 3,
        first_audio_s=table.first_audio_ms / 1000,
        stall_s=table.stall_ms / 1000,
    )

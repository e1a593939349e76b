"""Who listens to whole recordings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from warmline.errors import ConfigError
from warmline.interfaces.stt import SpeechToText
from warmline.interfaces.transcriber import Transcriber
from warmline.pool.lines import Lines
from warmline.providers.deepgram.protocol import PROJECTS
from warmline.providers.deepgram.transcriptions import DeepgramTranscriptions
from warmline.providers.deepgram.transcriptions_protocol import TranscriptionSettings as DeepgramSettings
from warmline.providers.offline.recogniser import OfflineRecogniser
from warmline.providers.offline.transcriptions import OfflineTranscriptions
from warmline.providers.openai.chat import openai_headers
from warmline.providers.openai.protocol import MODELS
from warmline.providers.openai.transcriptions import OpenAiTranscriptions
from warmline.providers.openai.transcriptions_protocol import TranscriptionSettings as OpenAiSettings
from warmline.server.services.knowledge import Knowledge
from warmline.server.services.opened import key_of
from warmline.server.services.recognisers import chosen_recogniser
from warmline.server.settings import DeepgramTable, OpenAiTable, Settings

__all__ = ["chosen_transcriber", "open_transcriber"]


def chosen_transcriber(settings: Settings) -> str:
    """Return who listens to recordings, `auto` resolved.

    Raises:
        ConfigError: who listens to calls takes no recordings.
    """
    if settings.whatsapp.transcriber != "auto":
        return settings.whatsapp.transcriber
    chosen = chosen_recogniser(settings)
    if chosen not in ("deepgram", "offline"):
        raise ConfigError(
            f"listening to voice messages: {chosen} takes no recordings; set whatsapp.transcriber to "
            '"deepgram", "openai" or "offline"'
        )
    return chosen


@asynccontextmanager
async def open_transcriber(
    settings: Settings, knowledge: Knowledge, lines: Lines, live: SpeechToText
) -> AsyncIterator[Transcriber]:
    """Open who listens to recordings.

    Args:
        settings: Who it is.
        knowledge: Whose words this machine's recogniser expects.
        lines: The program's.
        live: Who listens to calls, and to recordings as well if that is this machine's recogniser.

    Raises:
        ConfigError: a key is missing.
        ProviderUnavailable: the offline recogniser's processes can't be started.
    """
    match chosen_transcriber(settings):
        case "deepgram":
            yield await _deepgram(settings, lines)
        case "openai":
            yield await _openai(settings, lines)
        case _ if isinstance(live, OfflineRecogniser):
            yield OfflineTranscriptions(live)
        case _:
            recogniser = OfflineRecogniser(
                knowledge.index.sentences(),
                spare_processes=settings.recogniser.spare,
                max_processes=settings.recogniser.processes,
            )
            async with recogniser:
                yield OfflineTranscriptions(recogniser)


async def _deepgram(settings: Settings, lines: Lines) -> Transcriber:
    table = settings.deepgram
    key = key_of(
        table.api_key,
        is_needed=table.base_urls == DeepgramTable().base_urls,
        role="listening to voice messages by Deepgram",
        variable="DEEPGRAM_API_KEY",
    )
    endpoint = await lines.endpoint(
        "deepgram",
        table.base_urls,
        warm=1,
        max_lines=max(settings.whatsapp.at_once, 2) * 2,
        idle_s=settings.lines.tts_idle_s,
        headers={"authorization": f"Token {key}"},
        probe=PROJECTS,
        http2=table.http2,
    )
    return DeepgramTranscriptions(
        endpoint, DeepgramSettings.as_live(table.model, table.language, table.keyterms)
    )


async def _openai(settings: Settings, lines: Lines) -> Transcriber:
    table = settings.openai
    key = key_of(
        table.api_key,
        is_needed=table.base_urls == OpenAiTable().base_urls,
        role="listening to voice messages by OpenAI",
        variable="OPENAI_API_KEY",
    )
    endpoint = await lines.endpoint(
        "openai transcriptions",
        table.base_urls,
        warm=1,
        max_lines=max(settings.whatsapp.at_once, 2) * 2,
        idle_s=settings.lines.llm_idle_s,
        headers=openai_headers(key, table.organization, table.project),
        probe=MODELS,
        http2=table.http2,
    )
    return OpenAiTranscriptions(endpoint, OpenAiSettings(table.transcription_model))

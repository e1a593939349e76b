"""The services to be checked, opened anew for each check, with nothing warm unless it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from warmline.core.clock import SystemClock
from warmline.interfaces.llm import LanguageModel
from warmline.pool.lines import Lines
from warmline.providers.deepgram.recogniser import DeepgramRecogniser
from warmline.providers.elevenlabs.voice import ElevenLabs
from warmline.server.services.language_models import chosen_language_model, language_model_service
from warmline.server.services.opened import Service, each_of, lines_of
from warmline.server.services.recognisers import chosen_recogniser, recogniser_service
from warmline.server.services.voices import chosen_voice, voice_service
from warmline.server.settings import Settings

__all__ = ["CLOCK", "SENTENCE", "Subject", "since_ms", "subjects"]

CLOCK: Final = SystemClock()

SENTENCE: Final = "The library is open from nine to five."
"""What is spoken to a recogniser, and by a voice."""

ProviderT = TypeVar("ProviderT")

_Make = Callable[[Settings, Lines, AsyncExitStack], Awaitable[Service[ProviderT] | None]]


def since_ms(began_s: float) -> float:
    """Return how long ago an instant of `CLOCK` was."""
    return (CLOCK.now_s() - began_s) * 1000


@dataclass(frozen=True, slots=True)
class Subject(Generic[ProviderT]):
    """A service to be checked."""

    role: str
    table: str
    """Its settings', such as `openai`."""

    name: str
    """For people."""

    is_free: bool
    """Whether only requests that cost nothing may be made, and no sockets opened."""

    settings: Settings
    make: _Make[ProviderT]

    @asynccontextmanager
    async def opened(self, *, warm: int = 0) -> AsyncIterator[Service[ProviderT]]:
        """Return the service on fresh lines; leaving closes them.

        Args:
            warm: How many lines of each kind are opened before they are asked for.
        """
        lines = replace(self.settings.lines, llm_warm=warm, tts_warm=warm, stt_warm=warm)
        settings = replace(self.settings, lines=lines)
        async with lines_of(settings) as opened, AsyncExitStack() as held:
            service = await self.make(settings, opened, held)
            assert service is not None
            yield service


async def subjects(
    settings: Settings, *, is_free: bool
) -> tuple[list[Subject[LanguageModel]], list[Subject[ElevenLabs]], list[Subject[DeepgramRecogniser]]]:
    """Return who answers, who speaks and who listens, fallbacks behind them, as far as they are services.

    Raises:
        ConfigError: a key is missing, settings do not go together, or a fallback is named twice.
    """
    llms = each_of(settings, "llm", chosen_language_model(settings))
    voices = each_of(settings, "tts", chosen_voice(settings))
    recognisers = each_of(settings, "stt", chosen_recogniser(settings))
    return (
        await _subjects("llm", llms, language_model_service, is_free=is_free),
        await _subjects("tts", voices, _voice, is_free=is_free),
        await _subjects("stt", recognisers, _recogniser, is_free=is_free),
    )


async def _subjects(
    role: str, legs: list[Settings], make: _Make[ProviderT], *, is_free: bool
) -> list[Subject[ProviderT]]:
    found = []
    for settings in legs:
        cold = replace(settings, lines=replace(settings.lines, llm_warm=0, tts_warm=0, stt_warm=0))
        async with lines_of(cold) as lines, AsyncExitStack() as held:
            service = await make(cold, lines, held)
            if service is not None:
                found.append(Subject(role, service.table, service.name, is_free, settings, make))
    return found


async def _voice(settings: Settings, lines: Lines, held: AsyncExitStack) -> Service[ElevenLabs] | None:
    service = await voice_service(settings, lines)
    if service is not None:
        await held.enter_async_context(service.provider)
    return service


async def _recogniser(
    settings: Settings, lines: Lines, held: AsyncExitStack
) -> Service[DeepgramRecogniser] | None:
    service = await recogniser_service(settings, lines)
    if service is not None:
        await held.enter_async_context(service.provider)
    return service

"""What a session can say without asking anybody: its greeting and its apology, from sound made ahead."""

from __future__ import annotations

from collections.abc import Sequence

from warmline.core.formats import AudioFormat
from warmline.interfaces.tts import SpeechChunk
from warmline.session.settings import Providers, SessionSettings

__all__ = ["ReadyMade", "make_ahead"]


async def make_ahead(providers: Providers, settings: SessionSettings, audio_format: AudioFormat) -> bool:
    """Make what every session with these settings may have to say, unless the process has it already.

    A session makes its apology so, and a greeting is kept once a session has said it. A server that calls
    this for a telephone's format before the first call has that call's greeting ready, too.

    Returns:
        Whether all of it is there.
    """
    ready = ReadyMade(providers)
    texts = [text for text in (settings.greeting, providers.failover.settings.apology) if text.strip()]
    return all([await ready.prepare(audio_format, text) for text in texts])


class ReadyMade:
    """Texts in the voice of the first leg that could speak them; it keeps nothing, the process does."""

    def __init__(self, providers: Providers) -> None:
        self._legs = providers.tts_legs
        self._made = providers.failover.made_ahead

    async def prepare(self, audio_format: AudioFormat, text: str) -> bool:
        """Have a text made by the first voice that can; return whether it is there."""
        for leg in self._legs:
            if await self._made.prepare(leg.name, leg.provider, audio_format, text):
                return True
        return False

    def keep(self, audio_format: AudioFormat, text: str, chunks: Sequence[SpeechChunk]) -> None:
        """Keep what the first leg's voice made of a text, for whoever says it next."""
        self._made.put(self._legs[0].name, audio_format, text, chunks)

    def find(self, audio_format: AudioFormat, text: str) -> Sequence[SpeechChunk] | None:
        """Return a text's sound, with its words' places; None if it is not made."""
        found = (self._made.get(leg.name, audio_format, text) for leg in self._legs)
        return next((chunks for chunks in found if chunks), None)

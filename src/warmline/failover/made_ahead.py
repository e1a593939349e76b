"""Fixed texts in the agent's own voice, made before they are wanted: no provider is needed to say them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import anyio

from warmline.core.formats import AudioFormat
from warmline.errors import ProviderError, ProviderUnavailable
from warmline.interfaces.tts import SpeechChunk, TextToSpeech

__all__ = ["MadeAhead"]

_MAKE_S: Final = 20.0
"""How long making one may take; nobody waits for it."""

_CLOSE_S: Final = 2.0

_MOST: Final = 64
"""Kept at a time; the one that was not asked for for longest goes. 5 s at 24 kHz are 240 kB, as PCMU 40."""

_Key = tuple[str, AudioFormat, str]


class MadeAhead:
    """What was made ahead, for all sessions of the process.

    What changes here: `_made`, in `put`, and its order in `get`; `_being_made`, while one is made.
    """

    def __init__(self) -> None:
        self._made: dict[_Key, tuple[SpeechChunk, ...]] = {}
        self._being_made: set[_Key] = set()

    async def prepare(self, leg: str, voice: TextToSpeech, audio_format: AudioFormat, text: str) -> bool:
        """Make one unless it is made; return whether it is there. What fails may be tried again.

        Args:
            leg: The voice's name.
            voice: Who speaks.
            audio_format: As the session's channel plays it.
            text: What to say; nothing is made of an empty one.
        """
        key = (leg, audio_format, text)
        if key in self._made or key in self._being_made or not text.strip():
            return key in self._made
        self._being_made.add(key)
        try:
            with anyio.move_on_after(_MAKE_S):
                self.put(leg, audio_format, text, await _spoken(voice, audio_format, text))
        except ProviderError:
            return False
        finally:
            self._being_made.discard(key)
        return key in self._made

    def put(self, leg: str, audio_format: AudioFormat, text: str, chunks: Sequence[SpeechChunk]) -> None:
        """Keep what a voice made of a text, whole and in order."""
        self._made[leg, audio_format, text] = tuple(chunks)
        if len(self._made) > _MOST:
            del self._made[next(iter(self._made))]

    def get(self, leg: str, audio_format: AudioFormat, text: str) -> Sequence[SpeechChunk] | None:
        """Return one that is made, with its words' places; None if there is none."""
        key = (leg, audio_format, text)
        made = self._made.pop(key, None)
        if made is not None:
            self._made[key] = made
        return made


async def _spoken(tts: TextToSpeech, audio_format: AudioFormat, text: str) -> tuple[SpeechChunk, ...]:
    async def whole() -> AsyncGenerator[str, None]:
        yield text

    voice = tts.open(audio_format)
    try:
        async with aclosing(whole()) as clauses, voice.speak(clauses, audio_format) as chunks:
            spoken = tuple([chunk async for chunk in chunks])
    finally:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await voice.aclose()
    if not any(chunk.audio for chunk in spoken):
        raise ProviderUnavailable("speaking ahead: no audio came", provider="", phase="first_result")
    return spoken

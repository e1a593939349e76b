"""Text to speech."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from warmline.core.formats import AudioFormat

__all__ = ["SpeechChunk", "SpokenWord", "TextToSpeech"]


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """Where one word of the text lies in the audio; what `heard` is cut by."""

    text_start: int
    """Index of its first character in the text given to `synthesise`."""

    text_end: int
    """Index past its last character, punctuation that follows included or not."""

    start_ms: int
    """When it starts, in milliseconds of audio from the text's first sample."""


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of audio, in the format asked for, and the words that begin in it."""

    audio: bytes
    words: tuple[SpokenWord, ...] = ()


class TextToSpeech(Protocol):
    """A synthesiser that serves many sessions."""

    def synthesise(
        self, text: str, audio_format: AudioFormat
    ) -> AbstractAsyncContextManager[AsyncIterator[SpeechChunk]]:
        """Return a stream of the text's audio, first chunk as early as it can be had.

        Leaving the context early stops the synthesis. Silence at the end of the text is trimmed
        to what belongs between two sentences.

        Raises:
            ProviderError: from entering or iterating.
        """
        ...

"""Text to speech."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from warmline.core.formats import AudioFormat
from warmline.core.line_use import OnLine

__all__ = ["SpeechChunk", "SpokenWord", "TextToSpeech", "Voice"]


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """Where one word of the text lies in the audio; what `heard` is cut by."""

    text_start: int
    """Index of its first character in the reply's text, as far as it was given to `speak`."""

    text_end: int
    """Index past its last character, punctuation that follows included or not."""

    start_ms: int
    """When it starts, in milliseconds of audio from the reply's first sample."""


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of audio, in the format asked for, and the words that begin in it."""

    audio: bytes
    words: tuple[SpokenWord, ...] = ()


class Voice(Protocol):
    """One session's voice; speaks one reply at a time."""

    def speak(
        self, clauses: AsyncIterator[str], audio_format: AudioFormat, on_line: OnLine | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[SpeechChunk]]:
        """Return a stream of a reply's audio, first chunk as early as it can be had.

        Leaving the context early stops the synthesis: the barge-in.

        Args:
            clauses: The reply's text as it comes, cut where a pause is natural, blanks kept; joined,
                the clauses are the reply. They are taken as early as the provider has use for them.
            audio_format: What the chunks hold.
            on_line: Told of each connection that is used.

        Raises:
            ProviderError: from entering or iterating.
        """
        ...

    async def aclose(self) -> None:
        """Give back what the session held."""
        ...


class TextToSpeech(Protocol):
    """A synthesiser that serves many sessions."""

    def open(self, audio_format: AudioFormat | None = None) -> Voice:
        """Return a session's voice, at once; what it needs is got ready behind the scenes.

        Args:
            audio_format: What it will be asked for as a rule; None if that is not known yet.
        """
        ...

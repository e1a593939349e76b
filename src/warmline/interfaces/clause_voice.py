"""A `Voice` for synthesisers that are given one clause at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Protocol

from warmline.core.formats import AudioFormat
from warmline.core.line_use import OnLine
from warmline.interfaces.tts import SpeechChunk

__all__ = ["ClauseSynthesiser", "ClauseVoice"]


class ClauseSynthesiser(Protocol):
    """What speaks a text that is known beforehand."""

    def synthesise(
        self, text: str, audio_format: AudioFormat
    ) -> AbstractAsyncContextManager[AsyncIterator[SpeechChunk]]:
        """Return a stream of the text's audio; its words' places count from this text's beginning."""
        ...


class ClauseVoice:
    """Speaks clause after clause, each begun when the one before has been handed out.

    It keeps nothing between replies, and nothing to give back.
    """

    def __init__(self, synthesiser: ClauseSynthesiser) -> None:
        self._synthesiser = synthesiser

    @asynccontextmanager
    async def speak(
        self, clauses: AsyncIterator[str], audio_format: AudioFormat, on_line: OnLine | None = None
    ) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        """Return a stream of a reply's audio; no connection is used, so `on_line` is not told of any."""
        del on_line
        async with aclosing(self._chunks(clauses, audio_format)) as chunks:
            yield chunks

    async def aclose(self) -> None:
        """Do nothing."""

    async def _chunks(
        self, clauses: AsyncIterator[str], audio_format: AudioFormat
    ) -> AsyncGenerator[SpeechChunk, None]:
        said_characters = 0
        said_s = 0.0
        async for clause in clauses:
            begins_ms = round(said_s * 1000)
            async with self._synthesiser.synthesise(clause, audio_format) as stream:
                async for chunk in stream:
                    said_s += audio_format.duration_s(len(chunk.audio))
                    words = tuple(
                        replace(
                            word,
                            text_start=word.text_start + said_characters,
                            text_end=word.text_end + said_characters,
                            start_ms=word.start_ms + begins_ms,
                        )
                        for word in chunk.words
                    )
                    yield SpeechChunk(chunk.audio, words)  # noqa: ASYNC119 - speak() closes this
            said_characters += len(clause)

"""A reply's text into clauses, clauses into sound."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat
from warmline.failover.speaking import LegsVoice
from warmline.interfaces.channel import ReplyText
from warmline.session.cutting import Cutting
from warmline.session.reply import Reply
from warmline.timeline.marks import Mark

__all__ = ["Speaker", "TextStream", "fixed_text"]

TextStream = AbstractAsyncContextManager[AsyncIterator[str]]
"""A reply's text as it comes; leaving the context stops it."""

_CLAUSES_AHEAD = 4
"""Clauses that wait to be spoken before the text's stream is made to wait: about 20 s of speech."""


@asynccontextmanager
async def fixed_text(text: str) -> AsyncIterator[AsyncIterator[str]]:
    """Return a reply that is known beforehand, such as a greeting."""

    async def whole() -> AsyncGenerator[str]:
        yield text

    async with aclosing(whole()) as stream:
        yield stream


@dataclass(frozen=True, slots=True)
class Speaker:
    """How one session speaks; it keeps nothing between replies."""

    voice: LegsVoice
    clock: Clock
    language: str | None
    """What is spoken, as ISO 639-1; None to tell it from each reply's script."""

    async def write(self, reply: Reply, text: TextStream) -> None:
        """Send a reply's text as it comes, to a client that wants no audio.

        Raises:
            ProviderError: the text stopped coming; what was sent stands.
        """
        reply.is_written = True
        async with text as pieces:
            async for piece in pieces:
                self._take(reply, piece)
                reply.text += piece
                reply.tell(ReplyText(reply.id, piece))
        reply.mark(Mark.LLM_DONE)

    async def say(self, reply: Reply, text: TextStream, audio_format: AudioFormat) -> None:
        """Speak a reply: the first clause is played while the next is made.

        Returns when all of it is made. Cancelling stops the text and the synthesis.

        Raises:
            ExceptionGroup: of the ProviderErrors that stopped it; what was sent stands.
        """
        send, receive = anyio.create_memory_object_stream[str](_CLAUSES_AHEAD)
        async with send, receive, anyio.create_task_group() as tasks:
            tasks.start_soon(self._cut, reply, text, send)
            tasks.start_soon(self._speak, reply, receive, audio_format)

    async def _cut(self, reply: Reply, text: TextStream, clauses: MemoryObjectSendStream[str]) -> None:
        """Cut the text into clauses as it comes."""
        cutting = Cutting(reply, clauses, self.clock, self.language)
        async with clauses:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cutting.watch)
                async with text as pieces:
                    async for piece in pieces:
                        self._take(reply, piece)
                        await cutting.push(piece)
                reply.mark(Mark.LLM_DONE)
                rest = cutting.finish()
            for clause in rest:
                reply.mark(Mark.FIRST_CLAUSE)
                await clauses.send(clause)

    async def _speak(
        self, reply: Reply, clauses: MemoryObjectReceiveStream[str], audio_format: AudioFormat
    ) -> None:
        """Turn clauses into audio, a little faster than it is played."""
        async with (
            aclosing(self._taken(reply, clauses)) as taken,
            self.voice.speak(taken, audio_format, reply.used_line, reply.had_setback) as chunks,
        ):
            async for chunk in chunks:
                reply.sound(chunk, audio_format)
                await reply.playing.until_wanted()
        if Mark.TTS_STARTED in reply.timeline:
            reply.mark(Mark.TTS_DONE)
        reply.playing.complete()

    async def _taken(
        self, reply: Reply, clauses: MemoryObjectReceiveStream[str]
    ) -> AsyncGenerator[str, None]:
        """Hand clauses to the voice, and note that it has them."""
        async for clause in clauses:
            reply.mark(Mark.TTS_STARTED)
            reply.begin_clause(clause)
            yield clause

    def _take(self, reply: Reply, piece: str) -> None:
        reply.mark(Mark.LLM_FIRST_TEXT)
        reply.answer_characters += len(piece)

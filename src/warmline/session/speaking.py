"""Speaking a reply: text to clauses to audio to the channel, each stage beside the others."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from warmline.core.clock import Clock
from warmline.core.formats import AudioFormat
from warmline.interfaces.channel import Channel, ReplyText
from warmline.interfaces.llm import LlmPiece
from warmline.interfaces.tts import Voice
from warmline.session.reply import Reply
from warmline.timeline.marks import Mark
from warmline.turns.clauses import ClauseSplitter

__all__ = ["Speaker", "TextStream", "fixed_text"]

TextStream = AbstractAsyncContextManager[AsyncIterator[LlmPiece]]
"""A reply's text as it comes; leaving the context stops it."""

_CLAUSES_AHEAD = 4
"""Clauses that wait to be spoken before the text's stream is made to wait: about 20 s of speech."""


@asynccontextmanager
async def fixed_text(text: str) -> AsyncIterator[AsyncIterator[LlmPiece]]:
    """Return a reply that is known beforehand, such as a greeting."""

    async def whole() -> AsyncGenerator[LlmPiece]:
        yield text

    async with aclosing(whole()) as stream:
        yield stream


@dataclass(frozen=True, slots=True)
class Speaker:
    """How one session speaks; it keeps nothing between replies."""

    voice: Voice
    channel: Channel
    clock: Clock
    lead_s: float
    """How much audio is sent ahead of its playing."""

    on_first_audio: Callable[[Reply], None]
    """Called once per reply, when its first audio has been handed to the channel."""

    async def write(self, reply: Reply, text: TextStream) -> None:
        """Send a reply's text as it comes, to a client that wants no audio.

        Raises:
            ProviderError: the text stopped coming; what was sent stands.
        """
        reply.is_written = True
        async with text as deltas:
            async for delta in deltas:
                if not isinstance(delta, str):
                    continue
                self._mark(reply, Mark.LLM_FIRST_TEXT)
                reply.begin_clause(delta)
                self.channel.send(ReplyText(reply.id, delta))
        self._mark(reply, Mark.LLM_DONE)

    async def say(self, reply: Reply, text: TextStream, audio_format: AudioFormat) -> None:
        """Speak a reply: the first clause is played while the next is made.

        Returns when all audio has been handed to the channel, which is never more than `lead_s`
        seconds ahead of its playing. Cancelling stops the text and the synthesis.

        Raises:
            ExceptionGroup: of the ProviderErrors that stopped it; what was sent stands.
        """
        send, receive = anyio.create_memory_object_stream[str](_CLAUSES_AHEAD)
        async with send, receive, anyio.create_task_group() as tasks:
            tasks.start_soon(self._cut, reply, text, send)
            tasks.start_soon(self._speak, reply, receive, audio_format)

    async def _cut(self, reply: Reply, text: TextStream, clauses: MemoryObjectSendStream[str]) -> None:
        """Cut the text into clauses as it comes."""
        splitter = ClauseSplitter()
        async with clauses:
            async with text as deltas:
                async for delta in deltas:
                    if not isinstance(delta, str):
                        continue
                    self._mark(reply, Mark.LLM_FIRST_TEXT)
                    for clause in splitter.push(delta, self.clock.now_s()):
                        self._mark(reply, Mark.FIRST_CLAUSE)
                        await clauses.send(clause)
            self._mark(reply, Mark.LLM_DONE)
            for clause in splitter.flush():
                self._mark(reply, Mark.FIRST_CLAUSE)
                await clauses.send(clause)

    async def _speak(
        self, reply: Reply, clauses: MemoryObjectReceiveStream[str], audio_format: AudioFormat
    ) -> None:
        """Turn clauses into audio, and hand it to the channel in time."""
        async with (
            aclosing(self._taken(reply, clauses)) as taken,
            self.voice.speak(taken, audio_format, reply.timeline.used_line) as chunks,
        ):
            async for chunk in chunks:
                self._mark(reply, Mark.TTS_FIRST_AUDIO)
                self.channel.play(reply.id, chunk.audio)
                now_s = self.clock.now_s()
                reply.sent(audio_format.duration_s(len(chunk.audio)), chunk.words, now_s)
                if Mark.AUDIO_SENT not in reply.timeline:
                    reply.timeline.record(Mark.AUDIO_SENT, now_s)
                    self.on_first_audio(reply)
                ahead_s = reply.playout.lead_s(now_s) - self.lead_s
                if ahead_s > 0:
                    await anyio.sleep(ahead_s)
        if Mark.TTS_STARTED in reply.timeline:
            self._mark(reply, Mark.TTS_DONE)

    async def _taken(
        self, reply: Reply, clauses: MemoryObjectReceiveStream[str]
    ) -> AsyncGenerator[str, None]:
        """Hand clauses to the voice, and note that it has them."""
        async for clause in clauses:
            self._mark(reply, Mark.TTS_STARTED)
            reply.begin_clause(clause)
            self.channel.send(ReplyText(reply.id, clause))
            yield clause

    def _mark(self, reply: Reply, mark: Mark) -> None:
        reply.timeline.record_once(mark, self.clock.now_s())

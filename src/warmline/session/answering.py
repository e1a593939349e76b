"""Making one reply: retrieval, the model, the voice, and waiting until it was played."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio

from warmline.failover.speaking import SpeakingLegs
from warmline.interfaces.channel import ReplyAudioDone, ReplyDone, ReplyStatus, SourcesFound
from warmline.interfaces.llm import LlmRequest, Message
from warmline.interfaces.retriever import Query
from warmline.interfaces.tts import SpeechChunk
from warmline.session.reply import Reply, Standing
from warmline.session.retrieving import Retrieving
from warmline.session.settings import Providers
from warmline.session.speaking import Speaker, TextStream, fixed_text
from warmline.session.stage import Stage
from warmline.session.thinking import Thinking
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth

__all__ = ["Answering"]

_RELEVANT: Final = 0.25
"""Passages that fit less well are not shown as an answer's source."""

_CLOSE_S: Final = 2.0
"""How long giving the voice back may take."""

_NOTHING_ASKED: Final = "Hello. What would you like to know?"
"""Said when a reply is wanted and the user has not said anything yet, and no greeting is set."""


class _Apology:
    """What is said when nobody can answer."""

    def __init__(self, stage: Stage, providers: Providers) -> None:
        self._stage = stage
        self._providers = providers
        self._text = providers.failover.settings.apology

    async def prepare(self) -> None:
        """Have it made by the first voice that can, unless the process has it already."""
        audio_format = self._stage.channel.output_format
        for leg in self._providers.tts_legs if audio_format is not None else ():
            made = self._providers.failover.apologies
            if audio_format is not None and await made.prepare(
                leg.name, leg.provider, audio_format, self._text
            ):
                return

    @property
    def ready(self) -> tuple[str, Sequence[SpeechChunk]] | None:
        """Its text and its sound; None if it is not made."""
        audio_format = self._stage.channel.output_format
        for leg in self._providers.tts_legs if audio_format is not None else ():
            made = self._providers.failover.apologies
            if audio_format is not None and (found := made.get(leg.name, audio_format, self._text)):
                return self._text, found
        return None


class Answering:
    """How a session makes its replies; between them it keeps the voice and what was looked up."""

    def __init__(self, stage: Stage, providers: Providers) -> None:
        self.retrieving = Retrieving(stage, providers.retriever)
        self._stage = stage
        self._thinking = Thinking(stage, providers)
        legs = SpeakingLegs(providers.tts_legs, providers.failover, stage.clock)
        self._voice = legs.open(stage.channel.output_format)
        self._apologies = _Apology(stage, providers)
        self._speaker = Speaker(self._voice, stage.clock, None)

    async def prepare(self) -> None:
        """Get ready what the first turn, or a bad one, will want; nobody waits for it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._thinking.prepare)
            tasks.start_soon(self._apologies.prepare)

    async def apologise(self, reply: Reply) -> None:
        """Say that it went wrong, with what was made while it did not; return when that was played."""
        ready = self._apologies.ready
        audio_format = self._stage.channel.output_format
        if ready is None or audio_format is None:
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reply.playing.run)
            reply.say_ready(*ready, audio_format)
            await reply.playing.until_sent()
            self._stage.channel.send(ReplyAudioDone(reply.id, round(reply.playing.made_s * 1000)))
            await self._wait_until_played(reply)
            tasks.cancel_scope.cancel()

    async def aclose(self) -> None:
        """Give the voice back."""
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await self._voice.aclose()

    async def answer(self, reply: Reply, instructions: str) -> None:
        """Make the reply and return when it was played, as far as is known.

        A draft is made as far as can be without being heard, and waits to be adopted. Cancelling
        stops whatever of it is going on.

        Raises:
            ExceptionGroup: of the ProviderErrors that stopped it.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reply.playing.run)
            text = await self._text(reply, instructions)
            reply.mark(Mark.LLM_STARTED)
            audio_format = self._stage.channel.output_format
            if audio_format is None:
                await self._speaker.write(reply, text)
                await reply.adopted.wait()
            else:
                await self._speaker.say(reply, text, audio_format)
                await reply.playing.until_sent()
                self._stage.channel.send(ReplyAudioDone(reply.id, round(reply.playing.made_s * 1000)))
            self.tell_done(reply, ReplyStatus.COMPLETED)
            await self._wait_until_played(reply)
            tasks.cancel_scope.cancel()

    def tell_done(self, reply: Reply, status: ReplyStatus, detail: str = "") -> None:
        """Tell the channel, once, that nothing more of the reply will come."""
        if not reply.is_made:
            reply.is_made = True
            self._stage.channel.send(ReplyDone(reply.id, reply.item_id, status, reply.text.strip(), detail))

    async def _text(self, reply: Reply, instructions: str) -> TextStream:
        if reply.fixed_text is not None:
            return fixed_text(reply.fixed_text)
        if reply.asked is None:
            return fixed_text(self._stage.settings.greeting or _NOTHING_ASKED)
        await self._retrieve(reply, reply.asked.message)
        messages = self._stage.context.messages_for(reply.asked)
        reply.prompt_characters += len(instructions) + sum(len(message.text) for message in messages)
        return self._thinking.answer(reply, LlmRequest(messages, instructions, self._stage.id))

    async def _retrieve(self, reply: Reply, asked: Message) -> None:
        settings = self._stage.settings
        is_spoken = Mark.SPEECH_STARTED in reply.timeline
        deadline_s = settings.retrieval_deadline_s if is_spoken else settings.typed_retrieval_deadline_s
        query = Query(asked.text, asked.alternatives)
        passages = await self.retrieving.passages(query, reply, deadline_s)
        reply.found(passages)
        relevant = [passage for passage in passages if passage.score >= _RELEVANT]
        if relevant:
            reply.tell(SourcesFound(reply.id, relevant))

    async def _wait_until_played(self, reply: Reply) -> None:
        clock = self._stage.clock
        playout = reply.playing.playout
        if playout.sent_s == 0:
            return
        if not self._stage.channel.reports_playout:
            while (lead_s := playout.lead_s(clock.now_s())) > 0:
                await anyio.sleep(lead_s)
                await reply.playing.until_sent()
            return
        is_waiting = True
        while is_waiting:
            patience_s = playout.lead_s(clock.now_s()) + self._stage.settings.playout_timeout_s
            with anyio.move_on_after(patience_s):
                await reply.played.wait()
                return
            is_waiting = reply.standing is Standing.PAUSED or playout.lead_s(clock.now_s()) > 0
        reply.truth = PlayoutTruth.TIMED_OUT

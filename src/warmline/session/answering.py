"""Making one reply: retrieval, the model, the voice, and waiting until it was played."""

from __future__ import annotations

from typing import Final

import anyio

from warmline.core.formats import AudioFormat
from warmline.failover.speaking import LegsVoice, SpeakingLegs
from warmline.interfaces.channel import ReplyAudioDone, ReplyDone, ReplyStatus, SourcesFound
from warmline.interfaces.llm import LlmRequest, Message, Role
from warmline.interfaces.retriever import Query
from warmline.session.ready_made import ReadyMade
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

_CONNECTED: Final = "(The person has just been connected.)"
"""What the model is shown to greet; it is not in the context."""

_NOTHING_ASKED: Final = "Hello. What would you like to know?"
"""Said when a reply is wanted and the user has not said anything yet, and no greeting is set."""


class Answering:
    """How a session makes its replies; between them it keeps the voice and what was looked up.

    What changes here: the voice and its format, in `follow_format`.
    """

    def __init__(self, stage: Stage, providers: Providers) -> None:
        self.retrieving = Retrieving(stage, providers.retriever)
        self._stage = stage
        self._providers = providers
        self._thinking = Thinking(stage, providers)
        self._legs = SpeakingLegs(providers.tts_legs, providers.failover, stage.clock)
        self._ready_made = ReadyMade(providers)
        self._former_voices: list[LegsVoice] = []
        self._open_voice()

    async def prepare(self) -> None:
        """Get ready what the first turn, or a bad one, will want; nobody waits for it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._thinking.prepare)
            tasks.start_soon(self._make_apology)

    def follow_format(self) -> None:
        """Have a voice for the format that the channel now says that it plays; nobody is speaking."""
        if self._format != self._stage.channel.output_format:
            self._former_voices.append(self._voice)
            self._open_voice()
            self._stage.start(self._make_apology)
            self._stage.start(self._close_former_voices)

    async def apologise(self, reply: Reply) -> None:
        """Say that it went wrong, with what was made while it did not; return when that was played."""
        text = self._providers.failover.settings.apology
        audio_format = self._stage.channel.output_format
        ready = None if audio_format is None else self._ready_made.find(audio_format, text)
        if ready is None or audio_format is None:
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reply.playing.run)
            reply.say_ready(text, ready, audio_format)
            await reply.playing.until_sent()
            self._stage.send(ReplyAudioDone(reply.id, round(reply.playing.made_s * 1000)))
            await self._wait_until_played(reply)
            tasks.cancel_scope.cancel()

    async def aclose(self) -> None:
        """Give the voice back."""
        self._former_voices.append(self._voice)
        await self._close_former_voices()

    async def answer(self, reply: Reply, instructions: str) -> None:
        """Make the reply and return when it was played, as far as is known.

        A draft is made as far as can be without being heard, and waits to be adopted. Cancelling
        stops whatever of it is going on.

        Raises:
            ExceptionGroup: of the ProviderErrors that stopped it.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reply.playing.run)
            audio_format = self._stage.channel.output_format
            if audio_format is None:
                await self._speaker.write(reply, await self._text(reply, instructions))
            elif not self._say_ready(reply, audio_format):
                reply.spoken = [] if self._is_greeting(reply) else None
                await self._speaker.say(reply, await self._text(reply, instructions), audio_format)
                self._keep_greeting(reply, audio_format)
            await reply.adopted.wait()  # A draft without any sound has nothing that waits to be sent.
            if audio_format is not None:
                await reply.playing.until_sent()
                self._stage.send(ReplyAudioDone(reply.id, round(reply.playing.made_s * 1000)))
            self.tell_done(reply, ReplyStatus.COMPLETED)
            await self._wait_until_played(reply)
            tasks.cancel_scope.cancel()

    def tell_done(self, reply: Reply, status: ReplyStatus, detail: str = "") -> None:
        """Tell the channel, once, that nothing more of the reply will come."""
        if not reply.is_made:
            reply.is_made = True
            self._stage.send(ReplyDone(reply.id, reply.item_id, status, reply.text.strip(), detail))

    def _open_voice(self) -> None:
        self._format = self._stage.channel.output_format
        self._voice = self._legs.open(self._format)
        self._speaker = Speaker(self._voice, self._stage.clock, None)

    async def _close_former_voices(self) -> None:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            while self._former_voices:
                await self._former_voices.pop().aclose()

    async def _make_apology(self) -> None:
        if self._format is not None:
            await self._ready_made.prepare(self._format, self._providers.failover.settings.apology)

    def _is_greeting(self, reply: Reply) -> bool:
        return reply.asked is None and reply.fixed_text is None and bool(self._stage.settings.greeting)

    def _keep_greeting(self, reply: Reply, audio_format: AudioFormat) -> None:
        """Let other sessions have a fixed greeting that the first leg spoke, and spoke to its end."""
        text = self._stage.settings.greeting
        if reply.spoken and not reply.timeline.setbacks and reply.text.rstrip() == text.rstrip():
            self._ready_made.keep(audio_format, text, reply.spoken)
        reply.spoken = None

    def _say_ready(self, reply: Reply, audio_format: AudioFormat) -> bool:
        """Say a reply that is known beforehand, and was made ahead; False if it is none, or was not."""
        text = self._known_text(reply)
        ready = self._ready_made.find(audio_format, text) if text is not None else None
        if text is None or ready is None:
            return False
        reply.say_ready(text, ready, audio_format)
        return True

    def _known_text(self, reply: Reply) -> str | None:
        settings = self._stage.settings
        if reply.fixed_text is not None or reply.asked is not None:
            return reply.fixed_text
        return settings.greeting or (None if settings.greeting_instructions else _NOTHING_ASKED)

    async def _text(self, reply: Reply, instructions: str) -> TextStream:
        """Return what it says; the model is asked for that when the first of it is taken."""
        known = self._known_text(reply)
        if known is not None:
            reply.mark(Mark.LLM_STARTED)
            return fixed_text(known)
        context = self._stage.context
        if reply.asked is None:
            instructions = f"{instructions}\n\n{self._stage.settings.greeting_instructions}".strip()
            messages = [*context.messages, Message(Role.USER, _CONNECTED)]
        else:
            await self._retrieve(reply, reply.asked.message)
            messages = context.messages_for(reply.asked)
        reply.prompt_characters += len(instructions) + sum(len(message.text) for message in messages)
        reply.mark(Mark.LLM_STARTED)
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

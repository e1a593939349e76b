"""Making one reply: retrieval, the model, the voice, and waiting until it was played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import anyio

from warmline.errors import ProviderError
from warmline.interfaces.channel import ReplyAudioDone, ReplyDone, ReplyStatus, SourcesFound
from warmline.interfaces.llm import LlmRequest
from warmline.interfaces.retriever import Passage, Query
from warmline.session.context import ContextItem
from warmline.session.reply import Reply
from warmline.session.settings import Providers
from warmline.session.speaking import Speaker, TextStream, fixed_text
from warmline.session.stage import Stage
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth

__all__ = ["Answering"]

_RELEVANT: Final = 0.25
"""Passages that fit less well are not shown as an answer's source."""

_CLOSE_S: Final = 2.0
"""How long giving the voice back may take."""

_NOTHING_ASKED: Final = "Hello. What would you like to know?"
"""Said when a reply is wanted and the user has not said anything yet, and no greeting is set."""


class Answering:
    """How a session makes its replies; between them it keeps the voice alone."""

    def __init__(self, stage: Stage, providers: Providers, on_first_audio: Callable[[Reply], None]) -> None:
        self._stage = stage
        self._providers = providers
        self._voice = providers.tts.open(stage.channel.output_format)
        self._speaker = Speaker(
            self._voice, stage.channel, stage.clock, stage.settings.playout_lead_s, on_first_audio
        )

    async def aclose(self) -> None:
        """Give the voice back."""
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await self._voice.aclose()

    async def answer(self, reply: Reply, instructions: str) -> None:
        """Make the reply and return when it was played, as far as is known.

        Cancelling stops whatever of it is going on.

        Raises:
            ExceptionGroup: of the ProviderErrors that stopped it.
        """
        text = await self._text(reply, instructions)
        self._mark(reply, Mark.LLM_STARTED)
        audio_format = self._stage.channel.output_format
        if audio_format is None:
            await self._speaker.write(reply, text)
        else:
            await self._speaker.say(reply, text, audio_format)
            self._stage.channel.send(ReplyAudioDone(reply.id, round(reply.playout.sent_s * 1000)))
        self.tell_done(reply, ReplyStatus.COMPLETED)
        await self._wait_until_played(reply)

    def tell_done(self, reply: Reply, status: ReplyStatus, detail: str = "") -> None:
        """Tell the channel, once, that nothing more of the reply will come."""
        if not reply.is_made:
            reply.is_made = True
            self._stage.channel.send(ReplyDone(reply.id, reply.item_id, status, reply.text.strip(), detail))

    async def _text(self, reply: Reply, instructions: str) -> TextStream:
        if reply.ends_session:
            return fixed_text(self._stage.settings.farewell)
        asked = self._stage.context.last_user_message()
        if asked is None:
            return fixed_text(self._stage.settings.greeting or _NOTHING_ASKED)
        self._mark(reply, Mark.RETRIEVAL_STARTED)
        passages = await self._retrieve(asked)
        self._mark(reply, Mark.RETRIEVAL_DONE)
        self._stage.context.found(asked.item_id, passages)
        relevant = [passage for passage in passages if passage.score >= _RELEVANT]
        if relevant:
            self._stage.channel.send(SourcesFound(reply.id, relevant))
        request = LlmRequest(self._stage.context.messages, instructions, self._stage.id)
        return self._providers.llm.stream(request, reply.timeline.used_line)

    async def _retrieve(self, asked: ContextItem) -> Sequence[Passage]:
        """Return what is found in time; an answer without passages beats no answer."""
        query = Query(asked.message.text, asked.message.alternatives)
        try:
            with anyio.move_on_after(self._stage.settings.retrieval_deadline_s):
                return await self._providers.retriever.retrieve(query)
        except ProviderError:
            return ()
        return ()

    async def _wait_until_played(self, reply: Reply) -> None:
        clock = self._stage.clock
        if reply.playout.sent_s == 0:
            return
        if not self._stage.channel.reports_playout:
            await anyio.sleep(reply.playout.lead_s(clock.now_s()))
            return
        patience_s = reply.playout.lead_s(clock.now_s()) + self._stage.settings.playout_timeout_s
        with anyio.move_on_after(patience_s):
            await reply.played.wait()
            return
        reply.truth = PlayoutTruth.TIMED_OUT

    def _mark(self, reply: Reply, mark: Mark) -> None:
        reply.timeline.record(mark, self._stage.clock.now_s())

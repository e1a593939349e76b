"""One message and its answer: a conversation whose words are written down, and which may go on for weeks.

Nobody is listening: nothing is begun early, nothing is interrupted, and the answer is spoken when it is
known whole. The rest is a session's: passages, tools, the model, failover and the timeline.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import anyio

from warmline.core.clock import Clock
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.ids import new_id
from warmline.core.urgency import in_background
from warmline.errors import ProviderUnavailable
from warmline.failover.speaking import SpeakingLegs
from warmline.interfaces.channel import EndReason, ReplyDone, ReplyStatus, SessionEvent, TurnMeasured
from warmline.interfaces.llm import Message, Role
from warmline.session.context import ContextItem
from warmline.session.replies import Replies
from warmline.session.settings import Providers, SessionSettings
from warmline.session.stage import Stage
from warmline.timeline.marks import Mark
from warmline.timeline.timeline import Timeline
from warmline.turns.floor import FloorEvent
from warmline.turns.sentences import split_sentences

__all__ = ["Correspondence"]

_RETRIEVAL_S: Final = 5.0
"""What passages are worth waiting for where nobody holds a telephone."""


class Correspondence:
    """Answers messages and speaks the answers; keeps nothing between them, and serves any number at once.

    Its requests stand behind those of live turns.
    """

    def __init__(self, providers: Providers, settings: SessionSettings, clock: Clock) -> None:
        """Prepare.

        Args:
            providers: Who answers and who speaks; shared with sessions.
            settings: The sessions'.
            clock: The process's.
        """
        self._providers = providers
        self._settings = replace(
            settings,
            typed_retrieval_deadline_s=_RETRIEVAL_S,
            greeting="",
            greeting_instructions="",
            drafting=None,
        )
        self._clock = clock

    async def answer(
        self,
        before: Sequence[Message],
        text: str,
        on_event: Callable[[SessionEvent], None] = lambda event: None,
    ) -> str:
        """Return what is said to `text`.

        Args:
            before: The conversation so far, oldest first.
            text: What the person said.
            on_event: Told what a session's channel is told, its turn's figures among it.

        Raises:
            ProviderError: nobody could answer.
        """
        with in_background():
            return await self._answer(before, text, on_event)

    async def speak(self, text: str, audio_format: AudioFormat) -> bytes:
        """Return a text as sound, whole.

        Raises:
            ProviderError: nobody could speak it.
        """
        voice = SpeakingLegs(self._providers.tts_legs, self._providers.failover, self._clock).open()
        spoken = bytearray()
        with in_background():
            try:
                async with (
                    aclosing(_sentences(text)) as sentences,
                    voice.speak(sentences, audio_format) as chunks,
                ):
                    async for chunk in chunks:
                        spoken += chunk.audio
            finally:
                with anyio.CancelScope(shield=True):
                    await voice.aclose()
        return bytes(spoken)

    async def _answer(
        self, before: Sequence[Message], text: str, on_event: Callable[[SessionEvent], None]
    ) -> str:
        page = _Page()
        stage = Stage(page, self._settings, self._clock)
        stage.watchers.append(on_event)
        for message in before:
            stage.context.add(ContextItem(new_id("item"), message))
        replies = Replies(stage, self._providers, lambda: None)
        timeline = Timeline()
        timeline.record(Mark.TEXT_RECEIVED, self._clock.now_s())
        asked = ContextItem(new_id("item"), Message(Role.USER, text))
        stage.context.add(asked)
        try:
            async with anyio.create_task_group() as tasks:
                stage.tasks = tasks
                stage.move(FloorEvent.TEXT_RECEIVED)
                replies.begin(timeline, asked)
                await page.done.wait()
                tasks.cancel_scope.cancel()
        finally:
            stage.tasks = None
            with anyio.CancelScope(shield=True):
                await replies.aclose()
        assert page.reply is not None
        if page.reply.status is not ReplyStatus.COMPLETED:
            raise ProviderUnavailable(page.reply.detail, provider="llm", phase="stream")
        return page.reply.text


class _Page:
    """Implements `warmline.interfaces.channel.Channel`: takes one reply in writing.

    What changes here: the reply, once.
    """

    telephone = None
    input_format = PCM_16K
    output_format = None
    is_ringing = False
    reports_playout = False
    least_lead_s = 0.0

    def __init__(self) -> None:
        self.reply: ReplyDone | None = None
        self.done = anyio.Event()

    def send(self, event: SessionEvent) -> None:
        if isinstance(event, ReplyDone):
            self.reply = event
        elif isinstance(event, TurnMeasured) and self.reply is not None:
            self.done.set()

    def play(self, reply_id: str, audio: bytes) -> None:
        """Take no sound; none is made."""

    def stop_playout(self, reply_id: str) -> None:
        """Do nothing, for the same reason."""

    def close(self, reason: EndReason) -> None:
        """Do nothing: there is no connection."""


async def _sentences(text: str) -> AsyncGenerator[str]:
    for sentence in split_sentences(text):
        yield sentence

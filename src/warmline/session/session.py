"""One conversation, from the first sound to the goodbye.

What reaches a session from outside (frames, transcripts, the channel's calls) arrives as plain
calls on the event loop, which decide at once and never await. What takes time (making a reply,
the deadlines) is a task in the session's one task group.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable

import anyio

from warmline.core.clock import Clock
from warmline.core.ids import new_id
from warmline.interfaces.channel import (
    Channel,
    EndReason,
    SessionEvent,
    SessionFailure,
    TurnSettings,
    UserTurn,
)
from warmline.interfaces.llm import Message, Role
from warmline.session.context import Context, ContextItem
from warmline.session.greeting import Greeting
from warmline.session.listening import Listening
from warmline.session.replies import Replies
from warmline.session.settings import Providers, SessionSettings
from warmline.session.stage import Stage
from warmline.session.summarising import Summarising
from warmline.session.unprompted import Unprompted
from warmline.timeline.marks import Mark
from warmline.timeline.report import TurnStatus
from warmline.timeline.timeline import Timeline
from warmline.turns.floor import Floor, FloorEvent

__all__ = ["Session"]


class Session:
    """A conversation on one channel; implements `warmline.interfaces.channel.Conversation`."""

    def __init__(
        self, channel: Channel, providers: Providers, settings: SessionSettings, clock: Clock
    ) -> None:
        self._stage = Stage(channel, settings, clock)
        self._replies = Replies(self._stage, providers, self._floor_opened)
        self._listening = Listening(self._stage, self._replies, providers, self._crashed)
        self._greeting = Greeting(self._stage, self._replies)
        self._unprompted = Unprompted(self._stage, self._replies)
        self._summarising = Summarising(self._stage, providers)
        self._crash: Exception | None = None

    @property
    def floor(self) -> Floor:
        """Who may speak now."""
        return self._stage.floor

    @property
    def turns(self) -> TurnSettings:
        """How turns are taken now."""
        return self._stage.turns

    @property
    def instructions(self) -> str:
        """How the agent is told to behave now."""
        return self._stage.instructions

    @property
    def context(self) -> Context:
        """What the model is shown."""
        return self._stage.context

    def watch(self, on_event: Callable[[SessionEvent], None]) -> None:
        """Have every event told to somebody besides, on the event loop, just before the channel is told."""
        self._stage.watchers.append(on_event)

    async def run(self) -> None:
        """Hold the conversation until it ends; no task of it is left when this returns.

        Cancelling ends it as a shutdown would.

        Raises:
            Exception: a bug met in a provider's callback, after everything is tidied up.
        """
        stage = self._stage
        try:
            async with anyio.create_task_group() as tasks:
                stage.tasks = tasks
                stage.context_vars = contextvars.copy_context()
                tasks.start_soon(self._listening.run)
                tasks.start_soon(self._unprompted.expire)
                tasks.start_soon(self._unprompted.watch_for_idleness)
                tasks.start_soon(self._replies.prepare)
                if stage.is_ringing:
                    self._greeting.hold()
                elif stage.settings.greets:
                    self.request_reply()
                await stage.ended.wait()
                if stage.end_reason is EndReason.EXPIRED:
                    self._tell_that_it_expired()
                tasks.cancel_scope.cancel()
        finally:
            stage.tasks = None
            stage.end(EndReason.SHUTDOWN)
            self._greeting.drop()
            self._replies.interrupt(TurnStatus.CANCELLED)
            stage.move(FloorEvent.SESSION_ENDED)
            self._listening.close()
            stage.channel.close(stage.end_reason or EndReason.SHUTDOWN)
            await self._replies.aclose()
        if self._crash is not None:
            raise self._crash

    def configure(self, settings: TurnSettings, instructions: str) -> None:
        """Change how turns are taken, from the next sound on."""
        self._stage.turns = settings
        self._stage.instructions = instructions
        self._listening.configure()

    def answered(self) -> None:
        """The person has answered: a greeting that is held leaves in this call."""
        stage = self._stage
        if not stage.is_ringing or stage.ended.is_set():
            return
        stage.answered.set()
        self._listening.follow_format()
        self._greeting.follow_format()
        self._replies.follow_format()
        if stage.tasks is not None:  # Else `run` begins with the greeting.
            self._greeting.say()

    def leave_message(self, text: str) -> None:
        """Say `text` instead of a greeting once the call is answered, and end: a machine takes the call."""
        self._greeting.replace(text)

    def receive_audio(self, audio: bytes) -> None:
        """Take audio from the person in the channel's format: whole samples, any length, in order."""
        self._listening.receive_audio(audio)

    def clear_audio(self) -> None:
        """Forget the speech of a turn that is not over yet."""
        self._listening.clear()

    def commit_audio(self) -> bool:
        """End the user's spoken turn now; False if there was no audio to commit."""
        return self._listening.commit()

    def receive_text(self, text: str) -> None:
        """Take a typed turn and answer it; takes the floor from anybody."""
        self._unprompted.heard_from()
        words = self._listening.take_words()
        text = f"{words} {text}" if words else text
        self._replies.interrupt(TurnStatus.INTERRUPTED)
        timeline = Timeline()
        timeline.record(Mark.TEXT_RECEIVED, self._stage.clock.now_s())
        asked = ContextItem(new_id("item"), Message(Role.USER, text))
        self._stage.context.add(asked)
        self._stage.send(UserTurn(asked.item_id, text, spoken=False, duration_s=0.0))
        self._stage.move(FloorEvent.TEXT_RECEIVED)
        self._replies.begin(timeline, asked)

    def add_message(self, role: Role, text: str, item_id: str, *, after: str | None = None) -> bool:
        """Put a message into the context without answering it; False if it can't stand there."""
        self._unprompted.heard_from()
        if self._stage.context.find(item_id) is not None:
            return False
        if after is None:
            self._stage.context.add(ContextItem(item_id, Message(role, text)))
            return True
        return self._stage.context.insert(ContextItem(item_id, Message(role, text)), after)

    def find_message(self, item_id: str) -> Message | None:
        """Return a message of the context, or None if there is none of that id."""
        item = self._stage.context.find(item_id)
        return item.message if item else None

    def remove_message(self, item_id: str) -> bool:
        """Take a message out of the context; False if there is none of that id."""
        return self._stage.context.remove(item_id)

    def request_reply(self, instructions: str | None = None) -> bool:
        """Answer the context as it stands, or the turn in progress once it is over."""
        self._unprompted.heard_from()
        if self._replies.current is not None and not self._replies.current.is_made:
            return False
        self._replies.leave_playing()
        if self._listening.answer_when_over():
            return True
        timeline = Timeline()
        timeline.record(Mark.REPLY_REQUESTED, self._stage.clock.now_s())
        self._stage.move(FloorEvent.REPLY_REQUESTED)
        self._replies.begin(timeline, self._stage.context.last_user_message(), instructions)
        return True

    def cancel_reply(self) -> bool:
        """Stop the reply; False if there is none."""
        return self._stop_reply(TurnStatus.CANCELLED)

    def barge_in(self) -> bool:
        """The person has begun to speak, as the far end says: stop the reply; False if there is none."""
        self._unprompted.heard_from()
        return self._stop_reply(TurnStatus.INTERRUPTED)

    def playout_started(self, reply_id: str, at_s: float | None = None) -> None:
        """The first sample of the reply is heard: now, or since an instant of the session's clock."""
        self._replies.playout_started(reply_id, at_s)

    def playout_progressed(self, reply_id: str, played_ms: int) -> None:
        """So much of the reply has been heard."""
        self._replies.playout_progressed(reply_id, played_ms)

    def playout_finished(self, reply_id: str) -> None:
        """Everything sent of the reply has been heard."""
        self._replies.playout_finished(reply_id)

    def playout_truncated(self, item_id: str, played_ms: int) -> bool:
        """The reply whose item this is was stopped after so much was heard; False if unknown."""
        if self._replies.takes_late_truncation(item_id):
            return True
        current = self._replies.current
        is_pause = self._replies.is_paused and self._stage.channel.reports_playout
        if current is not None and current.item_id == item_id and not is_pause:
            self.cancel_reply()
        return self._replies.truncate(item_id, played_ms)

    def hang_up(self) -> None:
        """The far end has left."""
        self._stage.end(EndReason.HUNG_UP)

    def shut_down(self) -> None:
        """The server is stopping."""
        self._stage.end(EndReason.SHUTDOWN)

    def _stop_reply(self, status: TurnStatus) -> bool:
        was_paused = self._replies.is_paused
        if not self._replies.interrupt(status):
            return False
        if not was_paused:  # Else the floor is the user's.
            self._stage.move(FloorEvent.REPLY_FINISHED)
            self._floor_opened()
        return True

    def _floor_opened(self) -> None:
        self._listening.resume()
        if self._stage.floor is Floor.OPEN:
            self._summarising.consider()

    def _crashed(self, error: Exception) -> None:
        self._crash = error
        self._stage.end(EndReason.FAILED)

    def _tell_that_it_expired(self) -> None:
        minutes = self._stage.settings.session_s / 60
        self._stage.send(
            SessionFailure("session_expired", f"A session lasts {minutes:g} minutes at most; start a new one")
        )

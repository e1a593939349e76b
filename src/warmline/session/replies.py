"""The agent's turns: begun, played, interrupted, finished."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from warmline.errors import ProviderError, leaves
from warmline.interfaces.channel import (
    EndReason,
    ReplyResumed,
    ReplyStatus,
    SessionFailure,
    TurnMeasured,
)
from warmline.session.answering import Answering
from warmline.session.context import ContextItem
from warmline.session.reply import Reply, Standing
from warmline.session.settings import Providers
from warmline.session.stage import Stage
from warmline.timeline.marks import Mark
from warmline.timeline.notes import NoteKind
from warmline.timeline.report import PlayoutTruth, TurnStatus
from warmline.timeline.timeline import Timeline
from warmline.turns.acts import is_goodbye
from warmline.turns.floor import FloorEvent

__all__ = ["Replies"]

_log = logging.getLogger(__name__)

_KEPT: Final = 8
"""Past replies whose heard part a late report may still correct."""

_REPLY_STATUS: Final = {
    TurnStatus.COMPLETED: ReplyStatus.COMPLETED,
    TurnStatus.INTERRUPTED: ReplyStatus.INTERRUPTED,
    TurnStatus.CANCELLED: ReplyStatus.CANCELLED,
    TurnStatus.FAILED: ReplyStatus.FAILED,
}


class Replies:
    """A session's replies, of which at most one is the agent's turn and not over; drafts are beside it.

    What changes here: `current`, `_past`, and what is known of the one that was left playing, in methods
    that do not await.
    """

    def __init__(self, stage: Stage, providers: Providers, on_floor_open: Callable[[], None]) -> None:
        """Prepare.

        Args:
            stage: The session's.
            providers: Who finds, thinks and speaks.
            on_floor_open: Called when a reply is over and left the floor to whoever takes it.
        """
        self.current: Reply | None = None
        self._stage = stage
        self._on_floor_open = on_floor_open
        self._answering = Answering(stage, providers)
        self.retrieving = self._answering.retrieving
        self._past: deque[Reply] = deque(maxlen=_KEPT)
        self._count = 0
        self._left_id = ""
        """The reply that was left playing last."""

        self._left_until_s = 0.0
        """Until when that sounds."""

    async def prepare(self) -> None:
        """Get ready what the first reply will want; nobody waits for it."""
        await self._answering.prepare()

    def follow_format(self) -> None:
        """Get ready to speak as the channel now says that it plays."""
        self._answering.follow_format()

    async def aclose(self) -> None:
        """Give back what replies are made with; none is made any more."""
        await self._answering.aclose()

    def begin(self, timeline: Timeline, asked: ContextItem | None, instructions: str | None = None) -> None:
        """Begin to answer; the floor is the agent's already.

        Args:
            timeline: The turn's, with what made the user wait on it.
            asked: What is answered, which is in the context; None if nothing was said yet.
            instructions: For this reply alone, in place of the session's.
        """
        self._begin(self._reply(timeline, asked), instructions or self._stage.instructions)

    def say(self, text: str, end_reason: EndReason | None = None) -> None:
        """Say something of the agent's own accord; nobody has the floor.

        Args:
            text: What.
            end_reason: Why the session ends when it was heard; None if it goes on.
        """
        timeline = Timeline()
        timeline.record(Mark.REPLY_REQUESTED, self._stage.clock.now_s())
        self._stage.move(FloorEvent.REPLY_REQUESTED)
        reply = self._reply(timeline, None)
        reply.fixed_text, reply.end_reason = text, end_reason
        self._begin(reply, self._stage.instructions)

    def draft(
        self,
        timeline: Timeline,
        asked: ContextItem | None,
        on_first_audio: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> Reply:
        """Begin to answer what may be said no further; nothing of it leaves the session.

        Args:
            timeline: A branch of the turn's.
            asked: What the turn would be if it were over; not in the context. None for a greeting.
            on_first_audio: Called when there is something to play.
            on_failure: Called with the reason if it can't be made.
        """
        reply = self._reply(timeline, asked, is_draft=True)
        reply.on_first_audio, reply.on_failure = on_first_audio, on_failure
        self._start(reply, self._stage.instructions)
        return reply

    def adopt(self, draft: Reply, timeline: Timeline, asked: ContextItem | None) -> None:
        """Make a draft the agent's turn; the floor is the agent's already, and its sound leaves in this call.

        Args:
            draft: One that is not over.
            timeline: The turn's, with what made the user wait on it.
            asked: What is answered, which is in the context; None for a greeting.
        """
        draft.adopt(timeline, asked)
        timeline.record(Mark.TURN_COMMITTED, self._stage.clock.now_s())
        self._take_turn(draft)

    def discard(self, draft: Reply) -> None:
        """Stop making a draft; nobody knew of it."""
        draft.status = TurnStatus.CANCELLED
        draft.cancel()
        draft.playing.close()

    def pause(self) -> None:
        """Silence the reply, which there is, until it is known whether the user takes the floor.

        What was heard of it goes into the context.
        """
        reply = self.current
        assert reply is not None
        self._silence_left()
        reply.pause()
        reply.awaits_truncation = self._stage.channel.reports_playout and Mark.AUDIO_SENT in reply.timeline
        self._stage.context.heard(reply.item_id, reply.heard_so_far())

    @property
    def is_paused(self) -> bool:
        """Whether there is a reply that may yet go on."""
        return self.current is not None and self.current.standing is Standing.PAUSED

    def resume(self) -> None:
        """Let a paused reply go on where it was; the floor goes back to the agent."""
        reply = self.current
        assert reply is not None
        assert reply.standing is Standing.PAUSED
        has_sounded = Mark.AUDIO_PLAYED in reply.timeline
        self._stage.move(FloorEvent.REPLY_RESUMED if has_sounded else FloorEvent.THINKING_RESUMED)
        reply.note(NoteKind.FALSE_INTERRUPTION)
        from_ms = reply.resume()
        if Mark.AUDIO_SENT in reply.timeline:
            until_ms = round(reply.playing.made_s * 1000) if reply.is_made else None
            self._stage.send(ReplyResumed(reply.id, reply.item_id, from_ms, until_ms))
        reply.let_out()

    def interrupt(self, status: TurnStatus) -> bool:
        """Stop the reply, if there is one, and keep what was heard of it; the floor is the caller's.

        Playing is silenced first; then what was heard goes into the context; then the reply's
        retrieval, model stream and synthesis are cancelled.
        """
        self._silence_left()
        reply = self.current
        if reply is None:
            return False
        stopped_at_s = self._stage.clock.now_s()
        if reply.standing is Standing.PAUSED:
            stopped_at_s = reply.paused_at_s
        else:
            self._stage.channel.stop_playout(reply.id)
        if status is TurnStatus.INTERRUPTED:
            reply.timeline.record(Mark.BARGE_IN, stopped_at_s)
        self._close(reply, status, reply.heard_so_far())
        reply.cancel()
        return True

    def leave_playing(self) -> None:
        """Call a reply that is made but still playing over, and all of it heard: the client has it.

        A paused one is not playing, and stays.
        """
        reply = self.current
        if reply is None or reply.standing is Standing.PAUSED:
            return
        playout = reply.playing.playout
        self._left_id, self._left_until_s = reply.id, playout.until_s(self._stage.clock.now_s())
        reply.cancel()
        self._finish(reply, TurnStatus.COMPLETED, reply.text.strip())

    def playout_started(self, reply_id: str, at_s: float | None = None) -> None:
        """The first sample of the reply is heard: now, or since an instant of the clock."""
        if reply := self._sounding(reply_id):
            reply.playing.playout.started(self._stage.clock.now_s())
            self._played(reply, at_s)

    def playout_progressed(self, reply_id: str, played_ms: int) -> None:
        """So much of the reply has been heard."""
        if reply := self._sounding(reply_id):
            reply.playing.playout.progressed(played_ms / 1000, self._stage.clock.now_s())
            self._played(reply)

    def playout_finished(self, reply_id: str) -> None:
        """Everything sent of the reply has been heard."""
        reply = self._sounding(reply_id)
        if reply is not None and reply.playing.is_sent:
            playout = reply.playing.playout
            playout.progressed(playout.sent_s, self._stage.clock.now_s())
            self._played(reply)
            reply.truth = PlayoutTruth.REPORTED
            reply.played.set()

    def takes_late_truncation(self, item_id: str) -> bool:
        """Whether it is of a pause that is over: the reply goes on from where it was reckoned to be."""
        reply = self.current
        is_late = reply is not None and reply.item_id == item_id and reply.awaits_truncation
        if reply is None or not is_late or reply.standing is Standing.PAUSED:
            return False
        reply.awaits_truncation = False
        return True

    def truncate(self, item_id: str, played_ms: int) -> bool:
        """Correct how much was heard of a reply that was stopped; False if there is none of that item."""
        if self.is_paused and self.current is not None and self.current.item_id == item_id:
            self.current.awaits_truncation = False
            self.current.playing.rewind(played_ms / 1000)
            self._stage.context.heard(item_id, self.current.heard_so_far())
            return True
        reply = next((past for past in self._past if past.item_id == item_id), None)
        if reply is None:
            return False
        reply.truth = PlayoutTruth.REPORTED
        heard = reply.heard_text(played_ms / 1000)
        self._stage.context.heard(item_id, heard)
        self._stage.send(TurnMeasured(reply.report(heard)))
        return True

    def _silence_left(self) -> None:
        """Stop the sound of a reply that was left playing."""
        if self._left_until_s > self._stage.clock.now_s():
            self._stage.channel.stop_playout(self._left_id)
            if self.current is not None:
                self.current.playing.playout.follows(0.0)
        self._left_until_s = 0.0

    def _sounding(self, reply_id: str) -> Reply | None:
        """Return the current reply if that is the one meant and it is to be heard; other reports are late."""
        reply = self.current
        is_meant = reply is not None and reply.id == reply_id and reply.standing is Standing.TURN
        return reply if is_meant and reply is not None and Mark.AUDIO_SENT in reply.timeline else None

    def _reply(self, timeline: Timeline, asked: ContextItem | None, *, is_draft: bool = False) -> Reply:
        return Reply(self._stage, self._first_audio_sent, timeline, asked, is_draft=is_draft)

    def _begin(self, reply: Reply, instructions: str) -> None:
        reply.mark(Mark.TURN_COMMITTED)
        self._take_turn(reply)
        self._start(reply, instructions)

    def _start(self, reply: Reply, instructions: str) -> None:
        if is_goodbye(reply.user_text):
            reply.fixed_text, reply.end_reason = self._stage.settings.farewell, EndReason.GOODBYE
        self._stage.start(self._make, reply, instructions)

    def _take_turn(self, reply: Reply) -> None:
        """Make it the current reply, with a place in the context, and let it be heard."""
        self._count += 1
        reply.number = self._count
        self.current = reply
        reply.playing.playout.follows(self._left_until_s)
        self._stage.context.begin_reply(reply.item_id)
        reply.place_exchanges()
        reply.let_out()

    async def _make(self, reply: Reply, instructions: str) -> None:
        if reply.is_over:
            return
        with anyio.CancelScope() as reply.scope:
            reason = ""
            try:
                await self._answering.answer(reply, instructions)
            except* ProviderError as failures:
                reason = "; ".join(str(failure) for failure in leaves(failures))
            if not reason:
                self._finish(reply, TurnStatus.COMPLETED, reply.text.strip())
            elif reply.standing is Standing.DRAFT:
                # The turn's reply is made anew when the turn is over; nobody has noticed anything.
                reply.on_failure(reason)
            else:
                await self._fail(reply, reason)

    def _first_audio_sent(self, reply: Reply) -> None:
        if not self._stage.channel.reports_playout:
            self._played(reply)

    def _played(self, reply: Reply, at_s: float | None = None) -> None:
        """Note that the reply's first sound was heard, and when; the response time is known now."""
        if Mark.AUDIO_PLAYED in reply.timeline:
            return
        if self._stage.channel.reports_playout:
            reply.truth = PlayoutTruth.REPORTED
        now_s = self._stage.clock.now_s()
        sent_s = reply.timeline.marks[Mark.AUDIO_SENT] / 1_000_000
        reply.timeline.record(Mark.AUDIO_PLAYED, now_s if at_s is None else min(max(at_s, sent_s), now_s))
        self._stage.move(FloorEvent.PLAYBACK_STARTED)
        self._stage.send(TurnMeasured(reply.report("")))

    async def _fail(self, reply: Reply, reason: str) -> None:
        """Tell of a reply that can't be made, and say so to the user's ear if that is possible."""
        if reply.is_over:
            return
        _log.warning("reply.failed", extra={"reason": reason})
        self._stage.send(SessionFailure("reply_failed", f"The answer could not be made: {reason}"))
        await self._answering.apologise(reply)
        if not reply.is_over:
            heard = reply.heard_so_far()
            if Mark.AUDIO_SENT in reply.timeline:
                self._stage.channel.stop_playout(reply.id)
                self._left_until_s = 0.0
            self._finish(reply, TurnStatus.FAILED, heard, reason)

    def _finish(self, reply: Reply, status: TurnStatus, heard: str, detail: str = "") -> None:
        """End a reply that nobody stopped, and give up its floor."""
        if reply.is_over:
            return
        self._close(reply, status, heard, detail)
        if reply.standing is Standing.PAUSED:
            return  # The floor is the user's.
        self._stage.move(FloorEvent.REPLY_FINISHED)
        if reply.end_reason is not None and status is TurnStatus.COMPLETED:
            self._stage.end(reply.end_reason)
        else:
            self._on_floor_open()

    def _close(self, reply: Reply, status: TurnStatus, heard: str, detail: str = "") -> None:
        self.current = None
        self._past.append(reply)
        reply.status = status
        reply.playing.shut()  # Cancelled tasks may go on once more, with sound in their hands.
        if Mark.AUDIO_SENT in reply.timeline:
            reply.timeline.record(Mark.PLAYOUT_DONE, self._stage.clock.now_s())
        self._stage.context.heard(reply.item_id, heard)
        self._answering.tell_done(reply, _REPLY_STATUS[status], detail)
        reply.playing.close()
        self._stage.send(TurnMeasured(reply.report(heard)))

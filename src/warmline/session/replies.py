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
    ReplyStarted,
    ReplyStatus,
    SessionFailure,
    TurnMeasured,
)
from warmline.session.answering import Answering
from warmline.session.reply import Reply
from warmline.session.settings import Providers
from warmline.session.stage import Stage
from warmline.timeline.marks import Mark
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
    """A session's replies, of which at most one is not over.

    What changes here: `current` and `_past`, in methods that do not await.
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
        self._answering = Answering(stage, providers, self._first_audio_sent)
        self._past: deque[Reply] = deque(maxlen=_KEPT)
        self._count = 0

    async def aclose(self) -> None:
        """Give back what replies are made with; none is made any more."""
        await self._answering.aclose()

    def begin(self, timeline: Timeline, user_text: str, instructions: str | None = None) -> None:
        """Begin to answer; the floor is the agent's already.

        Args:
            timeline: The turn's, with what made the user wait on it.
            user_text: What is answered; empty if nothing was said yet.
            instructions: For this reply alone, in place of the session's.
        """
        now_s = self._stage.clock.now_s()
        timeline.record(Mark.TURN_COMMITTED, now_s)
        self._count += 1
        self.current = reply = Reply(self._count, timeline, user_text)
        reply.ends_session = is_goodbye(user_text)
        self._stage.context.begin_reply(reply.item_id)
        self._stage.channel.send(ReplyStarted(reply.id, reply.item_id))
        self._stage.start(self._make, reply, instructions or self._stage.instructions)

    def interrupt(self, status: TurnStatus) -> bool:
        """Stop the reply, if there is one, and keep what was heard of it; the floor is the caller's.

        Playing is silenced first; then what was heard goes into the context; then the reply's
        retrieval, model stream and synthesis are cancelled.
        """
        reply = self.current
        if reply is None:
            return False
        self._stage.channel.stop_playout(reply.id)
        now_s = self._stage.clock.now_s()
        if status is TurnStatus.INTERRUPTED:
            reply.timeline.record(Mark.BARGE_IN, now_s)
        self._close(reply, status, reply.heard_text(reply.playout.heard_s(now_s)))
        reply.cancel()
        return True

    def leave_playing(self) -> None:
        """Call a reply that is made but still playing over, and all of it heard: the client has it."""
        if reply := self.current:
            reply.cancel()
            self._finish(reply, TurnStatus.COMPLETED, reply.text.strip())

    def playout_started(self, reply_id: str) -> None:
        """The first sample of the reply is heard now."""
        if reply := self._sounding(reply_id):
            reply.playout.started(self._stage.clock.now_s())
            self._played(reply)

    def playout_progressed(self, reply_id: str, played_ms: int) -> None:
        """So much of the reply has been heard."""
        if reply := self._sounding(reply_id):
            reply.playout.progressed(played_ms / 1000, self._stage.clock.now_s())
            self._played(reply)

    def playout_finished(self, reply_id: str) -> None:
        """Everything sent of the reply has been heard."""
        reply = self._sounding(reply_id)
        if reply is not None and reply.is_made:
            reply.playout.progressed(reply.playout.sent_s, self._stage.clock.now_s())
            self._played(reply)
            reply.truth = PlayoutTruth.REPORTED
            reply.played.set()

    def truncate(self, item_id: str, played_ms: int) -> bool:
        """Correct how much was heard of a reply that was stopped; False if there is none of that item."""
        reply = next((past for past in self._past if past.item_id == item_id), None)
        if reply is None:
            return False
        reply.truth = PlayoutTruth.REPORTED
        heard = reply.heard_text(played_ms / 1000)
        self._stage.context.heard(item_id, heard)
        self._stage.channel.send(TurnMeasured(reply.report(heard)))
        return True

    def _sounding(self, reply_id: str) -> Reply | None:
        """Return the current reply if that is the one meant and it was sent; other reports are late."""
        reply = self.current
        if reply is not None and reply.id == reply_id and Mark.AUDIO_SENT in reply.timeline:
            return reply
        return None

    async def _make(self, reply: Reply, instructions: str) -> None:
        if reply.is_over:
            return
        with anyio.CancelScope() as reply.scope:
            try:
                await self._answering.answer(reply, instructions)
            except* ProviderError as failures:
                self._fail(reply, "; ".join(str(failure) for failure in leaves(failures)))
            else:
                self._finish(reply, TurnStatus.COMPLETED, reply.text.strip())

    def _first_audio_sent(self, reply: Reply) -> None:
        if not self._stage.channel.reports_playout:
            self._played(reply)

    def _played(self, reply: Reply) -> None:
        """Note that the reply's first sound was heard; the response time is known now."""
        if Mark.AUDIO_PLAYED in reply.timeline:
            return
        if self._stage.channel.reports_playout:
            reply.truth = PlayoutTruth.REPORTED
        reply.timeline.record(Mark.AUDIO_PLAYED, self._stage.clock.now_s())
        self._stage.move(FloorEvent.PLAYBACK_STARTED)
        self._stage.channel.send(TurnMeasured(reply.report("")))

    def _fail(self, reply: Reply, reason: str) -> None:
        if reply.is_over:
            return
        _log.warning("reply.failed", extra={"reason": reason})
        self._stage.channel.stop_playout(reply.id)
        self._stage.channel.send(SessionFailure("reply_failed", f"The answer could not be made: {reason}"))
        heard_s = reply.playout.heard_s(self._stage.clock.now_s())
        self._finish(reply, TurnStatus.FAILED, reply.heard_text(heard_s), reason)

    def _finish(self, reply: Reply, status: TurnStatus, heard: str, detail: str = "") -> None:
        """End a reply that nobody stopped, and give up its floor."""
        if reply.is_over:
            return
        self._close(reply, status, heard, detail)
        self._stage.move(FloorEvent.REPLY_FINISHED)
        if reply.ends_session and status is TurnStatus.COMPLETED:
            self._stage.end(EndReason.GOODBYE)
        else:
            self._on_floor_open()

    def _close(self, reply: Reply, status: TurnStatus, heard: str, detail: str = "") -> None:
        self.current = None
        self._past.append(reply)
        reply.status = status
        if Mark.AUDIO_SENT in reply.timeline:
            reply.timeline.record(Mark.PLAYOUT_DONE, self._stage.clock.now_s())
        self._stage.context.heard(reply.item_id, heard)
        self._answering.tell_done(reply, _REPLY_STATUS[status], detail)
        self._stage.channel.send(TurnMeasured(reply.report(heard)))

"""The first thing that a session says: at once, or made while the call still rings."""

from __future__ import annotations

from warmline.core.formats import AudioFormat
from warmline.interfaces.channel import EndReason
from warmline.session.replies import Replies
from warmline.session.reply import Reply
from warmline.session.stage import Stage
from warmline.timeline.marks import Mark
from warmline.timeline.timeline import Timeline
from warmline.turns.floor import FloorEvent

__all__ = ["Greeting"]


class Greeting:
    """A session's greeting; without one in the settings, the person speaks first.

    What changes here: `_held`, the greeting that waits for the call to be answered; `_instead`.
    """

    def __init__(self, stage: Stage, replies: Replies) -> None:
        self._stage = stage
        self._replies = replies
        self._held: Reply | None = None
        self._held_format: AudioFormat | None = None
        self._instead = ""

    def hold(self) -> None:
        """Have it made as far as can be without being heard; `say` lets it out."""
        if not self._stage.settings.greets:
            return
        now_s = self._stage.clock.now_s()
        timeline = Timeline()
        timeline.record(Mark.RINGING, now_s)
        timeline.record(Mark.DRAFT_BEGUN, now_s)
        self._held_format = self._stage.channel.output_format
        self._held = self._replies.draft(timeline, None, _nothing, self._failed)

    def replace(self, text: str) -> None:
        """Have `text` said in its place, and the session end when that was heard; before `say`."""
        self.drop()
        self._instead = text

    def follow_format(self) -> None:
        """Drop what is held, if the call turned out to play another format than it is in."""
        if self._held_format != self._stage.channel.output_format:
            self.drop()

    def say(self) -> None:
        """Let it be heard, from the moment on at which the person could hear: nobody has the floor.

        What is held of it leaves in this call. One that could not be made, or was dropped, is made now.
        """
        if self._instead:
            self._replies.say(self._instead, EndReason.GOODBYE)
            return
        if not self._stage.settings.greets:
            return
        held, self._held = self._held, None
        now_s = self._stage.clock.now_s()
        timeline = Timeline()
        timeline.record(Mark.ANSWERED, now_s)
        self._stage.move(FloorEvent.REPLY_REQUESTED)
        if held is not None:
            self._replies.adopt(held, timeline, None)
        else:
            timeline.record(Mark.REPLY_REQUESTED, now_s)
            self._replies.begin(timeline, None)

    def drop(self) -> None:
        """Forget what is held: nobody will hear it."""
        held, self._held = self._held, None
        if held is not None:
            self._replies.discard(held)

    def _failed(self, _reason: str) -> None:
        self.drop()


def _nothing() -> None:
    """Do nothing."""

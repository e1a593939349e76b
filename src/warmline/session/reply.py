"""One reply: its text, how much of it was sent, and what was heard of it."""

from __future__ import annotations

import anyio

from warmline.audio.heard import heard_text
from warmline.audio.playout import Playout
from warmline.core.ids import new_id
from warmline.interfaces.tts import SpokenWord
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus, turn_report
from warmline.timeline.timeline import Timeline

__all__ = ["Reply"]


class Reply:
    """The agent's turn.

    What changes here: `text` and its words while the reply is made, `playout` with what is sent
    and reported, `status` once, when it is over.
    """

    def __init__(self, number: int, timeline: Timeline, user_text: str) -> None:
        self.id = new_id("resp")
        self.item_id = new_id("item")
        self.number = number
        self.timeline = timeline
        self.user_text = user_text
        self.text = ""
        self.playout = Playout()
        self.truth = PlayoutTruth.RECKONED
        self.status = TurnStatus.PLAYING
        self.is_made = False
        """Everything has been handed to the channel, and the channel was told so."""

        self.is_written = False
        """The client wants text alone: what was sent was read."""

        self.ends_session = False
        self.scope: anyio.CancelScope | None = None
        """What making it runs in; None before that begins."""

        self.played = anyio.Event()
        """The far end reported that all of it was heard."""

        self._words: list[SpokenWord] = []

    @property
    def is_over(self) -> bool:
        """Whether it was played, stopped or failed."""
        return self.status is not TurnStatus.PLAYING

    def cancel(self) -> None:
        """Stop making it, if that has begun; it does not begin once it `is_over`."""
        if self.scope is not None:
            self.scope.cancel()

    def begin_clause(self, text: str) -> None:
        """Note that `text` is about to be spoken."""
        self.text += text

    def sent(self, duration_s: float, words: tuple[SpokenWord, ...], now_s: float) -> None:
        """Note that audio was handed to the channel, and the words that begin in it."""
        self.playout.sent(duration_s, now_s)
        self._words.extend(words)

    def heard_text(self, heard_s: float) -> str:
        """Return the words that `heard_s` of the reply's audio hold; all of them if it has no audio."""
        if self.is_written:
            return self.text.strip()
        is_all = heard_s >= self.playout.sent_s > 0
        if is_all and Mark.TTS_DONE in self.timeline:
            return self.text.strip()
        if not self._words:
            return ""
        # What was taken to be spoken, but has no audio yet, was not heard.
        end = self._words[-1].text_end
        while end < len(self.text) and not (self.text[end].isalnum() or self.text[end].isspace()):
            end += 1
        sounded = self.text[:end]
        return sounded.strip() if is_all else heard_text(sounded, self._words, heard_s * 1000).strip()

    def report(self, heard: str) -> TurnReport:
        """Return the turn's figures as far as they are known."""
        return turn_report(
            self.timeline,
            number=self.number,
            reply_id=self.id,
            status=self.status,
            user_text=self.user_text,
            reply_text=self.text.strip(),
            heard_text=heard,
            playout=self.truth,
        )

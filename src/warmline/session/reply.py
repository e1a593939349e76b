"""One reply: its text, how much of it was sent, and what was heard of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from warmline.audio.heard import heard_text
from warmline.audio.playout import Playout
from warmline.core.ids import new_id
from warmline.interfaces.tts import SpokenWord
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus, turn_report
from warmline.timeline.timeline import Timeline

__all__ = ["Reply"]


@dataclass(slots=True)
class _SpokenClause:
    """A clause whose audio was handed to the channel, as far as it was."""

    text: str
    starts_at_s: float
    """Seconds of the reply's audio before it."""

    ends_at_s: float
    words: list[SpokenWord] = field(default_factory=list)


class Reply:
    """The agent's turn.

    What changes here: `text` and the clauses while the reply is made, `playout` with what is sent
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

        self._clauses: list[_SpokenClause] = []

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
        self._clauses.append(_SpokenClause(text, self.playout.sent_s, self.playout.sent_s))

    def sent(self, duration_s: float, words: tuple[SpokenWord, ...], now_s: float) -> None:
        """Note that audio of the clause begun last was handed to the channel."""
        self.playout.sent(duration_s, now_s)
        self._clauses[-1].words.extend(words)
        self._clauses[-1].ends_at_s = self.playout.sent_s

    def heard_text(self, heard_s: float) -> str:
        """Return the words that `heard_s` of the reply's audio hold; all of them if it has no audio."""
        if self.is_written:
            return self.text.strip()
        parts = []
        for clause in self._clauses:
            if heard_s <= clause.starts_at_s:
                break
            if heard_s >= clause.ends_at_s:
                parts.append(clause.text)
            else:
                heard_ms = (heard_s - clause.starts_at_s) * 1000
                parts.append(heard_text(clause.text, clause.words, heard_ms))
        return "".join(parts).strip()

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

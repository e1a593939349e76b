"""One reply: its text, how much of it was sent, and what was heard of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio

from warmline.audio.heard import heard_text
from warmline.core.formats import AudioFormat
from warmline.core.ids import new_id
from warmline.core.line_use import LineUse
from warmline.core.setback import Setback
from warmline.interfaces.channel import EndReason, ReplyStarted, ReplyText, SessionEvent
from warmline.interfaces.llm import Message
from warmline.interfaces.retriever import Passage
from warmline.interfaces.tts import SpeechChunk, SpokenWord
from warmline.session.context import ContextItem
from warmline.session.playing import Playing
from warmline.session.stage import Stage
from warmline.session.trimming import reckoned_tokens
from warmline.timeline.marks import Mark
from warmline.timeline.notes import NoteKind, Waste
from warmline.timeline.report import PlayoutTruth, TurnReport, TurnStatus, turn_report
from warmline.timeline.timeline import Timeline
from warmline.tools.results import ToolResult

__all__ = ["Reply", "Standing"]


class Standing(enum.Enum):
    """Whether a reply may be heard."""

    DRAFT = "draft"
    """The turn is not committed: nothing of it leaves the session."""

    TURN = "turn"
    """It is the agent's turn."""

    PAUSED = "paused"
    """The user began to speak, and it is not known yet whether that takes the floor."""


class Reply:
    """The agent's turn, or a draft of it.

    What changes here: `text` and its words while the reply is made, `playing` with what is sent
    and reported, `standing` in `adopt`, `pause` and `resume`, `status` once, when it is over.
    """

    def __init__(
        self,
        stage: Stage,
        on_first_sent: Callable[[Reply], None],
        timeline: Timeline,
        asked: ContextItem | None,
        *,
        is_draft: bool,
    ) -> None:
        """Prepare; nothing is begun.

        Args:
            stage: The session's.
            on_first_sent: Called when its first sound has been handed to the channel.
            timeline: The turn's, or a branch of it for a draft.
            asked: What is answered; a draft's is not in the context yet. None if nothing was said.
            is_draft: Whether the turn is still to be committed.
        """
        self.id = new_id("resp")
        self.item_id = new_id("item")
        self.number = 0
        """Counts the session's turns from 1; 0 for a draft."""

        self.timeline = timeline
        self.asked = asked
        self.standing = Standing.DRAFT if is_draft else Standing.TURN
        self.text = ""
        self.playing = Playing(
            self.id,
            stage.channel,
            stage.clock,
            lead_s=stage.settings.playout_lead_s,
            held_s=stage.settings.held_audio_s,
            on_first_sent=self._first_sent,
        )
        self.truth = PlayoutTruth.RECKONED
        self.status = TurnStatus.PLAYING
        self.is_made = False
        """Everything has been handed to the channel, and the channel was told so."""

        self.paused_at_s = 0.0
        """When it was paused last."""

        self.awaits_truncation = False
        """The far end was told to be silent for now, and has not said yet where it stopped."""

        self.on_first_audio: Callable[[], None] = _nothing
        """For a draft: told when there is something to play."""

        self.on_failure: Callable[[str], None] = _nothing
        """For a draft: told why it can't be made."""

        self.is_written = False
        """The client wants text alone: what was sent was read."""

        self.fixed_text: str | None = None
        """What it says, where that is known beforehand; None to ask the model."""

        self.end_reason: EndReason | None = None
        """Why the session ends with it, once it was heard; None if it goes on."""

        self.spoken: list[SpeechChunk] | None = None
        """All that the voice made of it, where that is to be kept; None where it is not."""

        self.scope: anyio.CancelScope | None = None
        """What making it runs in; None before that begins."""

        self.adopted = anyio.Event()
        """It is the agent's turn, and not a draft any more."""

        self.played = anyio.Event()
        """The far end reported that all of it was heard."""

        self.prompt_characters = 0
        """For its cost, as the next two."""

        self.answer_characters = 0
        self.voice_characters = 0
        self._stage = stage
        self._on_first_sent = on_first_sent
        self._held: list[SessionEvent] = [ReplyStarted(self.id, self.item_id)]
        self._words: list[SpokenWord] = []
        self._exchanges: list[list[Message]] = []
        self._is_ready_made = False

    @property
    def is_over(self) -> bool:
        """Whether it was played, stopped or failed."""
        return self.status is not TurnStatus.PLAYING

    @property
    def user_text(self) -> str:
        """What is answered; empty if nothing was said."""
        return self.asked.message.text if self.asked else ""

    @property
    def cost(self) -> Waste:
        """What it cost so far; wasted, if it is a draft that is dropped."""
        return Waste(
            reckoned_tokens(self.prompt_characters),
            reckoned_tokens(self.answer_characters),
            self.voice_characters,
        )

    def cancel(self) -> None:
        """Stop making it, if that has begun; it does not begin once it `is_over`."""
        if self.scope is not None:
            self.scope.cancel()

    def tell(self, event: SessionEvent) -> None:
        """Tell the channel, as soon as it may know of the reply; nothing once it is over."""
        if self.is_over:
            return
        if self.standing is Standing.DRAFT:
            self._held.append(event)
        else:
            self._stage.send(event)

    def mark(self, mark: Mark) -> None:
        """Record the first of its kind on the turn's timeline."""
        self.timeline.record_once(mark, self._stage.clock.now_s())

    def note(self, kind: NoteKind, text: str = "") -> None:
        """Note what was decided on the turn's timeline."""
        self.timeline.note(kind, self._stage.clock.now_s(), text)

    def had_setback(self, setback: Setback) -> None:
        """Note what went wrong with a provider, and what was done about it."""
        self.timeline.had_setback(setback)

    def had_result(self, result: ToolResult) -> None:
        """Note a call of a tool that ended."""
        record = result.record
        text = f"{record.name}: {record.outcome.value} after {record.duration_ms} ms"
        self.note(NoteKind.TOOL_CALLED, text)

    def exchanged(self, messages: Sequence[Message]) -> None:
        """Put calls of tools and what came of them in front of the reply, once it is the agent's turn."""
        self._exchanges.append(list(messages))
        if self.adopted.is_set():
            self.place_exchanges()

    def place_exchanges(self) -> None:
        """Put what tools did before the reply was the agent's turn into the context."""
        for messages in self._exchanges:
            self._stage.context.insert_exchange(self.item_id, messages)
        self._exchanges.clear()

    def used_line(self, use: LineUse) -> None:
        """Note a connection that it was given."""
        self.timeline.used_line(use)

    def found(self, passages: Sequence[Passage]) -> None:
        """Put what retrieval found beside what was asked."""
        assert self.asked is not None
        self.timeline.passages = len(passages)
        self.asked = replace(self.asked, message=replace(self.asked.message, passages=tuple(passages)))
        self._stage.context.found(self.asked.item_id, passages)

    def adopt(self, timeline: Timeline, asked: ContextItem | None) -> None:
        """Make it the turn's: what is held leaves with `let_out`.

        Args:
            timeline: The turn's, which takes over the draft's.
            asked: What was committed, and is in the context by now; None for a greeting.
        """
        timeline.adopt(self.timeline)
        self.timeline = timeline
        if asked is not None and self.asked is not None and self.asked.message.passages:
            self._stage.context.found(asked.item_id, self.asked.message.passages)
            asked = replace(asked, message=replace(asked.message, passages=self.asked.message.passages))
        self.asked = asked
        self.standing = Standing.TURN

    def pause(self) -> None:
        """Be silent until `resume`; it goes on being made."""
        self.standing = Standing.PAUSED
        self.paused_at_s = self._stage.clock.now_s()
        self.playing.shut()
        # A far end that is told to stop plays no more of it until it is told that it goes on.
        if Mark.AUDIO_SENT in self.timeline:
            self._stage.channel.stop_playout(self.id)
        self.playing.rewind(self.playing.playout.heard_s(self.paused_at_s))

    def resume(self) -> int:
        """Go back to the word at which it was paused; return its place in milliseconds of the sound."""
        heard_s = self.playing.playout.sent_s
        begun = [word.start_ms for word in self._words if word.start_ms <= heard_s * 1000]
        from_s = min(begun[-1] / 1000, heard_s) if begun else 0.0
        self.playing.rewind(from_s)
        self.standing = Standing.TURN
        return round(self.playing.playout.sent_s * 1000)

    def begin_clause(self, text: str) -> None:
        """Note that `text` is about to be spoken."""
        self.text += text
        self.voice_characters += len(text)
        self.tell(ReplyText(self.id, text))

    def say_ready(self, text: str, chunks: Sequence[SpeechChunk], audio_format: AudioFormat) -> None:
        """Say what was made ahead, behind what was said so far; nothing else of the reply comes."""
        self._is_ready_made = True
        if self.playing.made_s == 0:
            self.text = ""
        elif self._words and (said := self._words[-1].text_end) < len(self.text):
            self.text = self.text[:said]
        if self.text and not self.text[-1].isspace():
            self.text += " "
        place, begins_ms = len(self.text), round(self.playing.made_s * 1000)
        self.text += text
        self.tell(ReplyText(self.id, text))
        for chunk in chunks:
            words = tuple(
                replace(
                    word,
                    text_start=word.text_start + place,
                    text_end=word.text_end + place,
                    start_ms=word.start_ms + begins_ms,
                )
                for word in chunk.words
            )
            self._words.extend(words)
            self.playing.add(chunk.audio, audio_format)
        self.playing.complete()

    def sound(self, chunk: SpeechChunk, audio_format: AudioFormat) -> None:
        """Take more of its sound, and the words that begin in it."""
        # What was made ahead may be said before the voice is asked for anything.
        if Mark.TTS_FIRST_AUDIO not in self.timeline and Mark.TTS_STARTED in self.timeline:
            self.mark(Mark.TTS_FIRST_AUDIO)
            self.on_first_audio()
        if self.spoken is not None:
            self.spoken.append(chunk)
        self._words.extend(chunk.words)
        self.playing.add(chunk.audio, audio_format)

    def heard_so_far(self) -> str:
        """Return the words that have been heard by now."""
        return self.heard_text(self.playing.playout.heard_s(self._stage.clock.now_s()))

    def heard_text(self, heard_s: float) -> str:
        """Return the words that `heard_s` of the reply's audio hold; all of them if it has no audio."""
        if self.is_written:
            return self.text.strip()
        sent_s = self.playing.playout.sent_s
        is_all = heard_s >= sent_s > 0 and not self.playing.has_more
        if is_all and (self._is_ready_made or Mark.TTS_DONE in self.timeline):
            return self.text.strip()
        words = [word for word in self._words if word.start_ms < sent_s * 1000]
        if not words:
            return ""
        # What was taken to be spoken, but was not sent as audio, was not heard.
        end = words[-1].text_end
        while end < len(self.text) and not (self.text[end].isalnum() or self.text[end].isspace()):
            end += 1
        sounded = self.text[:end]
        if is_all:
            return sounded.strip()
        # Where the next word begins tells how long the last one is.
        known = self._words[: len(words) + 1]
        text = sounded if len(known) == len(words) else self.text
        return heard_text(text, known, heard_s * 1000).strip()

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
            underruns=self.playing.underruns,
            underrun_s=self.playing.underrun_s,
        )

    def let_out(self) -> None:
        """Begin to be heard: everything that is held and due leaves in this call."""
        held, self._held = self._held, []
        for event in held:
            self._stage.send(event)
        self.adopted.set()
        self.playing.open()

    def _first_sent(self) -> None:
        self.mark(Mark.AUDIO_SENT)
        self._on_first_sent(self)


def _nothing(*_: object) -> None:
    """Do nothing."""

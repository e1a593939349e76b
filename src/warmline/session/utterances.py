"""The user's turn while it is being spoken: its utterances, and what was recognised of each."""

from __future__ import annotations

from warmline.interfaces.stt import Transcript
from warmline.timeline.timeline import Timeline
from warmline.turns.drafting import DraftReason, DraftTrigger, Pause

__all__ = ["SpokenTurn"]


class SpokenTurn:
    """A turn that is not committed yet.

    What changes here: the utterances (a pause for thought ends one and begins the next) and their
    transcripts; the timeline is the session's to record.
    """

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        self.timeline = Timeline()
        self.drafts = 0
        """Drafts begun for it."""

        self.waits_for: DraftReason | None = None
        """Why there was no draft when it was considered last."""

        self.was_considered = False
        """Whether a draft for it was thought of."""

        self.was_asked_for = False
        """Whether a recogniser that ends turns by itself was asked to end this one."""

        self._transcripts: dict[int, Transcript] = {}
        self._began_ms = 0
        self._speech_ms = 0
        self._changed_at_s = 0.0
        self._trigger = DraftTrigger.PARTIAL
        self._confidence: float | None = None

    def begin_utterance(self, utterance: int) -> None:
        """Expect transcripts of an utterance; numbers rise through the session."""
        self._transcripts[utterance] = Transcript(utterance, "", is_final=False)

    def begin_speech(self, audio_ms: int) -> None:
        """Note where in the session's audio speech began, or went on."""
        self._began_ms = audio_ms
        self._trigger, self._confidence = DraftTrigger.PARTIAL, None

    def end_speech(self, audio_ms: int) -> None:
        """Note where in the session's audio it ended."""
        self._speech_ms += max(audio_ms - self._began_ms, 0)
        self._began_ms = audio_ms

    def take(self, transcript: Transcript, now_s: float) -> bool:
        """Take a transcript; False if it is about another turn's utterance."""
        if transcript.utterance not in self._transcripts:
            return False
        before = self.text
        self._transcripts[transcript.utterance] = transcript
        if self.text != before:
            self._changed_at_s = now_s
            self._trigger, self._confidence = DraftTrigger.PARTIAL, None
        if self.is_final and self._trigger is not DraftTrigger.FINAL:
            self._changed_at_s = now_s
            self._trigger = DraftTrigger.FINAL
        return True

    def may_be_over(self, confidence: float | None, now_s: float) -> None:
        """Take the recogniser's word that the turn may be over."""
        self._changed_at_s = now_s
        self._trigger, self._confidence = DraftTrigger.EAGER_END, confidence

    def has(self, utterance: int) -> bool:
        """Whether an utterance is this turn's."""
        return utterance in self._transcripts

    @property
    def expects_more(self) -> bool:
        """Whether an utterance of it has no final transcript yet."""
        return bool(self._transcripts) and not self.is_final

    def goes_on(self, now_s: float) -> None:
        """Take the recogniser's word that it is not."""
        self._changed_at_s = now_s
        self._trigger, self._confidence = DraftTrigger.PARTIAL, None

    def pause(self, silence_ms: int, now_s: float) -> Pause:
        """Return what is known of the turn now, for deciding on a draft."""
        unchanged_ms = round((now_s - self._changed_at_s) * 1000)
        return Pause(self._trigger, self.text, silence_ms, unchanged_ms, self._confidence)

    def speech_ms(self, audio_ms: int, *, is_speaking: bool) -> int:
        """Return how long the user has spoken by now, pauses left out."""
        return self._speech_ms + (max(audio_ms - self._began_ms, 0) if is_speaking else 0)

    @property
    def speech_s(self) -> float:
        """Seconds of speech so far, pauses left out."""
        return self._speech_ms / 1000

    @property
    def is_final(self) -> bool:
        """Whether every utterance has its final transcript."""
        return all(transcript.is_final for transcript in self._transcripts.values())

    @property
    def text(self) -> str:
        """The turn's words so far."""
        return " ".join(t.text for t in self._transcripts.values() if t.text)

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The turn in the recogniser's other readings: all first ones joined, all second ones joined."""
        deepest = max((len(t.alternatives) for t in self._transcripts.values()), default=0)
        readings = (
            " ".join(
                t.alternatives[rank] if rank < len(t.alternatives) else t.text
                for t in self._transcripts.values()
            ).strip()
            for rank in range(deepest)
        )
        return tuple(reading for reading in readings if reading)

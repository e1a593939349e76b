"""The user's turn while it is being spoken: its utterances, and what was recognised of each."""

from __future__ import annotations

from warmline.interfaces.stt import Transcript
from warmline.timeline.timeline import Timeline

__all__ = ["SpokenTurn"]


class SpokenTurn:
    """A turn that is not committed yet.

    What changes here: the utterances (a pause for thought ends one and begins the next) and their
    transcripts; the timeline is the session's to record.
    """

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        self.timeline = Timeline()
        self._transcripts: dict[int, Transcript] = {}
        self._began_ms = 0
        self._speech_ms = 0

    def begin_utterance(self, utterance: int, audio_ms: int) -> None:
        """Note that speech began, or went on; `utterance` numbers rise through the session."""
        self._transcripts[utterance] = Transcript(utterance, "", is_final=False)
        self._began_ms = audio_ms

    def end_utterance(self, audio_ms: int) -> None:
        """Note where in the session's audio the utterance ended."""
        self._speech_ms += max(audio_ms - self._began_ms, 0)

    def take(self, transcript: Transcript) -> bool:
        """Take a transcript; False if it is about another turn's utterance."""
        if transcript.utterance not in self._transcripts:
            return False
        self._transcripts[transcript.utterance] = transcript
        return True

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

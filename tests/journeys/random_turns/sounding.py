"""A reply as the far end knows it: what was sent of it, and how much of that has been heard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.journeys.random_turns.far_ends import CHUNK_SAMPLES, SOUND, Chunk
from warmline.interfaces.channel import ReplyDone, UserTurn
from warmline.timeline.report import TurnReport

_BEGUN_S: Final = 0.15
"""So much of a word has to be played for it to be heard, or half of it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How many words of a reply can have been heard."""

    least: int
    most: int


@dataclass
class Reply:
    """One reply as the far end knows it."""

    reply_id: str
    item_id: str
    text: str = ""
    answers: UserTurn | None = None
    """The turn that it was begun for in the same call."""

    sound: list[tuple[Chunk, int]] = field(default_factory=list)
    """What was sent of it, and not dropped since: chunks, and how many samples."""

    samples: int = 0
    begins_s: float = 0.0
    """When the sound that is being played began; the next two say what it is."""

    from_s: float = 0.0
    plays_s: float = 0.0
    is_stopped: bool = False
    was_played: bool = False
    tells_start: bool = False
    """It goes on, and the far end will say when it does."""

    is_left_playing: bool = False
    """The client asked for another reply while it was playing."""

    whole_ms: int | None = None
    """Its length, when all of it is made."""

    whole_at_s: float = 0.0
    done: ReplyDone | None = None
    final: TurnReport | None = None
    heard: Heard | None = None
    """What the context may hold of it."""

    def position_s(self, now_s: float) -> float:
        """Return how much of it has left the loudspeaker."""
        return self.from_s + min(max(now_s - self.begins_s, 0.0), self.plays_s)

    @property
    def sent_s(self) -> float:
        return self.samples / SOUND.rate_hz

    @property
    def word_starts_s(self) -> list[float]:
        """Where its words begin in the sound that was sent."""
        starts, at = [], 0
        for chunk, samples in self.sound:
            if chunk.third == 0:
                starts.append(at / SOUND.rate_hz)
            at += samples
        return starts

    @property
    def sounded(self) -> list[str]:
        """The words of that sound."""
        return [chunk.word for chunk, _ in self.sound if chunk.third == 0]

    def words_by(self, played_s: float, *, at_most: bool = False) -> int:
        """Return how many words were heard when so much was played.

        The last word may be a short one: then half of what was sent of it is enough, `at_most`.
        """
        starts_s = self.word_starts_s
        if played_s >= self.sent_s - 1e-6 and self.samples:
            return len(starts_s)  # Nothing more was sent: the last word was cut short by the session.
        heard = 0
        for index, start_s in enumerate(starts_s):
            needed_s = _BEGUN_S
            if index + 1 < len(starts_s) or at_most:
                ends_s = starts_s[index + 1] if index + 1 < len(starts_s) else self.sent_s
                needed_s = min(needed_s, (ends_s - start_s) / 2)
            if played_s < start_s + needed_s - 1e-9 or played_s <= 0:
                break
            heard += 1
        return heard

    def send(self, chunk: Chunk, samples: int) -> str:
        """Take more sound; return what is wrong with it, or nothing."""
        self.samples += samples
        if not self.sound or self.sound[-1][0] is not chunk:
            before = self.sound[-1][1] if self.sound else CHUNK_SAMPLES
            self.sound.append((chunk, samples))
            return (
                "" if before == CHUNK_SAMPLES else f"{before} of {CHUNK_SAMPLES} samples of a chunk were sent"
            )
        self.sound[-1] = (chunk, self.sound[-1][1] + samples)
        return "" if self.sound[-1][1] <= CHUNK_SAMPLES else "sound is doubled"

    def stop(self, now_s: float) -> None:
        """Let nothing more of it sound than has until now."""
        self.from_s, self.plays_s = self.position_s(now_s), 0.0
        self.begins_s = now_s

    def rewind(self, to_s: float, now_s: float) -> None:
        """Have what lies behind `to_s` sent again."""
        kept = []
        left = round(to_s * SOUND.rate_hz)
        self.samples = 0
        for chunk, samples in self.sound:
            if left > 0:
                kept.append((chunk, min(samples, left)))
                self.samples += kept[-1][1]
            left -= samples
        self.sound = kept
        self.from_s, self.plays_s = to_s, 0.0
        self.begins_s = now_s

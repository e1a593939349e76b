"""What is being said, kept until it is recognised, for the case that a recogniser fails. No I/O."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from warmline.core.formats import PCM_16K, AudioFormat
from warmline.interfaces.stt import SttStream, Transcript

__all__ = ["SpokenAudio", "SpokenUtterance", "spliced"]

_LEAD_IN_S: Final = 0.5
"""An utterance's first sound comes before it is detected."""

_PIECE_S: Final = 0.25
"""What is sent again goes in pieces of this length."""

_MOST_UTTERANCES: Final = 4
"""That wait for their final transcripts; one whose final never comes is forgotten then."""

_SAME_WORDS: Final = 3
"""So many words that two texts share are where one goes on with the other."""


@dataclass(slots=True)
class SpokenUtterance:
    """One stretch of speech whose final transcript is still to come."""

    number: int
    lead_in: bytes
    audio_format: AudioFormat
    finished_at_s: float | None = None
    """When it was over; None while it is being spoken."""

    asked_at_s: float = 0.0
    """When its final was asked for last."""

    shown: str = ""
    """The text that was handed on last."""

    lines: int = 0
    """How many recogniser's lines were given it."""

    is_cut: bool = False
    """Its beginning was too long ago to be kept."""

    is_doubted: bool = False
    """A final without a word came for speech that was long enough for some."""

    _pieces: deque[bytes] = field(default_factory=deque)
    _size_bytes: int = 0
    _before: str = ""

    @property
    def replays(self) -> int:
        """How often it was sent again."""
        return max(self.lines - 1, 0)

    @property
    def kept_s(self) -> float:
        """How much of it is kept."""
        return self.audio_format.duration_s(self._size_bytes)

    def push(self, audio: bytes, most_bytes: int) -> None:
        """Keep more of its audio, and no more than so much."""
        self._pieces.append(audio)
        self._size_bytes += len(audio)
        while self._size_bytes > most_bytes:
            self._size_bytes -= len(self._pieces.popleft())
            self.is_cut = True

    def give(self, stream: SttStream, now_s: float) -> None:
        """Hand all of it to a recogniser."""
        self.lines += 1
        self.asked_at_s = now_s
        if self.is_cut:
            self._before = self.shown
        elif self.lead_in:
            stream.push(self.lead_in)
        stream.begin_utterance(self.number)
        audio = b"".join(self._pieces)
        size_bytes = self.audio_format.size_bytes(_PIECE_S)
        for start in range(0, len(audio), size_bytes):
            stream.push(audio[start : start + size_bytes])
        if self.finished_at_s is not None:
            stream.finish_utterance()

    def take(self, transcript: Transcript) -> Transcript | None:
        """Return what of a transcript is handed on; None if it would take words back for a moment."""
        text = spliced(self._before, transcript.text) if self._before else transcript.text
        is_behind = len(text.split()) < len(self.shown.split())
        if self.replays and is_behind and not transcript.is_final:
            return None
        self.shown = text
        if text == transcript.text:
            return transcript
        return Transcript(self.number, text, transcript.is_final)


class SpokenAudio:
    """The utterances whose finals are still to come, and the last half second before the next one.

    What changes here: all of it, in `push`, `begin`, `finish`, `settle` and `clear`.
    """

    def __init__(self, keep_s: float, audio_format: AudioFormat = PCM_16K) -> None:
        """Begin with nothing.

        Args:
            keep_s: How much of each utterance is kept; of a longer one, its end.
            audio_format: What all of it is.
        """
        self._audio_format = audio_format
        self._most_bytes = audio_format.size_bytes(keep_s)
        self._lead_in_bytes = audio_format.size_bytes(_LEAD_IN_S)
        self._lead_in = bytearray()
        self._utterances: dict[int, SpokenUtterance] = {}
        self._current: SpokenUtterance | None = None

    def __iter__(self) -> Iterator[SpokenUtterance]:
        """Return the utterances, oldest first."""
        return iter([*self._utterances.values()])

    def __bool__(self) -> bool:
        """Whether any final is still to come."""
        return bool(self._utterances)

    def push(self, audio: bytes) -> None:
        """Keep whole samples, as long as they may be needed."""
        if self._current is not None:
            self._current.push(audio, self._most_bytes)
            return
        self._lead_in += audio
        del self._lead_in[: max(len(self._lead_in) - self._lead_in_bytes, 0)]

    def begin(self, number: int) -> SpokenUtterance:
        """Begin an utterance with what came before this instant."""
        if len(self._utterances) >= _MOST_UTTERANCES:
            del self._utterances[next(iter(self._utterances))]
        spoken = SpokenUtterance(number, bytes(self._lead_in), self._audio_format)
        self._current = self._utterances[number] = spoken
        self._lead_in.clear()
        return self._current

    def finish(self, now_s: float) -> None:
        """End the utterance."""
        if self._current is not None:
            self._current.finished_at_s = self._current.asked_at_s = now_s
            self._current = None

    def get(self, number: int) -> SpokenUtterance | None:
        """Return an utterance whose final is still to come."""
        return self._utterances.get(number)

    def settle(self, number: int) -> None:
        """Forget an utterance: its final came."""
        utterance = self._utterances.pop(number, None)
        if utterance is self._current:
            self._current = None

    def clear(self) -> None:
        """Forget all utterances: nobody wants their finals."""
        self._utterances.clear()
        self._current = None

    def give(self, stream: SttStream, now_s: float) -> None:
        """Hand everything to a recogniser that has had nothing of it yet."""
        for utterance in self:
            utterance.give(stream, now_s)
        if self._current is None and self._lead_in:
            stream.push(bytes(self._lead_in))


def spliced(before: str, after: str) -> str:
    """Return a text of which one recogniser understood the beginning and another the end.

    They are joined at the longest run of words that both have; a short one is chance.

    Args:
        before: As far as it goes.
        after: From somewhere in the middle on.
    """
    first, second = before.split(), after.split()
    match = difflib.SequenceMatcher(
        None, [word.casefold() for word in first], [word.casefold() for word in second], autojunk=False
    ).find_longest_match()
    if match.size < _SAME_WORDS:
        return " ".join([*first, *second])
    return " ".join([*first[: match.a], *second[match.b :]])

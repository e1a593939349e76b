"""From pieces of audio and alignment to the chunks of a reply. No I/O."""

from __future__ import annotations

from warmline.core.formats import AudioFormat
from warmline.interfaces.tts import SpeechChunk, SpokenWord
from warmline.providers.elevenlabs.protocol import Alignment

__all__ = ["AlignedSpeech"]

_LOOK_AHEAD: int = 60
"""Characters within which the alignment is found again where it does not spell what was sent."""


class AlignedSpeech:
    """One reply's audio, and which of its words have begun.

    The alignment spells the text that was sent; it is followed character by character, so that it
    does not matter where pieces are cut, nor which blanks were added on the way.

    What changes here: the text, in `given`; the rest in `take`.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self.text = ""
        """What was given to be said so far."""

        self._audio_format = audio_format
        self._odd = b""
        self._followed = 0
        self._size_bytes = 0
        self._words: list[SpokenWord] = []

    @property
    def is_owed(self) -> bool:
        """Whether some of the text has not been spoken yet, as far as the alignment tells."""
        return bool(self.text[self._followed :].strip())

    @property
    def has_sounded(self) -> bool:
        """Whether any audio came."""
        return self._size_bytes > 0

    def given(self, text: str) -> None:
        """Note more text."""
        self.text += text

    def take(self, audio: bytes, alignment: Alignment | None) -> SpeechChunk:
        """Return the next chunk, cut at whole samples; its audio may be empty."""
        offset_ms = self._audio_format.duration_s(self._size_bytes) * 1000
        words = self._follow(alignment, offset_ms) if alignment is not None else ()
        audio = self._odd + audio
        whole = len(audio) - len(audio) % self._audio_format.encoding.sample_bytes
        audio, self._odd = audio[:whole], audio[whole:]
        self._size_bytes += len(audio)
        self._words += words
        return SpeechChunk(audio, words)

    def unspoken(self) -> tuple[int, int]:
        """Return where the text begins that was not spoken, and the milliseconds of audio before it.

        A word that has begun counts as spoken.
        """
        said_ms = round(self._audio_format.duration_s(self._size_bytes) * 1000)
        begun = [word.text_end for word in self._words if word.start_ms < said_ms]
        return (max(begun) if begun else 0), said_ms

    def _follow(self, alignment: Alignment, offset_ms: float) -> tuple[SpokenWord, ...]:
        words = []
        for character, start_ms in zip(alignment.characters, alignment.start_ms, strict=True):
            if not character.strip():
                continue
            place = self._place(character)
            if place is None:
                continue
            if place == 0 or self.text[place - 1].isspace():
                end = place + len(self.text[place:].split(None, 1)[0])
                words.append(SpokenWord(place, end, max(round(offset_ms + start_ms), 0)))
            self._followed = place + 1
        return tuple(words)

    def _place(self, character: str) -> int | None:
        """Return where the next character of the text is that reads so; None if none near does."""
        place = self._followed
        while place < len(self.text) and self.text[place].isspace():
            place += 1
        if self.text[place : place + 1] == character:
            return place
        near = self.text.find(f" {character}", place, place + _LOOK_AHEAD)
        return near + 1 if near >= 0 else None

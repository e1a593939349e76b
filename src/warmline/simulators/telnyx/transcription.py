"""What Telnyx writes down of a person's words while they speak."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from warmline.audio.conversion import Pcm16kDecoder
from warmline.core.formats import AudioFormat, Encoding
from warmline.simulators.script import Script
from warmline.simulators.speech import Speech
from warmline.simulators.telephone.caller import Utterance
from warmline.simulators.telephone.codec import FRAME_S, RATE_HZ
from warmline.simulators.telephone.steps import Say
from warmline.simulators.telnyx.announcements import Tell

__all__ = ["Transcription", "words_within"]

_FINAL_S: Final = 0.3
"""From the end of speech until its words are final."""

_INTERIM_S: Final = 0.3
"""The least time from one interim result to the next."""

_CONFIDENCE: Final = 0.95
"""What is told with every result; nothing here has doubts."""

_LINE: Final = AudioFormat(Encoding.PCM16, RATE_HZ)


class Transcription:
    """One transcription of a leg's person. Implements `warmline.simulators.telephone.phone.Media`.

    It ends when the telephone has it carry no more. What recordings say is known when `understand` has
    got so far; a result that waits for that is told late, and none is told where nothing was understood.

    What changes here: how many utterances were told to their end, and what of the next one, in `carry`.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        sayings: Sequence[tuple[Say, bytes]],
        *,
        from_s: float,
        tell: Tell,
        has_interim_results: bool,
    ) -> None:
        """Prepare.

        Args:
            utterances: What the person has said so far; grows while they speak.
            sayings: All that the person is going to say, in that order, with what it sounds like: pcm16
                at 8 kHz.
            from_s: Since when it listens, in seconds since the call was answered; words that begin before
                that are missed.
            tell: Tells the server.
            has_interim_results: Whether to tell of words that are not final.
        """
        self._utterances = utterances
        self._sayings = sayings
        self._from_s = from_s
        self._now_s = from_s
        self._tell = tell
        self._has_interim_results = has_interim_results
        self._done = sum(utterance.ended_s <= from_s for utterance in utterances)
        self._texts: dict[Say, str] = {}
        self._told = ""
        """Of the utterance in progress."""

        self._told_at_s = -math.inf

    async def understand(self, speech: Speech, script: Script) -> None:
        """Find out what is said: what a script says, or a step's text, or else what is recognised.

        Raises:
            ProviderUnavailable: the recogniser failed.
        """
        for saying, pcm in self._sayings[self._done :]:
            text = script.transcript or saying.text
            if not text and saying not in self._texts:
                text = await speech.transcribed(_pcm16k(pcm))
            self._texts.setdefault(saying, text)

    async def carry(self, spoken: bytes, heard: bytes) -> None:
        """Listen to 20 ms, and tell what is to be told by now."""
        self._now_s += FRAME_S
        if self._done == len(self._utterances):
            return
        utterance = self._utterances[self._done]
        text = self._texts.get(self._sayings[self._done][0])
        if text is None:
            return
        if self._now_s >= utterance.ended_s + _FINAL_S:
            self._tell_words(words_within(text, utterance, self._from_s, math.inf), is_final=True)
            self._done, self._told, self._told_at_s = self._done + 1, "", -math.inf
        elif self._has_interim_results and self._now_s - self._told_at_s >= _INTERIM_S:
            words = words_within(text, utterance, self._from_s, self._now_s)
            if words != self._told:
                self._tell_words(words, is_final=False)
                self._told, self._told_at_s = words, self._now_s

    async def press(self, digit: str) -> None:
        """Take a key, which is no word."""

    async def reach(self, mark: str) -> None:
        """Take a mark, which is another stream's."""

    def _tell_words(self, words: str, *, is_final: bool) -> None:
        if words:
            data: dict[str, Any] = {"transcript": words, "is_final": is_final, "confidence": _CONFIDENCE}
            self._tell("call.transcription", {"transcription_data": data})


def words_within(text: str, utterance: Utterance, from_s: float, until_s: float) -> str:
    """Return the words that were begun and ended between two instants, all words taken for equally long."""
    words = text.split()
    word_s = (utterance.ended_s - utterance.began_s) / max(len(words), 1)
    return " ".join(
        word
        for number, word in enumerate(words)
        if utterance.began_s + number * word_s >= from_s
        and utterance.began_s + (number + 1) * word_s <= until_s
    )


def _pcm16k(pcm: bytes) -> bytes:
    decoder = Pcm16kDecoder(_LINE)
    return decoder.convert(pcm) + decoder.flush()

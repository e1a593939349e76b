"""Which part of a text was heard, when its playout stopped before the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

__all__ = ["RECOGNISED_MS", "TimedWord", "heard_text"]

RECOGNISED_MS: Final = 150
"""A word is taken as heard once so much of it was played, even if it is longer: half of an average
word at 200 words a minute. It also keeps a pause after the word from being counted as the word."""


class TimedWord(Protocol):
    """Where a word lies in the text and in the audio; `interfaces.tts.SpokenWord` is one."""

    @property
    def text_start(self) -> int:
        """Index of its first character."""
        ...

    @property
    def text_end(self) -> int:
        """Index past its last character."""
        ...

    @property
    def start_ms(self) -> int:
        """When it starts, in milliseconds of the text's audio."""
        ...


def heard_text(text: str, words: Sequence[TimedWord], heard_ms: float) -> str:
    """Return the beginning of `text` that was heard in the first `heard_ms` of its audio.

    A word was heard if half of the time until the next one begins was played, or
    `RECOGNISED_MS` of it if that is less. The result ends with the last word heard and the
    punctuation that clings to it; if every word was heard it is the whole text.

    Args:
        text: What was given to be spoken.
        words: Its words in the order they are spoken; with none, nothing is known to be heard.
        heard_ms: Audio played; 0 or less for none.
    """
    heard = 0
    for index, word in enumerate(words):
        needed_ms = float(RECOGNISED_MS)
        if index + 1 < len(words):
            needed_ms = min(needed_ms, (words[index + 1].start_ms - word.start_ms) / 2)
        if heard_ms <= 0 or heard_ms < word.start_ms + needed_ms:
            break
        heard = index + 1
    if heard == 0:
        return ""
    if heard == len(words):
        return text
    end = words[heard - 1].text_end
    limit = words[heard].text_start
    while end < limit and not (text[end].isalnum() or text[end].isspace()):
        end += 1
    return text[:end]

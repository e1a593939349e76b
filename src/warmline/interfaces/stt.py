"""Speech to text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from warmline.core.line_use import OnLine
from warmline.errors import ProviderError

__all__ = ["OnSttFailure", "OnTranscript", "SpeechToText", "SttStream", "Transcript"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was recognised of one utterance so far, whole; a later one replaces an earlier one."""

    utterance: int
    """The number given to `SttStream.begin_utterance`."""

    text: str
    """The best reading; lower case or not, as the provider writes it; may be empty."""

    is_final: bool
    """It will not change any more."""

    alternatives: tuple[str, ...] = ()
    """Other readings, best first, without `text` itself; retrieval may use them."""


OnTranscript = Callable[[Transcript], None]
"""Called on the event loop."""

OnSttFailure = Callable[[ProviderError], None]
"""Called on the event loop, at most once; the stream gives nothing more after it."""


class SttStream(Protocol):
    """One session's line to the recogniser, open as long as the session."""

    def push(self, pcm: bytes) -> None:
        """Hand over 16 kHz pcm16, all of it, speech or not; never blocks.

        The stream itself keeps the last 500 ms, so that an utterance's first sound is not lost
        by the time it is detected.
        """
        ...

    def begin_utterance(self, utterance: int) -> None:
        """Say that speech was detected; recognition starts a little before this instant."""
        ...

    def finish_utterance(self) -> None:
        """Ask for the final transcript of the utterance begun last.

        Exactly one final follows each `begin_utterance` (empty if nothing was understood), or
        `on_failure`.
        """
        ...

    def discard_utterance(self) -> None:
        """Drop the utterance begun last; no final follows."""
        ...

    async def aclose(self) -> None:
        """Give the line back; no callback comes after this returns."""
        ...


class SpeechToText(Protocol):
    """A recogniser that serves many sessions."""

    async def open(
        self, on_transcript: OnTranscript, on_failure: OnSttFailure, on_line: OnLine | None = None
    ) -> SttStream:
        """Return a line for one session.

        Args:
            on_transcript: Told of each transcript.
            on_failure: Told at most once; nothing comes after it.
            on_line: Told of the connection that is used, if there is one.

        Raises:
            ProviderUnavailable: none could be had.
        """
        ...

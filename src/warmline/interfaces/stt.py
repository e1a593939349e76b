"""Speech to text."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.line_use import OnLine
from warmline.errors import ProviderError

__all__ = [
    "OnSttFailure",
    "OnTranscript",
    "OnTurnHint",
    "SpeechToText",
    "SttStream",
    "Transcript",
    "TurnHint",
    "TurnHintKind",
]


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


class TurnHintKind(enum.Enum):
    """What a recogniser says of a turn, from the words and from how they are spoken."""

    EAGER_END = "eager_end"
    """It may be over: worth a guess, which stands until RESUMED."""

    RESUMED = "resumed"
    """It is not over: more is being said. Only after EAGER_END or END; a guess is to be dropped."""

    END = "end"
    """It is over. Where the stream `ends_turns`, the utterance is over with it."""


@dataclass(frozen=True, slots=True)
class TurnHint:
    """What a recogniser thinks of the turn in progress."""

    kind: TurnHintKind
    utterance: int
    """The number given to `SttStream.begin_utterance`; of the utterance in progress, or just ended by END."""

    text: str
    """The utterance's words so far, as the transcript told last has them."""

    confidence: float | None = None
    """How sure the recogniser is that the turn is over, 0..1; None if it does not say."""


OnTranscript = Callable[[Transcript], None]
"""Called on the event loop."""

OnTurnHint = Callable[[TurnHint], None]
"""Called on the event loop, right after the transcript that the hint is about was told."""

OnSttFailure = Callable[[ProviderError], None]
"""Called on the event loop, at most once; the stream gives nothing more after it."""


class SttStream(Protocol):
    """One session's line to the recogniser, open as long as the session."""

    @property
    def ends_turns(self) -> bool:
        """Whether the recogniser itself decides when a turn is over, and ends the utterance with it.

        If so, an utterance may span pauses, and nobody need ask for its final: it is told when the
        turn is over, followed by `TurnHintKind.END` in the same call. What is said after that needs
        `begin_utterance`, which may be called from within `on_hint`, and then no word of it is lost.
        `finish_utterance` may still end an utterance earlier; no END follows then. None comes where
        nothing was understood, either, so a session needs its own end for that.

        If not, hints are only told, END too, and an utterance goes on until `finish_utterance`.
        """
        ...

    def push(self, audio: bytes) -> None:
        """Hand over whole samples in the stream's format, all of it, speech or not; never blocks.

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
        `on_failure`. No hint of the utterance comes after this.
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
        self,
        on_transcript: OnTranscript,
        on_failure: OnSttFailure,
        on_line: OnLine | None = None,
        audio_format: AudioFormat = PCM_16K,
        *,
        on_hint: OnTurnHint | None = None,
    ) -> SttStream:
        """Return a line for one session.

        Args:
            on_transcript: Told of each transcript.
            on_failure: Told at most once; nothing comes after it.
            on_line: Told of the connection that is used, if there is one.
            audio_format: What it will be given: the channel's own, which goes on to the provider as it is
                wherever the provider takes it.
            on_hint: Told what the recogniser thinks of the turn; many never say. Without it, a stream
                ends no turn by itself.

        Raises:
            ProviderUnavailable: none could be had.
        """
        ...

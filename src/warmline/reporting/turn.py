"""A turn as a report needs it, wherever it was kept: figures and decisions, nothing that was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from warmline.timeline.contributions import SPANS, Contribution, contributions, origin
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

__all__ = ["ReportedDraft", "ReportedLine", "ReportedNote", "ReportedSetback", "ReportedTurn", "Retrieval"]


@dataclass(frozen=True, slots=True)
class ReportedNote:
    """One decision or event of a turn."""

    kind: str
    """A `NoteKind`'s value, or a word of the log's pattern file."""

    at_ms: float
    """From the turn's origin."""

    text: str = ""
    """For people; holds nothing that was said."""


@dataclass(frozen=True, slots=True)
class ReportedSetback:
    """A provider's failure, and what was done about it; the words are those of `core.setback`."""

    role: str
    leg: str
    kind: str
    remedy: str
    taken_by: str = ""
    lost_ms: float = 0.0
    at_ms: float | None = None
    """When it was known, from the turn's origin; None where the source does not tell."""


@dataclass(frozen=True, slots=True)
class ReportedLine:
    """A connection that the turn's work was given."""

    endpoint: str
    waited_ms: float
    """From asking for one to holding one."""

    is_cold: bool = True
    """None stood ready: it was opened for the work, or waited for."""

    age_ms: float = 0.0
    """How long it had been open."""

    region: str = ""
    """The host that it leads to, where that is known."""


@dataclass(frozen=True, slots=True)
class ReportedDraft:
    """A guess that the turn was over."""

    trigger: str
    outcome: str
    """The event that ended it, in the words of `turns.draft`."""

    begun_ms: float
    """From the turn's origin, as the next."""

    ended_ms: float
    prompt_tokens: int = 0
    """What it cost for nothing, as the next two; 0 for the one that was right."""

    tokens: int = 0
    characters: int = 0


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One retrieval that was run."""

    ended_ms: float
    """From the turn's origin."""

    took_ms: float


@dataclass(frozen=True, slots=True)
class ReportedTurn:
    """One turn. What its source does not tell is None or empty."""

    number: int
    """Counts the call's turns from 1."""

    call: str = ""
    """The session's or the call's id."""

    at_s: float | None = None
    """The turn's origin: seconds since 1970; of a log without dates, since its first midnight."""

    marks_ms: Mapping[Mark, float] = field(default_factory=dict)
    """Milliseconds from the turn's origin, which for speech is its end."""

    status: TurnStatus | None = None
    playout: PlayoutTruth | None = None
    notes: tuple[ReportedNote, ...] = ()
    stated_ms: tuple[tuple[str, float], ...] = ()
    """Spans that the source worked out by itself, by its own names."""

    retrievals: tuple[Retrieval, ...] = ()
    """All that were run, where the source tells of each."""

    passages: int | None = None
    """How many were found for the answer."""

    drafts_begun: int = 0
    drafts_dropped: int = 0
    setbacks: tuple[ReportedSetback, ...] = ()
    drafts: tuple[ReportedDraft, ...] = ()
    """Each of them, where the source tells of each."""

    debounce_ms: int | None = None
    """How long a pause had to be before a draft was begun."""

    lines: tuple[ReportedLine, ...] = ()
    underruns: int = 0
    underrun_ms: float = 0.0
    heard_share: float | None = None
    """Of the reply's characters, 0 to 1; None if there was no reply."""

    loop_lag_ms: float = 0.0
    """The latest that the event loop was during the turn."""

    collector_ms: float = 0.0
    """What the garbage collector stopped the process for during the turn, in all."""

    facts: Mapping[str, str] = field(default_factory=dict)
    """What the turn was held with, such as `llm`, `tts`, `channel`."""

    @property
    def is_asked(self) -> bool:
        """Whether somebody spoke or typed; a greeting is a turn as well, and nobody waited for it."""
        return Mark.SPEECH_ENDED in self.marks_ms or Mark.TEXT_RECEIVED in self.marks_ms

    @property
    def waits(self) -> tuple[ReportedLine, ...]:
        """The connections that did not stand ready."""
        return tuple(line for line in self.lines if line.is_cold)

    @property
    def wasted_tokens(self) -> int:
        """What drafts that were dropped had the model read and write."""
        return sum(draft.prompt_tokens + draft.tokens for draft in self.drafts)

    @property
    def response_ms(self) -> float | None:
        """From the origin to the first audio played; None if none was, or the origin is not known."""
        zero_ms, played_ms = origin(self.marks_ms), self.marks_ms.get(Mark.AUDIO_PLAYED)
        return None if zero_ms is None or played_ms is None else played_ms - zero_ms

    @property
    def has_retrieval(self) -> bool:
        """Whether passages went into the answer; where their number is not known, whether any came."""
        if self.passages is not None:
            return self.passages > 0
        return Mark.RETRIEVAL_DONE in self.marks_ms

    @property
    def contributions(self) -> tuple[Contribution, ...]:
        """What the response time was made of.

        Passages that came after the model was asked delayed nobody, and are not on the way.
        """
        marks_us = {mark: round(at_ms * 1000) for mark, at_ms in self.marks_ms.items()}
        asked_us = marks_us.get(Mark.LLM_STARTED)
        if asked_us is not None and marks_us.get(Mark.RETRIEVAL_DONE, asked_us) > asked_us:
            del marks_us[Mark.RETRIEVAL_DONE]
        return contributions(marks_us)

    @property
    def spans_ms(self) -> Mapping[str, float]:
        """How long each stage took; negative where the source's marks contradict each other."""
        marks = self.marks_ms
        return {
            name: marks[last] - marks[first]
            for name, (first, last) in SPANS.items()
            if first in marks and last in marks
        }

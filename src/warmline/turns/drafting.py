"""When to begin a draft: decided from what is known in the pause; pure.

The session asks whenever something becomes known, and again when the time it was told to wait is
over. It need not ask while a draft for the same words is under way.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from warmline.turns.debounce import DebouncePolicy
from warmline.turns.endings import Ending, ending_of
from warmline.turns.fit import word_count

__all__ = [
    "ENDING_MS",
    "DraftAction",
    "DraftDecision",
    "DraftReason",
    "DraftTrigger",
    "DraftingPolicy",
    "Pause",
    "Spent",
    "decide_draft",
    "to_table",
]


class DraftTrigger(enum.Enum):
    """What raises the question."""

    PARTIAL = "partial"
    """The recogniser's words so far, which stand."""

    FINAL = "final"
    """The recogniser will not change them any more."""

    EAGER_END = "eager end"
    """The provider takes the turn for over, and may take that back."""


ENDING_MS: Final[Mapping[Ending, int]] = MappingProxyType({
    Ending.QUESTION: -150,
    Ending.SENTENCE: -100,
    Ending.OPEN: 0,
    Ending.COMMA: 150,
    Ending.TRAILING_OFF: 200,
    Ending.PREPOSITION: 250,
    Ending.CONJUNCTION: 300,
    Ending.HESITATION: 300,
    Ending.ARTICLE: 300,
})
"""How much longer to wait for what the text ends in."""


@dataclass(frozen=True, slots=True)
class DraftingPolicy:
    """The figures, all of which are settings."""

    debounce: DebouncePolicy = field(default_factory=DebouncePolicy)
    ending_ms: Mapping[Ending, int] = field(default_factory=lambda: ENDING_MS)
    sure_from: float = 0.8
    """Confidence of the provider that the turn is over from which less is waited; Deepgram's Flux ends
    a turn at 0.7 by itself, and gives eager ends from 0.3 on."""

    sure_ms: int = -100
    doubtful_below: float = 0.35
    doubtful_ms: int = 150

    least_words: int = 2
    """A partial of fewer says too little; of a final or an eager end, one word is enough: "Yes."."""

    drafts_per_turn: int = 3
    """Somebody who has gone on three times will again."""

    wasted_tokens_per_minute: int = 10_000
    """Of dropped drafts; three long prompts with passages, or ten short ones."""


@dataclass(frozen=True, slots=True)
class Pause:
    """What is known of the user's turn now."""

    trigger: DraftTrigger
    text: str
    """The turn's words so far."""

    silence_ms: int
    """How long nobody has spoken; 0 while somebody does."""

    unchanged_ms: int
    """How long ago the partial became what it is, or the final or the eager end came in."""

    confidence: float | None = None
    """How sure the provider is that the turn is over, 0..1; None if it does not say."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What drafts have cost already."""

    drafts_this_turn: int = 0
    wasted_tokens_last_minute: int = 0


class DraftAction(enum.Enum):
    """What to do."""

    BEGIN = "begin"
    WAIT = "wait"
    """And ask again after `wait_ms`, unless something else becomes known."""

    SKIP = "skip"
    """Not for what is known now."""


class DraftReason(enum.Enum):
    """Why."""

    STOOD_LONG_ENOUGH = "stood long enough"
    NOT_LONG_ENOUGH = "not long enough"
    TOO_FEW_WORDS = "too few words"
    TOO_MANY_DRAFTS = "too many drafts"
    TOO_MUCH_WASTED = "too much wasted"


@dataclass(frozen=True, slots=True)
class DraftDecision:
    """What to do and why; the words of the user are not in it."""

    action: DraftAction
    reason: DraftReason
    text: str
    """For people: `partial stood 410 of 700 ms: debounce 400, a conjunction at its end +300`."""

    wait_ms: int = 0
    """For WAIT: at least 1."""


def decide_draft(
    pause: Pause, spent: Spent, debounce_ms: int, policy: DraftingPolicy, language: str = "en"
) -> DraftDecision:
    """Return whether to begin a draft for the words of `pause`.

    A partial waits the whole debounce, counted from the end of speech or from its last change,
    whichever is later. A final or an eager end says more than silence does: it waits only for what
    was learned beyond the default debounce, counted from its arrival.
    """
    refusal = _refusal(pause, spent, policy, language)
    if refusal is not None:
        return refusal
    if pause.trigger is DraftTrigger.PARTIAL:
        stood_ms = min(pause.silence_ms, pause.unchanged_ms)
        parts = [("debounce", debounce_ms)]
    else:
        stood_ms = pause.unchanged_ms
        parts = [("debounce beyond the default", max(debounce_ms - policy.debounce.default_ms, 0))]
    ending = ending_of(pause.text, language)
    parts.append((f"{ending.value} at its end", policy.ending_ms[ending]))
    if pause.confidence is not None:
        parts.append((f"confidence {pause.confidence:.2f}", _confidence_ms(pause.confidence, policy)))
    needed_ms = max(sum(part_ms for _, part_ms in parts), 0)
    (name, first_ms), *others = parts
    why = ", ".join([f"{name} {first_ms}", *(f"{name} {part_ms:+d}" for name, part_ms in others if part_ms)])
    text = f"{pause.trigger.value} stood {stood_ms} of {needed_ms} ms: {why}"
    if stood_ms >= needed_ms:
        return DraftDecision(DraftAction.BEGIN, DraftReason.STOOD_LONG_ENOUGH, text)
    return DraftDecision(DraftAction.WAIT, DraftReason.NOT_LONG_ENOUGH, text, needed_ms - stood_ms)


def _refusal(pause: Pause, spent: Spent, policy: DraftingPolicy, language: str) -> DraftDecision | None:
    """Return why there will be no draft however long is waited, if so."""
    words = word_count(pause.text, language)
    least = policy.least_words if pause.trigger is DraftTrigger.PARTIAL else 1
    if words < least:
        return _skip(DraftReason.TOO_FEW_WORDS, f"{pause.trigger.value} has {words} of {least} words")
    if spent.drafts_this_turn >= policy.drafts_per_turn:
        return _skip(
            DraftReason.TOO_MANY_DRAFTS,
            f"{spent.drafts_this_turn} drafts this turn, the limit is {policy.drafts_per_turn}",
        )
    if spent.wasted_tokens_last_minute >= policy.wasted_tokens_per_minute:
        return _skip(
            DraftReason.TOO_MUCH_WASTED,
            f"{spent.wasted_tokens_last_minute} tokens wasted in the last minute, "
            f"the limit is {policy.wasted_tokens_per_minute}",
        )
    return None


def _skip(reason: DraftReason, text: str) -> DraftDecision:
    return DraftDecision(DraftAction.SKIP, reason, text)


def _confidence_ms(confidence: float, policy: DraftingPolicy) -> int:
    if confidence >= policy.sure_from:
        return policy.sure_ms
    return policy.doubtful_ms if confidence < policy.doubtful_below else 0


def to_table(policy: DraftingPolicy) -> str:
    """Return what moves the wait as the Markdown table that docs/concepts/turns.md shows."""
    rows = [
        (f"the words end in {ending.value}", added_ms)
        for ending, added_ms in policy.ending_ms.items()
        if added_ms
    ]
    rows += [
        (f"the provider is sure that the turn is over: {policy.sure_from:g} and more", policy.sure_ms),
        (f"the provider doubts it: less than {policy.doubtful_below:g}", policy.doubtful_ms),
    ]
    return "\n".join([
        "| what shows | changes the wait by |",
        "|---|---|",
        *(f"| {shown} | {added_ms:+d} ms |" for shown, added_ms in rows),
        "",
    ])

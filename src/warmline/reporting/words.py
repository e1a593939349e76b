"""The words of reports: what measures and goals are to a person, and figures as text."""

from __future__ import annotations

from typing import Final

from warmline.reporting.comparison import Change, Comparison
from warmline.reporting.goals import CANCELLATION, Goal, GoalResult, Verdict
from warmline.reporting.measures import (
    RESPONSE,
    RESPONSE_SIMPLE,
    RESPONSE_WITH_RETRIEVAL,
    SPEECH_TO_MODEL,
    span_measure,
    stage_measure,
)
from warmline.reporting.samples import Interval

__all__ = [
    "CHANGE_WORDS",
    "MEASURE_WORDS",
    "STAGE_WORDS",
    "VERDICT_WORDS",
    "change_words",
    "clean",
    "counted",
    "goal_limit",
    "goal_value",
    "goal_words",
    "group_words",
    "ms_range",
    "ms_words",
    "percent",
]

_MINUS: Final = "\N{MINUS SIGN}"

STAGE_WORDS: Final = {
    "endpointing": "Making sure you had finished",
    "transcription": "Writing down the last words",
    "commit": "Ending the turn",
    "retrieval": "Finding passages",
    "prompt": "Asking the model",
    "model": "Thinking of the first words",
    "clause": "Completing the first clause",
    "dispatch": "Asking the voice",
    "voice": "Making the first sound",
    "send": "Sending it",
    "delivery": "Until it was heard",
}
"""What each contribution is to a person."""

MEASURE_WORDS: Final = {
    RESPONSE: "Response time",
    RESPONSE_SIMPLE: "Response, simple turn",
    RESPONSE_WITH_RETRIEVAL: "Response, with retrieval",
    SPEECH_TO_MODEL: "End of turn to model",
    **{stage_measure(name): words for name, words in STAGE_WORDS.items()},
    span_measure("endpointing"): "Endpointing",
    span_measure("transcription"): "Transcription",
    span_measure("retrieval"): "Retrieval",
    span_measure("model_first_text"): "Model's first text",
    span_measure("model"): "Model, all of it",
    span_measure("first_clause"): "First text to first clause",
    span_measure("voice_first_audio"): "Voice's first audio",
    span_measure("voice"): "Voice, all of it",
    span_measure("delivery"): "Delivery",
}

VERDICT_WORDS: Final = {
    Verdict.MET: "met",
    Verdict.BROKEN: "broken",
    Verdict.TOO_FEW: "too few to judge",
    Verdict.NO_DATA: "no data",
}

CHANGE_WORDS: Final = {
    Change.FASTER: "faster",
    Change.SLOWER: "slower",
    Change.NONE: "within chance",
    Change.TOO_FEW: "too few to judge",
}


def group_words(measure: str) -> str:
    """Return the heading above a measure in a table; empty for those that stand at the top."""
    return {
        "stage": "What was waited for (contributions)",
        "span": "How long each stage took (spans)",
    }.get(measure.partition(".")[0], "")


def ms_words(ms: float | None) -> str:
    """Return milliseconds for people; below ten with a decimal."""
    if ms is None:
        return "–"
    return f"{ms:,.1f} ms" if 0 < abs(ms) < 10 and ms != round(ms) else f"{ms:,.0f} ms"


def ms_range(found: Interval | None) -> str:
    """Return a range of milliseconds."""
    if found is None:
        return "–"
    low, high = f"{found.low:,.0f}", f"{found.high:,.0f}"
    return f"{low} ms" if low == high else f"{low} to {high} ms" if found.low < 0 else f"{low}–{high} ms"


def percent(share: float | None, *, signed: bool = False) -> str:
    """Return a share in percent."""
    if share is None:
        return "–"
    if signed and round(share * 100):
        return f"{share * 100:+,.0f} %".replace("-", _MINUS)
    return f"{abs(share * 100) if signed else share * 100:,.0f} %"


def counted(count: int, noun: str) -> str:
    """Return a number of things."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def change_words(comparison: Comparison) -> str:
    """Return the change of the median with its 95 % interval; of too few, the range from pair to pair."""
    shown = comparison.relative_interval
    if comparison.change is Change.TOO_FEW:
        shown = comparison.relative_range
    if shown is None or comparison.relative is None:
        return ms_range(comparison.difference_ms)
    low, high = percent(shown.low, signed=True), percent(shown.high, signed=True)
    if comparison.change is Change.TOO_FEW:
        return low if low == high else f"{high} to {low}" if shown.high < 0 else f"{low} to {high}"
    return f"{percent(comparison.relative, signed=True)} ({low} to {high})"


def goal_words(goal: Goal) -> str:
    """Return what a goal is about."""
    return "Cancellation rate" if goal.measure == CANCELLATION else MEASURE_WORDS[goal.measure]


def goal_limit(goal: Goal) -> str:
    """Return what a goal asks for."""
    if goal.measure == CANCELLATION:
        return f"{goal.at_least * 100:.0f}–{percent(goal.at_most)}"
    return f"p{goal.share * 100:.0f} within {goal.at_most:,.0f} ms"


def goal_value(result: GoalResult) -> str:
    """Return what was measured."""
    return percent(result.value) if result.goal.measure == CANCELLATION else ms_words(result.value)


def clean(text: str) -> str:
    """Return text without control characters, which a log may hold and no page or terminal is to be given."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")

"""Whether what a user says while the agent speaks asks for the floor; pure.

People say "mhm" and "right" to show that they listen (linguists call it a backchannel), and cough.
None of it should silence the agent. "Stop", "no" and any question should, at once.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import Final

import regex

from warmline.turns.acts import PHRASES, Act
from warmline.turns.fit import normalised

__all__ = ["FloorClaim", "FloorDecision", "FloorPolicy", "FloorReason", "takes_floor"]


class FloorClaim(enum.Enum):
    """What the agent should do."""

    TAKE = "take"
    """Stop: the floor is the user's."""

    KEEP = "keep"
    """Go on speaking."""

    UNDECIDED = "undecided"
    """Ask again when there are more words, or when more time has passed."""


class FloorReason(enum.Enum):
    """Why."""

    REQUEST = "more than an acknowledgement"
    ANSWER = "answer to the agent's question"
    LONG_SPEECH = "long speech"
    """Too long for a cough or an acknowledgement, whatever was recognised of it by now."""

    ACKNOWLEDGEMENT = "acknowledgement"
    NOTHING_RECOGNISED = "nothing recognised"
    """Noise, a cough, somebody else's voice: a false interruption."""

    TOO_EARLY = "too early"


@dataclass(frozen=True, slots=True)
class FloorDecision:
    """What to do and why; the words of the user are not in it."""

    claim: FloorClaim
    reason: FloorReason
    ask_again_ms: int | None = None
    """For UNDECIDED: the length of speech at which it will be decided even without more words."""


@dataclass(frozen=True, slots=True)
class FloorPolicy:
    """The figures, all of which are settings."""

    wordless_ms: int = 1000
    """Speech that goes on for so long takes the floor before a word of it is recognised: coughs are
    shorter, and a recogniser that gives no partials must not make the agent deaf."""

    acknowledged_ms: int = 1800
    """Speech so long is more than its "okay" that is recognised so far; "yeah, yeah, I see" takes 1.5 s."""

    keeps: frozenset[str] = frozenset()
    """Further acknowledgements, in lower case and without punctuation."""


_UNIVERSAL: Final = frozenset({"mhm", "mm hmm", "uh huh", "aha", "okay", "ok"})
"""Understood nearly everywhere."""

_AGREEMENT: Final = {
    "en": _UNIVERSAL.union(
        PHRASES[Act.OKAY],
        "yes, yeah, yep, yup, ya, sure, of course, certainly, definitely, absolutely, correct, exactly, "
        "true, that's right, that's true, that's correct, sure thing, i know, you're right, i agree".split(
            ", "
        ),
    )
}
"""Said in agreement; to a question, an answer."""

_ATTENTION: Final = {
    "en": frozenset(
        "hm, hmm, mm, ah, oh, wow, um, uh, go on, go ahead, continue, keep going, carry on".split(", ")
    )
}
"""Said to show that one listens; no answer to anything."""

_QUESTION: Final = regex.compile(r"[?？؟⸮՞፧]")


def takes_floor(
    words: str,
    *,
    is_final: bool,
    speech_ms: int,
    agent_asked_question: bool,
    policy: FloorPolicy,
    language: str = "en",
) -> FloorDecision:
    """Return whether the user, who speaks while the agent does, takes the floor.

    To be asked when speech is detected, with each transcript of it, and at `ask_again_ms`. A KEEP
    for the final after a TAKE says that it was a false interruption: the reply may be taken up again.

    Args:
        words: What was recognised of this speech so far.
        is_final: Whether that will not change any more.
        speech_ms: How long the user has spoken, or did speak.
        agent_asked_question: Whether the last sentence that the user heard was a question: then "yes"
            is an answer.
        policy: The figures.
        language: ISO 639-1, with a region or not. Where there is no list of acknowledgements, only
            those understood nearly everywhere do not take the floor.
    """
    # Without a language, nothing is set aside as a hesitation: "uh huh" is said on purpose.
    said = tuple(normalised(words, language="").split())
    code = language.partition("-")[0]
    agreement = _as_words(_AGREEMENT.get(code, _UNIVERSAL) | policy.keeps)
    attention = _as_words(_ATTENTION.get(code, frozenset()))
    if not said:
        if is_final:
            return FloorDecision(FloorClaim.KEEP, FloorReason.NOTHING_RECOGNISED)
        return _by_length(speech_ms, policy.wordless_ms)
    rest = _rest(said, agreement | attention)
    if not rest and agent_asked_question and _rest(said, attention):
        return FloorDecision(FloorClaim.TAKE, FloorReason.ANSWER)
    if is_final:
        if rest or _QUESTION.search(words):
            return FloorDecision(FloorClaim.TAKE, FloorReason.REQUEST)
        return FloorDecision(FloorClaim.KEEP, FloorReason.ACKNOWLEDGEMENT)
    if not rest or any(phrase[: len(rest)] == rest for phrase in agreement | attention):
        return _by_length(speech_ms, policy.acknowledged_ms)
    return FloorDecision(FloorClaim.TAKE, FloorReason.REQUEST)


def _by_length(speech_ms: int, limit_ms: int) -> FloorDecision:
    if speech_ms >= limit_ms:
        return FloorDecision(FloorClaim.TAKE, FloorReason.LONG_SPEECH)
    return FloorDecision(FloorClaim.UNDECIDED, FloorReason.TOO_EARLY, limit_ms)


@functools.cache
def _as_words(phrases: frozenset[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(phrase.split()) for phrase in phrases)


def _rest(said: tuple[str, ...], phrases: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
    """Return what is left of `said` behind as many phrases as can be taken from its beginning."""
    reached = [0]
    for at in range(len(said)):
        if at in reached:
            reached += [at + len(phrase) for phrase in phrases if said[at : at + len(phrase)] == phrase]
    return said[max(reached) :]

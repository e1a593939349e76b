"""How a call went, from what both sides of it sounded like. Pure: everything is known when it is asked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

import msgspec

from warmline.simulators.telephone.caller import PAUSE_S, Utterance
from warmline.simulators.telephone.line import Stretch
from warmline.simulators.telephone.sound import SoundMeter

__all__ = ["MeasuredTurn", "measured_turns"]

_BREATH_S: Final = 0.3
"""After a shorter silence the agent has not fallen silent yet."""


class MeasuredTurn(msgspec.Struct, kw_only=True, omit_defaults=False):
    """What the caller said, and what they heard of it; instants in seconds since the call was answered."""

    said: str
    """Empty for what the agent says before the caller has said anything."""

    speech_began_s: float
    speech_ended_s: float
    """Both are the answering of the call where nothing was said."""

    was_interruption: bool
    response_ms: float | None = None
    """From the caller's last sample of speech to the agent's first that is heard; negative where the
    agent began before the caller had finished, and went on. None if nothing came."""

    reply_began_s: float | None = None
    reply_ended_s: float | None = None
    longest_silence_ms: float = 0.0
    """Inside the reply: pauses between sentences, and whatever else was silent."""

    longest_gap_ms: float = 0.0
    """Inside the reply, with nothing there to be played: the agent's audio came too late."""

    underruns: int = 0
    """How many such gaps there were."""

    silenced_after_ms: float | None = None
    """Of an interruption: from the caller's first sample of speech until the agent was silent."""

    cut_ins: int = 0
    """How often the agent began to speak while the caller did."""


def measured_turns(
    utterances: Sequence[Utterance], agent: SoundMeter, stretches: Sequence[Stretch]
) -> list[MeasuredTurn]:
    """Return a call's turns: what came before the caller spoke, then one for each utterance.

    Args:
        utterances: What the caller said.
        agent: What was heard of the agent.
        stretches: When there was audio of the agent's to be played.
    """
    before = Utterance(said="", began_s=0.0, ended_s=0.0)
    turns = []
    for index, utterance in enumerate([before, *utterances]):
        until_s = utterances[index].began_s if index < len(utterances) else math.inf
        turns.append(_turn(utterance, until_s, agent, stretches))
    return turns


def _turn(
    utterance: Utterance, until_s: float, agent: SoundMeter, stretches: Sequence[Stretch]
) -> MeasuredTurn:
    turn = MeasuredTurn(
        said=utterance.said,
        speech_began_s=utterance.began_s,
        speech_ended_s=utterance.ended_s,
        was_interruption=utterance.was_interruption,
    )
    onsets = _onsets(agent.sounds, utterance.began_s, until_s)
    turn.cut_ins = sum(onset_s < utterance.ended_s for onset_s in onsets)
    if utterance.was_interruption:
        silent_s = _silent_from(agent.sounds, utterance.began_s)
        turn.silenced_after_ms = _ms(silent_s - utterance.began_s)
    began_s = _reply_began(agent.sounds, onsets, utterance.ended_s)
    if began_s is None:
        return turn
    sounds = [sound for sound in agent.sounds if began_s <= sound[0] < until_s]
    turn.response_ms = _ms(began_s - utterance.ended_s)
    turn.reply_began_s = began_s
    turn.reply_ended_s = min(sounds[-1][1], until_s)
    silences = [after[0] - before[1] for before, after in itertools.pairwise(sounds)]
    turn.longest_silence_ms = _ms(max(silences, default=0.0))
    gaps = [
        after.started_s - before.ended_s
        for before, after in itertools.pairwise(stretches)
        if after.is_underrun and began_s < after.started_s <= turn.reply_ended_s
    ]
    turn.longest_gap_ms = _ms(max(gaps, default=0.0))
    turn.underruns = len(gaps)
    return turn


def _onsets(sounds: Sequence[tuple[float, float]], from_s: float, until_s: float) -> list[float]:
    """Return when the agent began to speak within a span, each time after a pause."""
    found = []
    before_s = -math.inf
    for began_s, ended_s in sounds:
        if from_s <= began_s < until_s and began_s - before_s >= PAUSE_S:
            found.append(began_s)
        before_s = ended_s
    return found


def _reply_began(
    sounds: Sequence[tuple[float, float]], onsets: Sequence[float], ended_s: float
) -> float | None:
    """Return when the reply began: after the caller's speech, or within it if it was going on at its end."""
    for onset_s in reversed(onsets):
        if onset_s < ended_s and _silent_from(sounds, onset_s) > ended_s:
            return onset_s
    return next((onset_s for onset_s in onsets if onset_s >= ended_s), None)


def _silent_from(sounds: Sequence[tuple[float, float]], instant_s: float) -> float:
    """Return from when on nothing is heard for longer than a breath, at this instant or after it."""
    silent_s = instant_s
    for began_s, ended_s in sounds:
        if ended_s > instant_s:
            if began_s - silent_s >= _BREATH_S:
                break
            silent_s = max(silent_s, ended_s)
    return silent_s


def _ms(duration_s: float) -> float:
    return round(duration_s * 1000, 1)

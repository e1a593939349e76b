"""A person on a telephone: 20 ms at a time, what they say, press and do. Decisions only; no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from warmline.simulators.telephone.codec import FRAME_BYTES, FRAME_S, SILENCE
from warmline.simulators.telephone.sound import SoundMeter, speech_span_s
from warmline.simulators.telephone.steps import HangUp, Interrupt, Press, Say, Stay, Step, Wait, WaitForReply

__all__ = ["PAUSE_S", "Act", "Caller", "GivesUp", "Utterance"]

PAUSE_S: Final = 0.2
"""Silence by which a listener takes what follows for a new beginning."""

_INTO_SPEECH_S: Final = 0.3
"""How far into somebody's speech a caller hangs up who is to hang up within it."""

GivesUp = Literal["", "speaking", "replying"]
"""Within whose speech the caller hangs up, whatever the script says: their own, or the agent's."""


class Utterance(msgspec.Struct, kw_only=True):
    """Something that the caller said, in seconds since the call was answered."""

    said: str
    """The text, or the recording's name."""

    began_s: float
    """Its first sample of speech: when it was said, 20 ms before its frame could be sent at the latest."""

    ended_s: float
    """Past its last sample of speech; silence at the end of a recording does not count."""

    was_interruption: bool = False
    """The agent was speaking when it began."""


@dataclass(frozen=True, slots=True)
class Act:
    """What the caller does in 20 ms."""

    pcm: bytes = SILENCE
    pressed: str = ""
    hangs_up: bool = False


class Caller:
    """Goes through a script of steps.

    What changes here: the step, and how far it has come, in `next`.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        recordings: Mapping[Say, bytes],
        agent: SoundMeter,
        *,
        gives_up: GivesUp = "",
    ) -> None:
        """Prepare.

        Args:
            steps: The script; at its end the caller hangs up.
            recordings: What each spoken step sounds like: pcm16 at 8 kHz, at least a sample of it.
            agent: What is heard of the other side; fed by the line.
            gives_up: When to hang up without asking the script.
        """
        self.utterances: list[Utterance] = []
        self._steps = list(steps)
        self._recordings = recordings
        self._agent = agent
        self._gives_up = gives_up
        self._now_s = 0.0
        self._since_s = 0.0
        """When the step in progress began."""

        self._speaking = b""
        self._spoken_bytes = 0
        self._pressed = 0
        self._listens_from_s = 0.0
        """From when on the agent's speech answers what was said last."""

    def next(self) -> Act:
        """Return what is done in the next 20 ms, which begin where the last ones ended."""
        act = Act(hangs_up=True) if self._has_had_enough() else self._act()
        self._now_s = round(self._now_s + FRAME_S, 6)
        return act

    def _act(self) -> Act:
        while self._steps:
            step = self._steps[0]
            match step:
                case Say() if self._speaking or self._is_due(step):
                    return self._speak(step)
                case Press() if self._pressed < len(step.digits):
                    return self._press(step)
                case HangUp():
                    return Act(hangs_up=True)
                case Stay():
                    return Act()
                case Wait() if self._in_step_s < step.wait_s:
                    return Act()
                case Press() if self._in_step_s < self._pressed * step.each_ms / 1000:
                    return Act()
                case Interrupt():
                    return Act()
                case WaitForReply() if not self._was_answered(step):
                    return Act()
            self._go_on()
        return Act(hangs_up=True)

    @property
    def _in_step_s(self) -> float:
        return round(self._now_s - self._since_s, 6)

    def _go_on(self) -> None:
        del self._steps[0]
        self._since_s = self._now_s
        self._pressed = 0

    def _is_due(self, step: Say) -> bool:
        if not isinstance(step, Interrupt):
            return True
        onset_s = self._agent.onset_after_s(self._listens_from_s, apart_s=PAUSE_S)
        if onset_s is not None and self._is_agent_speaking and self._now_s - onset_s >= step.after_ms / 1000:
            return True
        return self._in_step_s >= step.within_s

    @property
    def _is_agent_speaking(self) -> bool:
        last_s = self._agent.last_sound_s
        return last_s is not None and self._now_s - last_s < PAUSE_S

    def _was_answered(self, step: WaitForReply) -> bool:
        last_s = self._agent.last_sound_s
        spoke = last_s is not None and last_s > self._listens_from_s
        if spoke and self._agent.silent_for_s() >= step.silence_ms / 1000:
            return True
        return self._in_step_s >= step.within_s

    def _speak(self, step: Say) -> Act:
        if not self._speaking:
            self._begin(step)
        frame = self._speaking[self._spoken_bytes : self._spoken_bytes + FRAME_BYTES]
        self._spoken_bytes += FRAME_BYTES
        if self._spoken_bytes >= len(self._speaking):
            self._speaking = b""
            self._listens_from_s = self.utterances[-1].ended_s
            del self._steps[0]
            self._since_s = round(self._now_s + FRAME_S, 6)
        return Act(frame.ljust(FRAME_BYTES, b"\0"))

    def _begin(self, step: Say) -> None:
        self._speaking, self._spoken_bytes = self._recordings[step], 0
        begins_s, ends_s = speech_span_s(self._speaking)
        utterance = Utterance(
            said=step.text or step.recording.rpartition("/")[2] or "a recording",
            began_s=round(self._now_s + begins_s, 6),
            ended_s=round(self._now_s + ends_s, 6),
            was_interruption=self._is_agent_speaking,
        )
        self.utterances.append(utterance)
        self._listens_from_s = utterance.began_s

    def _press(self, step: Press) -> Act:
        if self._in_step_s < self._pressed * step.each_ms / 1000:
            return Act()
        self._pressed += 1
        return Act(pressed=step.digits[self._pressed - 1])

    def _has_had_enough(self) -> bool:
        if self._gives_up == "speaking" and self._speaking:
            return self._now_s - self.utterances[-1].began_s >= _INTO_SPEECH_S
        if self._gives_up == "replying":
            onset_s = self._agent.onset_after_s(self._listens_from_s, apart_s=PAUSE_S)
            return onset_s is not None and self._now_s - onset_s >= _INTO_SPEECH_S
        return False

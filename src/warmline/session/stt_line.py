"""The session's line to the recogniser: replaced when it fails, with what is being said sent again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock
from warmline.core.formats import PCM_16K, AudioFormat
from warmline.core.line_use import LineUse
from warmline.core.setback import OnSetback, ProviderRole, Remedy, Setback, SetbackKind
from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.failover.health import LegEvent
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.patience import Wait, deadline_s
from warmline.failover.recogniser_lines import RecogniserLine, RecogniserLines
from warmline.failover.spoken_audio import SpokenAudio, SpokenUtterance
from warmline.interfaces.stt import OnTranscript, OnTurnHint, SpeechToText, SttStream, Transcript, TurnHint

__all__ = ["SttLine"]

_REOPEN_DELAYS_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits before each try to have a line; the last is repeated."""

_STANDS_S: Final = 5.0
"""A line that is dropped sooner, without having understood anything, was not really had."""

_WORDY_S: Final = 1.2
"""Speech of this length, the silence after it included, has words in it as a rule: a recogniser that
finds none may be one that does not listen, and some say so only after a second."""

_GATHERED_S: Final = 0.128
"""What is sent at a time where nobody speaks: lines cost by the message, and most of a call is silence."""

_OFTEN: Final = 3
"""So many lines in a row that were not really had are worth telling."""


@dataclass(frozen=True, slots=True)
class _Loss:
    """A setback that is told when it is known who stands in."""

    leg: str
    kind: SetbackKind
    since_s: float
    detail: str = ""


class SttLine:
    """A recogniser's stream that outlives the streams it is made of.

    One that fails is replaced, and one that owes a final for too long gets another beside it; the
    audio of every utterance whose final is missing is sent again, and the first final counts.

    What changes here: `_lines`, in `_attach`, `_lost`, `_heard`, `_improve` and `change_format`; `_audio`,
    as the user speaks. Calls and callbacks only change things, and `run` starts what follows.
    """

    def __init__(
        self,
        provider: SpeechToText,
        on_transcript: OnTranscript,
        on_trouble: Callable[[ProviderError], None],
        clock: Clock,
        on_hint: OnTurnHint | None = None,
        *,
        name: str = "stt",
        fallbacks: Sequence[Leg[SpeechToText]] = (),
        state: FailoverState | None = None,
        on_setback: OnSetback | None = None,
        audio_format: AudioFormat = PCM_16K,
    ) -> None:
        """Prepare; nothing is opened until `run`.

        Args:
            provider: Shared by all sessions.
            on_transcript: Called for each transcript; until the final, none takes words back because
                of another line.
            on_trouble: Called when speech is not being recognised: no line can be had, or an
                utterance was given up.
            clock: The session's.
            on_hint: Called for each hint of the line that is listened to; without it, none ends a turn by
                itself.
            name: The provider's, in the configuration.
            fallbacks: Who is asked where that fails, in order.
            state: The process's.
            on_setback: Told of what went wrong when it is known who stands in.
            audio_format: What `push` is given, and every recogniser gets.
        """
        self._on_hint = on_hint
        self._state = state or FailoverState()
        self._legs = RecogniserLines(
            (Leg(provider, name), *fallbacks),
            self._state,
            clock,
            self._heard,
            self._lost,
            self._hinted if on_hint else None,
            audio_format,
        )
        self._on_transcript = on_transcript
        self._on_trouble = on_trouble
        self._clock = clock
        self._on_setback = on_setback
        self._audio = SpokenAudio(self._state.settings.replay_s, audio_format)
        self._gathered = bytearray()
        """Of the lead-in, what no line was sent yet."""

        self._gathered_bytes = audio_format.size_bytes(_GATHERED_S)
        self._lines: list[RecogniserLine] = []
        """Those that are listened to; two, while a final is asked for a second time."""

        self._better: RecogniserLine | None = None
        """One on a better leg, for the next pause."""

        self._latest: RecogniserLine | None = None
        self._losses: list[_Loss] = []
        self._failures = 0
        """Tries to have a line that failed in a row."""

        self._is_in_trouble = False
        self._is_opening = False
        self._is_improving = False
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Keep a line open until cancelled, and give it back then."""
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    changed = self._changed
                    due_s = self._upkeep(tasks)
                    wait_s = None if due_s is None else max(due_s - self._clock.now_s(), 0.0)
                    with anyio.move_on_after(wait_s):
                        await changed.wait()
        finally:
            self._lines.clear()
            await self._legs.close_all()

    @property
    def ends_turns(self) -> bool:
        """Whether the line there is now says by itself when a turn is over."""
        stream = self._lines[0].stream if self._lines else None
        return stream is not None and stream.ends_turns

    def use_since(self, began_s: float) -> LineUse | None:
        """Return how an utterance that began then got its connection; None if none is used.

        It waited for nothing if the connection was there when it began.
        """
        line = self._latest
        if line is None or line.use is None:
            return None
        waited_s = max(line.used_from_s - began_s, 0.0)
        return replace(
            line.use,
            reused=waited_s == 0.0,
            age_s=line.use.age_s + self._clock.now_s() - line.used_from_s,
            waited_s=waited_s,
        )

    def change_format(self, audio_format: AudioFormat) -> None:
        """Expect audio of another format, before there was any; the line is opened anew for it."""
        self._audio = SpokenAudio(self._state.settings.replay_s, audio_format)
        self._gathered.clear()
        self._gathered_bytes = audio_format.size_bytes(_GATHERED_S)
        self._legs.change_format(audio_format)
        self._lines, self._latest, self._better = [], None, None
        self._tell()

    def push(self, audio: bytes) -> None:
        """Hand over whole samples in the format that is expected; never blocks.

        Between utterances nobody waits for what is made of them, and they go out in larger pieces.
        """
        self._audio.push(audio)
        self._gathered += audio
        if self._audio or len(self._gathered) >= self._gathered_bytes:
            self._send_gathered()

    def begin_utterance(self, utterance: int) -> None:
        """Say that speech began."""
        self._send_gathered()
        spoken = self._audio.begin(utterance)
        for stream in self._streams():
            spoken.lines = 1
            stream.begin_utterance(utterance)

    def finish_utterance(self) -> None:
        """Ask for the final; it comes from whichever line has it first."""
        self._audio.finish(self._clock.now_s())
        for stream in self._streams():
            stream.finish_utterance()
        self._tell()

    def discard_utterance(self) -> None:
        """Drop the utterance begun last, and those before it whose finals are missing."""
        self._audio.clear()
        for line in self._lines[:-1]:
            line.is_over = True  # It was late.
        del self._lines[:-1]
        for stream in self._streams():
            stream.discard_utterance()
        self._tell()

    def _send_gathered(self) -> None:
        if self._gathered:
            audio = bytes(self._gathered)
            self._gathered.clear()
            for stream in self._streams():
                stream.push(audio)

    def _streams(self) -> list[SttStream]:
        return [line.stream for line in self._lines if line.stream is not None]

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _upkeep(self, tasks: TaskGroup) -> float | None:
        """Start what is to be done; return when to look again if nothing happens."""
        due_s = None
        if not self._is_opening:
            waiting = next((each for each in self._audio if each.finished_at_s is not None), None)
            if not self._lines:
                self._is_opening = True
                tasks.start_soon(self._replace)
            elif waiting is not None:
                is_doubted = waiting.is_doubted and not waiting.replays
                due_s = waiting.asked_at_s + (0.0 if is_doubted else self._patience_s(waiting))
                if due_s <= self._clock.now_s():
                    due_s = None
                    self._is_opening = True
                    tasks.start_soon(self._ask_again, waiting)
            elif not self._audio and len(self._lines) == 1:
                self._improve(tasks)
        for line in self._legs.over():
            tasks.start_soon(self._legs.close, line)
        return due_s

    def _patience_s(self, spoken: SpokenUtterance) -> float:
        """Return how long a final may take; the most, where there may have been nothing to understand."""
        bounds = self._state.settings.bounds[Wait.STT_FINAL]
        times = self._state.times.of(self._lines[0].leg, Wait.STT_FINAL)
        return deadline_s(times, bounds) if spoken.shown else bounds.ceiling_s

    async def _replace(self) -> None:
        """Have a line, however long it takes."""
        try:
            while not self._lines:
                await anyio.sleep(_REOPEN_DELAYS_S[min(self._failures, len(_REOPEN_DELAYS_S) - 1)])
                line, self._better = self._better, None
                problem = None
                if line is None:
                    line, problem = await self._open()
                if line is not None:
                    self._attach(line)
                elif problem is not None:
                    self._failures += 1
                    self._trouble(problem)
        finally:
            self._is_opening = False
            self._tell()

    async def _ask_again(self, spoken: SpokenUtterance) -> None:
        """Have another line beside one that owes a final for too long."""
        try:
            late, since_s = self._lines[-1], spoken.asked_at_s
            now_s = spoken.asked_at_s = self._clock.now_s()
            self._state.health.note(ProviderRole.STT, late.leg, LegEvent.MISSED, now_s)
            self._state.times.add(late.leg, Wait.STT_FINAL, now_s - since_s)
            self._losses.append(_Loss(late.leg, SetbackKind.LATE, since_s))
            line = None
            if spoken.replays >= self._state.settings.replays:
                self._give_up(spoken)
            else:
                line, _ = await self._open()
            if line is not None and self._audio:
                self._attach(line)
            elif line is None and spoken.is_doubted and self._audio.get(spoken.number) is not None:
                self._settle(late, spoken)
                self._on_transcript(Transcript(spoken.number, "", is_final=True))
            elif line is not None:
                line.is_over = True
            is_settled = self._audio.get(spoken.number) is None and bool(self._lines)
            self._tell_losses(Remedy.NONE, self._lines[0].leg if line is not None and is_settled else "")
        finally:
            self._is_opening = False
            self._tell()

    async def _open(self) -> tuple[RecogniserLine | None, ProviderError | None]:
        """Return a line, or why there is none."""
        began_s = self._clock.now_s()
        line, failed = await self._legs.open()
        for each in failed:
            self._losses.append(
                _Loss(each.leg, _kind(each, SetbackKind.UNAVAILABLE), began_s, str(each.problem))
            )
        return line, next((each.problem for each in reversed(failed)), None)

    def _attach(self, line: RecogniserLine) -> None:
        """Listen to a line as well, and hand it what is being said."""
        if line.stream is None or line.is_over:
            return
        self._send_gathered()  # What the new line is given below holds it as well.
        self._lines.append(line)
        self._latest = self._lines[0]
        if line.leg != self._legs.preferred and not self._losses:
            self._losses.append(_Loss(self._legs.preferred, SetbackKind.SKIPPED, self._clock.now_s()))
        remedy = Remedy.RETRY
        for spoken in self._audio:
            if spoken.replays >= self._state.settings.replays:
                self._give_up(spoken)
            elif spoken.lines:
                remedy = Remedy.REPLAY
        self._audio.give(line.stream, self._clock.now_s())
        self._tell_losses(remedy, line.leg)

    def _heard(self, line: RecogniserLine, transcript: Transcript) -> None:
        spoken = self._audio.get(transcript.utterance)
        if spoken is None or line not in self._lines:
            return
        self._failures = 0
        self._is_in_trouble = False
        if self._is_doubtful(line, spoken, transcript):
            spoken.is_doubted = True
            self._tell()
            return
        handed = spoken.take(transcript)
        if transcript.is_final:
            self._settle(line, spoken)
        if handed is not None:
            self._on_transcript(handed)

    def _is_doubtful(self, line: RecogniserLine, spoken: SpokenUtterance, transcript: Transcript) -> bool:
        """Whether another line should be heard first: this one says that a long utterance had no words."""
        if not transcript.is_final or transcript.text.strip() or spoken.shown:
            return False
        if line is not self._lines[-1]:
            return True
        return spoken.replays == 0 and spoken.kept_s >= _WORDY_S and not spoken.is_doubted

    def _hinted(self, line: RecogniserLine, hint: TurnHint) -> None:
        if self._on_hint is not None and self._lines and line is self._lines[0]:
            self._on_hint(hint)

    def _settle(self, line: RecogniserLine, spoken: SpokenUtterance) -> None:
        """Note that a final came; of several lines the one that had it stays."""
        now_s = self._clock.now_s()
        self._state.health.note(ProviderRole.STT, line.leg, LegEvent.SUCCEEDED, now_s)
        if spoken.finished_at_s is not None and not spoken.replays:
            self._state.times.add(line.leg, Wait.STT_FINAL, now_s - spoken.finished_at_s)
        self._audio.settle(spoken.number)
        for other in self._lines:
            other.is_over = other is not line
        self._lines = [line]
        self._latest = line
        self._tell()

    def _lost(self, line: RecogniserLine, problem: ProviderError) -> None:
        if line is self._better:
            self._better = None
        if line in self._lines:
            now_s = self._clock.now_s()
            self._lines.remove(line)
            self._losses.append(_Loss(line.leg, _kind(line, SetbackKind.CUT), now_s, str(problem)))
            if not line.has_understood and now_s - line.opened_at_s < _STANDS_S:
                self._failures += 1
                if self._failures >= _OFTEN:
                    self._trouble(problem)
            if self._lines:
                self._tell_losses(Remedy.NONE, self._lines[0].leg)
        self._tell()

    def _give_up(self, spoken: SpokenUtterance) -> None:
        """Go on with what was understood of an utterance."""
        self._audio.settle(spoken.number)
        self._trouble(
            ProviderUnavailable(
                f"recognising an utterance: no recogniser finished it, of {spoken.lines} that were given it",
                provider=self._legs.preferred,
                phase="stream",
            )
        )
        self._on_transcript(Transcript(spoken.number, spoken.shown, is_final=True))

    def _trouble(self, problem: ProviderError) -> None:
        """Tell of a problem that can be noticed, until something is understood again once."""
        if not self._is_in_trouble:
            self._is_in_trouble = True
            self._on_trouble(problem)

    def _improve(self, tasks: TaskGroup) -> None:
        """Between utterances, move to a leg that is better than the present one."""
        better = self._better
        if better is not None and better.stream is not None:
            self._send_gathered()  # What follows holds it as well.
            self._lines[0].is_over = True
            self._lines, self._latest, self._better = [better], better, None
            self._audio.give(better.stream, self._clock.now_s())
        elif not self._is_improving:
            leg, is_trial = self._legs.better(self._lines[0].leg)
            if leg:
                self._is_improving = True
                tasks.start_soon(self._open_better, leg, is_trial)

    async def _open_better(self, leg: str, is_trial: bool) -> None:
        try:
            self._better = await self._legs.open_better(leg, is_trial=is_trial)
        finally:
            self._is_improving = False
        if self._better is not None:
            self._tell()

    def _tell_losses(self, remedy: Remedy, taken_by: str) -> None:
        losses, self._losses = self._losses, []
        now_s = self._clock.now_s()
        for loss in losses:
            if self._on_setback is not None:
                self._on_setback(
                    Setback(
                        ProviderRole.STT,
                        loss.leg,
                        loss.kind,
                        remedy if loss.kind is not SetbackKind.SKIPPED else Remedy.NONE,
                        taken_by,
                        now_s,
                        now_s - loss.since_s,
                        loss.detail,
                    )
                )


def _kind(line: RecogniserLine, otherwise: SetbackKind) -> SetbackKind:
    return SetbackKind.REFUSED if isinstance(line.problem, ProviderRejected) else otherwise

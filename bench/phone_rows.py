"""One call, phase by phase: the rows of the first table of `phone.py`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from phone_ear import WORDS, Ear, words_lost_and_twice
from phone_house import House
from phone_load import ASK, GREETED, LISTEN, SHORT
from rich.console import Console

from warmline.core.clock import SystemClock
from warmline.simulators.telephone.measuring import MeasuredTurn
from warmline.simulators.telephone.placing import CallFaults, HangUpAt
from warmline.simulators.telephone.report import CallReport
from warmline.simulators.telephone.steps import HangUp, Interrupt, Step, Wait, WaitForReply

__all__ = ["MOMENTS", "Phases", "Row"]

CLOCK: Final = SystemClock()
THREE: Final = "The library opens at nine in the morning. On Sundays it is closed. Cards are free."
TEN: Final = " ".join([THREE, THREE, THREE, "Children may borrow ten books at a time."])
MOMENTS: Final[tuple[HangUpAt, ...]] = ("initiated", "answered", "streaming", "speaking", "replying")
GONE_S: Final = 8.0
"""How long what a call held may stay before it is left over; webhooks' connections are kept for 5 s."""

BEFORE_LAST_S: Final = 9.0
"""What a call's greeting, first question and last one take, with their answers."""

UNANSWERED_MS: Final = 10_000.0
"""What counts where no answer came at all."""


@dataclass
class Row:
    """Something that was measured, time after time."""

    what: str
    unit: str
    goal: float
    """The most that is good."""

    earlier: str = ""
    """What the earlier telephone agent took, or aimed at."""

    samples: list[float] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return it for programs, and for a table."""
        return {
            "what": self.what,
            "unit": self.unit,
            "median": round(statistics.median(self.samples), 1),
            "worst": round(max(self.samples), 1),
            "goal": self.goal,
            "met_times": sum(sample <= self.goal for sample in self.samples),
            "times": len(self.samples),
            "earlier_agent": self.earlier,
        }


def _first_sound(what: str, earlier: str = "") -> Row:
    return Row(f"{what}: end of speech to first sound", "ms", 1_000, earlier)


class Phases:
    """Makes calls, and notes what came of them.

    What changes here: the rows' samples.
    """

    def __init__(self, house: House, progress: Console) -> None:
        """Prepare.

        Args:
            house: Who is called.
            progress: Where it is told what went wrong.
        """
        self._house = house
        self._progress = progress
        self.greeting = Row("greeting: media stream's start to first audio", "ms", 50)
        self.single = _first_sound("a sentence", "3,340 on average, up to 9,860; target 800 to 1,500")
        self.three = _first_sound("three sentences")
        self.three_gap = Row(
            "three sentences: longest gap with nothing to play",
            "ms",
            0,
            "662 between sentences; target < 100",
        )
        self.three_silence = Row(
            "three sentences: longest silence, the voice's own pauses included", "ms", 662
        )
        self.interrupted = Row("interruption: caller's first sound to silence", "ms", 300)
        self.after_interruption = _first_sound("the answer to an interruption")
        self.ten_gap = Row("ten sentences: longest gap with nothing to play", "ms", 0)
        self.ten_words = Row("ten sentences: seconds of speech missing", "s", 0)
        self.cut_lost = Row("voice cut in mid-reply: words not heard", "words", 0)
        self.cut_twice = Row("voice cut in mid-reply: words heard twice", "words", 0)
        self.cut_gap = Row("voice cut in mid-reply: longest gap with nothing to play", "ms", 800)
        self.rapid = _first_sound("rapid exchanges")
        self.paused = _first_sound("long call: after the pause")
        self.paused_wait = Row(
            "long call: longest that an answer waited for its connections", "ms", 1, "316 to 386 each turn"
        )
        self.paused_lost = Row(
            "long call: lines lost meanwhile, and what else the server warns of", "things", 0
        )
        self.gone = {
            moment: Row(f"hang-up when {moment}: to the call's end", "ms", 500) for moment in MOMENTS
        }
        self.left = Row("hang-ups: sessions, tasks and sockets left over, both sides", "things", 0)

    @property
    def rows(self) -> list[Row]:
        """Those that were measured."""
        rows = [each for each in vars(self).values() if isinstance(each, Row)]
        rows[-1:-1] = self.gone.values()
        return [row for row in rows if row.samples]

    def note_singles(self, reports: Sequence[CallReport]) -> None:
        """Take calls whose every answer was a sentence."""
        for report in reports:
            self._note_greeting(report)
            _note_answers(self.single, report.turns[1:])

    async def three_sentences(self) -> None:
        """Listen to several sentences."""
        await self._answer_with(THREE)
        [turn] = (await self._call(ASK, LISTEN)).turns[1:]
        _note_answers(self.three, [turn])
        self.three_gap.samples.append(turn.longest_gap_ms)
        self.three_silence.samples.append(turn.longest_silence_ms)

    async def interruption(self) -> None:
        """Speak into several sentences."""
        await self._answer_with(THREE)
        over = Interrupt(recording=ASK.recording, after_ms=1_200)
        report = await self._call(ASK, over, WaitForReply(silence_ms=300, within_s=4))
        silenced_ms = [turn.silenced_after_ms for turn in report.turns if turn.silenced_after_ms is not None]
        self.interrupted.samples += silenced_ms or [UNANSWERED_MS]
        _note_answers(self.after_interruption, report.turns[2:])

    async def ten_sentences(self) -> None:
        """Listen to a long answer, which is as long as its parts."""
        await self._answer_with(THREE)
        [three] = (await self._call(ASK, LISTEN)).turns[1:]
        await self._answer_with(TEN)
        [ten] = (await self._call(ASK, WaitForReply(silence_ms=1_000, within_s=60))).turns[1:]
        self.ten_gap.samples.append(ten.longest_gap_ms)
        self.ten_words.samples.append(round(max(3 * _length_s(three) - _length_s(ten), 0.0), 1))

    async def voice_cut(self, times: int) -> None:
        """Have the voice's connection cut in an answer: after one piece of sound, after two, and so on."""
        await self._answer_with(WORDS)
        ear: Ear | None = None
        for after in range(times + 1):
            name = await self._house.place([GREETED, ASK, LISTEN, HangUp()])
            if after:
                # A fault meets the next words that are to be said, and the greeting was said before.
                await self._house.fault("elevenlabs", f"cut;after={after}")
            [report] = await self._house.over([name])
            [turn] = report.turns[1:]
            began_s = turn.reply_began_s or 0.0
            heard = await self._house.heard(name), began_s, began_s + _length_s(turn)
            if ear is None:
                ear = Ear(*heard)
                continue
            lost, twice = words_lost_and_twice(ear.words(*heard))
            self.cut_lost.samples.append(lost)
            self.cut_twice.samples.append(twice)
            self.cut_gap.samples.append(turn.longest_gap_ms)
            if await self._house.has_fault_left("elevenlabs"):
                raise RuntimeError("the voice was to be cut, and was not")

    async def rapid_exchanges(self, exchanges: int) -> None:
        """Speak again as soon as the answer is over."""
        await self._answer_with(SHORT)
        once: list[Step] = [ASK, WaitForReply(silence_ms=200)]
        _note_answers(self.rapid, (await self._call(*once * exchanges)).turns[1:])

    async def long_call(self, length_s: float, pause_s: float) -> None:
        """Ask, say nothing for long, and ask again."""
        before_s = max(length_s - pause_s - BEFORE_LAST_S, 0.0)
        steps: list[Step] = [GREETED, ASK, LISTEN, Wait(wait_s=before_s), Wait(wait_s=pause_s), ASK]
        warnings = await self._house.warnings()
        name = await self._house.place([*steps, Wait(wait_s=2.5), HangUp()])
        [report] = await self._house.over([name])
        _note_answers(self.paused, report.turns[-1:])
        figures = (await self._house.record(report.network_id))["figures"]
        self.paused_wait.samples.append(figures["line_wait_max_ms"])
        self.paused_lost.samples.append(figures["setbacks"] + await self._house.warnings() - warnings)

    async def hang_ups(self, moments: Sequence[HangUpAt]) -> None:
        """Hang up at moments of as many calls, which go on side by side, and look for what is left of them.

        A call has to have been held before: it leaves lines open that the next one is given.
        """
        await self._answer_with(SHORT)
        before = await self._held()
        async with anyio.create_task_group() as tasks:
            for moment in moments:
                tasks.start_soon(self._hang_up, moment)
        left = 0
        with anyio.move_on_after(GONE_S):
            while left := _more_than(before, await self._held()):  # noqa: ASYNC110
                await anyio.sleep(0.1)
        self.left.samples.append(left)
        if left:
            self._progress.print(f"[yellow]left over: {await self._held()}, before {before}")

    async def _hang_up(self, moment: HangUpAt) -> None:
        # A caller who is to hang up within speech has to hear or say some.
        steps: list[Step] = [GREETED, ASK, LISTEN] if moment in ("speaking", "replying") else [Wait(wait_s=5)]
        name = await self._house.place([*steps, HangUp()], CallFaults(hang_up_at=moment))
        while (report := await self._house.report(name)).ended_at_s is None:  # noqa: ASYNC110
            await anyio.sleep(0.02)
        ended_s = CLOCK.now_s()
        with anyio.move_on_after(GONE_S):
            while report.network_id in await self._house.live_calls():  # noqa: ASYNC110
                await anyio.sleep(0.02)
        self.gone[moment].samples.append((CLOCK.now_s() - ended_s) * 1000)

    async def _call(self, *steps: Step) -> CallReport:
        """Make a call, from greeting to hang-up."""
        [report] = await self._house.over([await self._house.place([GREETED, *steps, HangUp()])])
        self._note_greeting(report)
        if report.problem:
            self._progress.print(f"[yellow]{report.problem}")
        return report

    def _note_greeting(self, report: CallReport) -> None:
        began_s = report.stretches[0].started_s + (report.answered_at_s or 0.0)
        self.greeting.samples.append((began_s - (report.streams[0].opened_at_s or 0.0)) * 1000)

    async def _held(self) -> Mapping[str, int]:
        """Return what both sides hold; the connections that stand free there are no requests."""
        health = await self._house.health()
        here = {
            "sessions": health["sessions"],
            "tasks": health["tasks"],
            "sockets": self._house.server.sockets,
        }
        return {**here, **await self._house.active()}

    async def _answer_with(self, reply: str) -> None:
        await self._house.script("openai", reply=reply)


def _more_than(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    return sum(max(count - before[name], 0) for name, count in now.items())


def _note_answers(row: Row, turns: Sequence[MeasuredTurn]) -> None:
    row.samples += [UNANSWERED_MS if turn.response_ms is None else turn.response_ms for turn in turns]


def _length_s(turn: MeasuredTurn) -> float:
    return (turn.reply_ended_s or 0.0) - (turn.reply_began_s or 0.0)

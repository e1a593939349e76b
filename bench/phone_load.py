"""Many calls at once: the rows of the second table of `phone.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
from phone_house import House

from warmline.core.clock import SystemClock
from warmline.server.vitals import Vitals
from warmline.simulators.telephone.report import CallReport
from warmline.simulators.telephone.steps import HangUp, Say, Step, WaitForReply

__all__ = ["ASK", "GREETED", "LISTEN", "SHORT", "Load", "many_calls"]

CLOCK: Final = SystemClock()
ASK: Final = Say(recording=str(Path(__file__).parents[1] / "examples" / "when-are-you-open.wav"))
GREETED: Final = WaitForReply(silence_ms=300, within_s=3)
LISTEN: Final = WaitForReply(silence_ms=400)
SHORT: Final = "We open at nine."
SPREAD_S: Final = 4.0
"""About what a question and its answer take: people do not ask in chorus."""

APART_S: Final = 0.1
"""From one call to the next, where they are few."""

MOST_OVER_ONE_MS: Final = 30.0
LOOK_S: Final = 1.0


@dataclass
class Load:
    """What was seen while calls went on."""

    calls: int
    reports: Sequence[CallReport]
    window_s: float
    server_cpu_s: float
    simulators_cpu_s: float
    most_held: int = 0
    most_memory_mb: float = 0.0
    lags_p95_ms: list[float] = field(default_factory=list)
    lag_max_ms: float = 0.0
    lag_here_max_ms: float = 0.0
    """Of this process, which shares a core with the simulators."""

    @property
    def answers_ms(self) -> list[float]:
        """How long each question waited for its answer's first sound."""
        turns = [turn for report in self.reports for turn in report.turns[1:]]
        return sorted(turn.response_ms for turn in turns if turn.response_ms is not None)

    def told(self, one: Load, memory_before_mb: float, beside: int) -> dict[str, Any]:
        """Return it for programs, and for a table.

        Args:
            one: What was seen of one call.
            memory_before_mb: What the server held before any call.
            beside: Calls that went on beside these.
        """
        answers_ms, one_p95_ms = self.answers_ms, _percentile(one.answers_ms, 0.95)
        p95_ms = _percentile(answers_ms, 0.95)
        call_s = sum((each.ended_at_s or 0) - (each.answered_at_s or 0) for each in self.reports)
        call_s += beside * self.window_s
        return {
            "calls": self.calls,
            "held_at_once": self.most_held - beside,
            "asked": sum(len(report.turns) - 1 for report in self.reports),
            "answered": len(answers_ms),
            "first_sound_p50_ms": round(_percentile(answers_ms, 0.5)),
            "first_sound_p95_ms": round(p95_ms),
            "p95_over_one_call_ms": round(p95_ms - one_p95_ms),
            "met": p95_ms <= one_p95_ms + MOST_OVER_ONE_MS,
            "underruns": sum(report.underruns for report in self.reports),
            "server_ms_a_call_second": round(self.server_cpu_s / call_s * 1000, 2),
            "server_core_percent": round(self.server_cpu_s / self.window_s * 100),
            "simulators_core_percent": round(self.simulators_cpu_s / self.window_s * 100),
            "memory_a_call_mb": round((self.most_memory_mb - memory_before_mb) / self.calls, 2),
            "loop_lag_p95_ms": max(self.lags_p95_ms, default=0.0),
            "loop_lag_max_ms": self.lag_max_ms,
            "other_core_lag_max_ms": self.lag_here_max_ms,
        }


async def many_calls(house: House, count: int, questions: int) -> Load:
    """Have so many people call, ask, listen, ask again and hang up."""
    await house.script("openai", reply=SHORT)
    steps: list[Step] = [GREETED, *_repeated(questions), HangUp()]
    load = Load(count, (), 0.0, house.server.cpu_s, house.simulators.cpu_s)
    began_s = CLOCK.now_s()
    here = Vitals(CLOCK)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(here.run)
        tasks.start_soon(_look, house, load, here)
        names = []
        apart_s = min(SPREAD_S / count, APART_S)
        for number in range(count):
            await anyio.sleep(max(began_s + number * apart_s - CLOCK.now_s(), 0.0))
            names.append(await house.place(steps))
        load.reports = await house.over(names)
        tasks.cancel_scope.cancel()
    load.window_s = CLOCK.now_s() - began_s
    load.server_cpu_s = house.server.cpu_s - load.server_cpu_s
    load.simulators_cpu_s = house.simulators.cpu_s - load.simulators_cpu_s
    return load


async def _look(house: House, load: Load, here: Vitals) -> None:
    """Ask the server now and then how it is; every tenth of a second of its loop is in one of the answers."""
    while True:
        await anyio.sleep(LOOK_S)
        health = await house.health()
        load.most_held = max(load.most_held, health["sessions"])
        load.most_memory_mb = max(load.most_memory_mb, house.server.memory_mb)
        load.lags_p95_ms.append(health["loop_lag_p95_ms"])
        load.lag_max_ms = max(load.lag_max_ms, health["loop_lag_max_ms"])
        load.lag_here_max_ms = max(load.lag_here_max_ms, here.figures()["loop_lag_max_ms"])


def _repeated(questions: int) -> list[Step]:
    return [step for _ in range(questions) for step in (ASK, LISTEN)]


def _percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which so many are; of few values the highest."""
    return values[min(int(share * len(values)), len(values) - 1)] if values else 0.0

"""Many people who speak to a server on WhatsApp at once, beside a telephone call, for `whatsapp.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
from phone_house import House
from phone_load import Load, many_calls
from whatsapp_people import Answered, answered, converse, note, percentile, speak, wait

from warmline.core.clock import SystemClock
from warmline.simulators.whatsapp.report import ConversationReport

__all__ = ["Crowd", "crowd"]

CLOCK = SystemClock()
CALLS_ALONE_S = 3.0
"""From the call's first question to the people's first message."""

APART_S = 1.0
"""From one voice message of a person to the next."""

ACKNOWLEDGED_MS = 50.0
DISTURBED_MS = 30.0


@dataclass
class Crowd:
    """What was seen while people wrote."""

    people: int
    reports: Sequence[ConversationReport] = ()
    messages: list[Answered] = field(default_factory=list)
    window_s: float = 0.0
    server_cpu_s: float = 0.0

    @property
    def in_order(self) -> bool:
        """Whether everybody's messages were answered once each, in the order in which they were sent."""
        return all(
            [each.reply_to for each in report.received] == [each.id for each in report.sent]
            for report in self.reports
        )

    def told(self, database: str, alone: Load, beside: Load) -> dict[str, Any]:
        """Return it for programs, and for a table.

        Args:
            database: Where jobs are kept.
            alone: What was seen of the call before.
            beside: What was seen of it meanwhile.
        """
        wholes_ms = [each.whole_ms for each in self.messages]
        acknowledged_ms = [each.acknowledged_ms for each in self.messages]
        call_cpu_s = alone.server_cpu_s / alone.window_s * self.window_s
        alone_ms, beside_ms = (percentile(load.answers_ms, 0.95) for load in (alone, beside))
        return {
            "people": self.people,
            "database": database,
            "messages": len(self.messages),
            "answered": sum(each.answers == 1 for each in self.messages),
            "once_and_in_order": self.in_order,
            "note_p50_ms": round(percentile(wholes_ms, 0.5)),
            "note_p95_ms": round(percentile(wholes_ms, 0.95)),
            "messages_a_second": round(len(self.messages) / self.window_s, 1),
            "acknowledged_p50_ms": round(percentile(acknowledged_ms, 0.5), 1),
            "acknowledged_p95_ms": round(percentile(acknowledged_ms, 0.95), 1),
            "acknowledged_max_ms": round(max(acknowledged_ms), 1),
            "server_cpu_ms_a_message": round((self.server_cpu_s - call_cpu_s) / len(self.messages) * 1000, 1),
            "call_turns": f"{len(alone.answers_ms)}, {len(beside.answers_ms)}",
            "call_first_sound_p50_ms": _pair(
                percentile(alone.answers_ms, 0.5), percentile(beside.answers_ms, 0.5)
            ),
            "call_first_sound_p95_ms": _pair(alone_ms, beside_ms),
            "call_p95_over_alone_ms": round(beside_ms - alone_ms),
            "underruns": _pair(*(sum(each.underruns for each in load.reports) for load in (alone, beside))),
            "loop_lag_p95_ms": f"{max(alone.lags_p95_ms, default=0)}, {max(beside.lags_p95_ms, default=0)}",
            "loop_lag_max_ms": f"{alone.lag_max_ms}, {beside.lag_max_ms}",
            "other_core_lag_max_ms": f"{alone.lag_here_max_ms}, {beside.lag_here_max_ms}",
            "goals_met": self.in_order
            and percentile(acknowledged_ms, 0.95) < ACKNOWLEDGED_MS
            and beside_ms - alone_ms <= DISTURBED_MS,
        }


async def crowd(there: House, people: int, questions: int, database: str) -> dict[str, Any]:
    """Return a row: a call for itself, and then so many people beside it, each with two messages.

    Args:
        there: Who answers.
        people: How many.
        questions: Of the call, each time.
        database: Where jobs are kept, for the row.
    """
    alone = await many_calls(there, 1, questions)
    seen = Crowd(people)
    beside: list[Load] = []

    async def call() -> None:
        beside.append(await many_calls(there, 1, questions))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await anyio.sleep(CALLS_ALONE_S)
        audio = note()
        steps = [speak(audio), {"step": "wait", "wait_s": APART_S}, speak(audio), wait(2, within_s=240.0)]
        cpu_s, began_s = there.server.cpu_s, CLOCK.now_s()
        seen.reports = await converse(there, [steps] * people, first_number=1000)
        seen.window_s = CLOCK.now_s() - began_s
        seen.server_cpu_s = there.server.cpu_s - cpu_s
        seen.messages = await answered(there, seen.reports)
    return seen.told(database, alone, beside[0])


def _pair(alone: float, beside: float) -> str:
    return f"{alone:.0f}, {beside:.0f}"

import asyncio
import gc

import anyio
import pytest

from warmline.server.vitals import Vitals
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


async def test_a_loop_that_is_never_late_has_no_lag_and_its_tasks_are_counted():
    vitals = Vitals(LoopClock())
    before = len(asyncio.all_tasks())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vitals.run)
        await anyio.sleep(3)
        figures = vitals.figures()
        tasks.cancel_scope.cancel()
    assert figures == {"tasks": before + 1, "loop_lag_p95_ms": 0.0, "loop_lag_max_ms": 0.0}


async def test_lags_are_forgotten_when_a_hundred_others_were_noted():
    vitals = Vitals(LoopClock())
    vitals.note_lag(0.5)
    for _ in range(99):
        vitals.note_lag(0.002)
    figures = vitals.figures()
    assert (figures["loop_lag_p95_ms"], figures["loop_lag_max_ms"]) == (2.0, 500.0)
    vitals.note_lag(0.001)
    assert vitals.figures()["loop_lag_max_ms"] == 2.0


async def test_a_loop_that_was_not_looked_at_yet_has_no_lag():
    assert Vitals(LoopClock()).figures()["loop_lag_max_ms"] == 0.0


async def test_the_collector_s_pauses_are_added_up_since_an_instant():
    clock = LoopClock()
    vitals = Vitals(clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vitals.run)
        await anyio.sleep(1)
        since_s = clock.now_s()
        callbacks = len(gc.callbacks)
        collected = gc.callbacks[-1]
        assert vitals.collected_s(since_s) == 0.0
        for took_s in (0.25, 0.5):
            collected("start", {})
            await anyio.sleep(took_s)
            collected("stop", {})
        assert vitals.collected_s(since_s) == pytest.approx(0.75)
        await anyio.sleep(1)
        assert vitals.collected_s(clock.now_s()) == 0.0
        tasks.cancel_scope.cancel()
    assert len(gc.callbacks) == callbacks - 1

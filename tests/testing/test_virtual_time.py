"""The clock that jumps."""

from __future__ import annotations

import anyio
import pytest

from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


@pytest.mark.parametrize("days", [1, 30])
async def test_somebody_may_sleep_for_days(days):
    began_s = LoopClock().now_s()
    for _ in range(days):
        await anyio.sleep(86_400)
    assert LoopClock().now_s() - began_s == pytest.approx(86_400 * days)


async def test_those_who_sleep_to_the_same_instant_wake_in_the_order_in_which_they_lay_down():
    await anyio.sleep(86_400)
    woken = []

    async def sleep(number):
        await anyio.sleep(0.5)
        woken.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(sleep, number)
    assert woken == list(range(20))

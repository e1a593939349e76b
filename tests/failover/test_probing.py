"""Legs that are down are found out about beside everything else."""

from __future__ import annotations

import anyio
import pytest

from warmline.core.setback import ProviderRole
from warmline.errors import ProviderUnavailable
from warmline.failover.health import Health, LegEvent, LegState
from warmline.failover.probing import Probing
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

KEY = (ProviderRole.LLM, "openai")


class Probed:
    """A leg whose free request fails a few times, or hangs."""

    def __init__(self, *, failures: int = 0, hangs: int = 0):
        self.failures = failures
        self.hangs = hangs
        self.asked_at_s: list[float] = []
        self.health = Health()
        self.began_s = LoopClock().now_s()

    async def probe(self) -> None:
        self.asked_at_s.append(round(LoopClock().now_s() - self.began_s, 2))
        await anyio.sleep(0.1)
        if len(self.asked_at_s) <= self.hangs:
            await anyio.sleep_forever()
        if len(self.asked_at_s) <= self.failures:
            raise ProviderUnavailable("it is down", provider="openai", phase="connect")

    def fail(self) -> None:
        for _ in range(2):
            self.health.note(*KEY, LegEvent.MISSED, LoopClock().now_s())

    def state(self) -> LegState:
        return self.health.state(*KEY)


async def test_leg_that_works_is_not_probed():
    leg = Probed()
    async with Probing(leg.health, {KEY: leg.probe}, LoopClock()):
        await anyio.sleep(3600)
    assert leg.asked_at_s == []


async def test_leg_that_went_down_is_probed_until_it_works_and_then_no_more():
    leg = Probed(failures=3)
    async with Probing(leg.health, {KEY: leg.probe}, LoopClock()):
        leg.fail()
        assert leg.state() is LegState.DOWN
        await anyio.sleep(30)
    # Pauses of 0.5, 1, 2 and 4 s, and 0.1 s for each probe.
    assert leg.asked_at_s == [0.5, 1.6, 3.7, 7.8]
    assert leg.state() is LegState.SUSPECT


async def test_probe_that_hangs_has_failed():
    leg = Probed(hangs=1)
    async with Probing(leg.health, {KEY: leg.probe}, LoopClock()):
        leg.fail()
        await anyio.sleep(3.6)
        assert leg.state() is LegState.DOWN
        await anyio.sleep(1.2)
        assert leg.state() is LegState.SUSPECT
    assert leg.asked_at_s == [0.5, 4.5]


async def test_leg_is_left_to_trials_when_nobody_probes_it_any_more():
    leg = Probed()
    async with Probing(leg.health, {KEY: leg.probe}, LoopClock()):
        leg.fail()
        assert leg.health.choice(KEY[0], ["openai", "other"], LoopClock().now_s() + 9).trial == ""
    assert leg.health.choice(KEY[0], ["openai", "other"], LoopClock().now_s() + 9).trial == "openai"


async def test_leaving_in_the_middle_of_a_probe_says_nothing_about_the_leg():
    leg = Probed(hangs=1)
    async with Probing(leg.health, {KEY: leg.probe}, LoopClock()):
        leg.fail()
        await anyio.sleep(1.0)
        assert leg.state() is LegState.PROBING
    assert leg.state() is LegState.DOWN
    assert leg.health.due_in_s(KEY, LoopClock().now_s()) == 0.0

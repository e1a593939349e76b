"""A telephone on the jumping clock: frames in real time, without drift."""

import anyio
import numpy as np
import pytest

from warmline.simulators.telephone.phone import Phone
from warmline.simulators.telephone.steps import HangUp, Say, Stay, WaitForReply
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

HELLO = Say(text="Hello.")


def tone(seconds, level=4000):
    return np.full(round(seconds * 8000), level, np.int16).tobytes()


class Server:
    """Waits for a pause of 200 ms in what it hears, and answers with half a second and a mark."""

    def __init__(self, phone, *, slow_s=0.0):
        self.phone = phone
        self.slow_s = slow_s
        self.frames = []
        self.marks = []
        self.quiet = None

    async def carry(self, spoken, heard):
        self.frames.append((round(self.phone.now_s, 3), len(spoken)))
        if self.slow_s:
            await anyio.sleep(self.slow_s)
        if any(spoken):
            self.quiet = 0
        elif self.quiet is not None:
            self.quiet += 1
            if self.quiet == 10:
                self.phone.line.stream.push(tone(0.5), self.phone.now_s)
                self.phone.line.stream.mark("said", self.phone.now_s)

    async def press(self, digit):
        raise AssertionError

    async def reach(self, mark):
        self.marks.append((round(self.phone.now_s, 3), mark))


def phone_with(*steps):
    return Phone(steps, {HELLO: tone(0.3)}, LoopClock())


async def test_frames_come_every_20_ms_and_the_call_is_measured():
    phone = phone_with(HELLO, WaitForReply(silence_ms=300), HangUp())
    server = Server(phone)
    phone.attach(server)
    assert await phone.run() is True
    assert {size for _, size in server.frames} == {320}
    assert [at_s for at_s, _ in server.frames] == [
        round(n * 0.02, 3) for n in range(1, len(server.frames) + 1)
    ]
    _, turn = phone.turns
    assert (turn.response_ms, turn.reply_ended_s) == (200.0, 1.0)
    assert server.marks == [(1.0, "said")]
    assert len(phone.heard) == len(phone.spoken)


async def test_a_server_that_is_slow_to_take_a_frame_costs_none():
    """Ticks are counted from the start, and caught up with."""
    phone = phone_with(HELLO, Stay())
    server = Server(phone, slow_s=0.015)
    phone.attach(server)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.run)
        await anyio.sleep(10.019)
        server.slow_s = 0.1
        await anyio.sleep(0.2)
        server.slow_s = 0.0
        await anyio.sleep(9.801)
        phone.put_down()
    assert len(server.frames) == 1001


async def test_who_is_hung_up_on_stops_at_once():
    phone = phone_with(Stay())
    server = Server(phone)
    phone.attach(server)
    async with anyio.create_task_group() as tasks:
        done = []

        async def run():
            done.append(await phone.run())

        tasks.start_soon(run)
        await anyio.sleep(0.05)
        phone.put_down()
    assert done == [False]
    assert len(server.frames) == 2


async def test_a_machine_that_stood_still_does_not_make_up_for_it():
    """Seconds of frames at once would be no telephone."""
    phone = phone_with(Stay())
    server = Server(phone)
    phone.attach(server)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.run)
        await anyio.sleep(0.1)
        server.slow_s = 5.0
        await anyio.sleep(0.02)
        server.slow_s = 0.0
        await anyio.sleep(5.1)
        phone.put_down()
    assert 5 < len(server.frames) < 15

"""What takes the simulated Telnyx minutes, on the jumping clock; the server is in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from warmline.simulators.script import Script
from warmline.simulators.telephone.placing import Callee, PlacedCall
from warmline.simulators.telephone.steps import Stay
from warmline.simulators.telnyx.actions import act
from warmline.simulators.telnyx.call import TelnyxCall
from warmline.simulators.telnyx.commands import Answer, Dial, SendDtmf
from warmline.simulators.telnyx.webhooks import SigningKey
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

DIAL: dict[str, Any] = {"connection_id": "1", "from_": "+1", "to": "+2", "webhook_url": "http://server/hooks"}


class Server:
    """A network whose server answers webhooks with a status, one after another, and then with 200."""

    def __init__(self, tasks):
        self.speech = None
        self.script = Script()
        self.clock = LoopClock()
        self.client = self
        self.signing_key = SigningKey()
        self.statuses = []
        self.told = []
        self._tasks = tasks

    def start(self, work, *arguments):
        self._tasks.start_soon(work, *arguments)

    @asynccontextmanager
    async def post(self, url, *, data, headers, timeout, allow_redirects):  # noqa: ASYNC109 - aiohttp's
        body = msgspec.json.decode(data)
        self.told.append((round(self.clock.now_s(), 2), body["data"]["event_type"]))
        self.status = self.statuses.pop(0) if self.statuses else 200
        if not self.status:
            await anyio.sleep(timeout.total)
            raise TimeoutError
        yield self

    @property
    def events(self):
        return [event for _, event in self.told]


@pytest.fixture
async def server(anyio_backend):
    async with anyio.create_task_group() as tasks:
        yield Server(tasks)


def leg(server, person, dial=None):
    return TelnyxCall(
        server, person, from_="+1", to="+2", connection_id="1", webhook_url="http://server/hooks", dial=dial
    )


async def test_nobody_answers_in_time(server):
    call = leg(server, Callee(ring_s=60), Dial(**DIAL, timeout_secs=30))
    await call.run()
    assert (call.cause, call.ended_by) == ("timeout", "")
    assert server.told == [(0.0, "call.initiated"), (30.0, "call.hangup")]


async def test_a_call_has_a_time_limit(server):
    call = leg(server, Callee(ring_s=1), Dial(**DIAL, time_limit_secs=60))
    await call.run()
    assert call.cause == "time_limit"
    assert server.told[-1] == (61.0, "call.hangup")


async def test_a_webhook_without_an_answer_is_sent_again_after_a_while(server):
    """Until the server has one; nothing else waits for that."""
    server.statuses = [0, 503, 200]
    call = leg(server, PlacedCall(webhook_url="", ring_s=20))
    await call.run()
    assert server.told == [
        (0.0, "call.initiated"),
        (6.0, "call.initiated"),
        (8.0, "call.initiated"),
        (20.0, "call.hangup"),
    ]


async def test_a_command_id_is_forgotten_after_a_minute(server):
    call = leg(server, PlacedCall(webhook_url="", caller=(Stay(),)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.run)
        await anyio.sleep(1)
        act(server, call, Answer(), "")
        for _ in range(3):
            act(server, call, SendDtmf(digits="7", command_id="a"), "")
            await anyio.sleep(40)
        assert call.digits_heard == "77"
        call.end("normal_clearing", "person")
    assert server.events == ["call.initiated", "call.answered", "call.hangup"]

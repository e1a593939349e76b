"""What the simulated Twilio plays, on the jumping clock; there is no server."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.simulators.test_telnyx_listening import ToneSpeech
from warmline.simulators.telephone.placing import PlacedCall
from warmline.simulators.telephone.steps import Stay
from warmline.simulators.twilio.call import Asked, TwilioCall
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


class Network:
    """One whose documents come with the calls."""

    account_sid = "AC1"
    auth_token = "token"
    client = None

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self.speech = ToneSpeech()
        self.clock = LoopClock()
        self.start = tasks.start_soon


async def test_what_takes_the_place_of_something_that_is_played_is_played_to_its_end():
    """What was cut off comes to its end at the next 20 ms, which is not the end of what follows."""
    async with anyio.create_task_group() as tasks:
        network: Any = Network(tasks)
        person = PlacedCall(webhook_url="", caller=(Stay(),))
        asked = Asked(twiml="<Response><Say>one two three four five</Say></Response>")
        call = TwilioCall(network, person, from_="+1", to="+2", asked=asked)
        tasks.start_soon(call.run)
        await anyio.sleep(0.515)
        call.change(Asked(twiml="<Response><Say>six seven eight</Say></Response>"))
        report = await call.over()
    assert (report.cause, report.problem) == ("completed", "")
    # 0.515 s until the other document, whose three words take 0.9 s.
    assert report.ended_at_s == pytest.approx(1.415, abs=0.03)

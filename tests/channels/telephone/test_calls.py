"""Whole sessions over a media stream whose far end plays in real time and returns marks."""

from contextlib import asynccontextmanager

import anyio
import pytest

from tests.channels.telephone.far_ends import Call
from tests.journeys.conversation import Stagehands
from warmline.core.formats import PCMU_8K
from warmline.interfaces.channel import EndReason, TurnMeasured
from warmline.interfaces.llm import Role
from warmline.session.session import Session
from warmline.session.settings import SessionSettings
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.report import PlayoutTruth, TurnStatus

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

ANSWER = "It is open on Monday until noon."
"""Seven words of 300 ms."""


class Talk:
    """A session, the call that it is held over, and its last report of each turn."""

    def __init__(self, session, call, events):
        self.session = session
        self.call = call
        self._events = events

    def presses(self, digits):
        for digit in digits:
            self.call.says("dtmf", dtmf={"digit": digit})

    def turns(self):
        reports = {e.report.number: e.report for e in self._events if isinstance(e, TurnMeasured)}
        return [report for report in reports.values() if report.status is not TurnStatus.PLAYING]

    def agent(self):
        return [m.text for m in self.session.context.messages if m.role is Role.ASSISTANT]


@asynccontextmanager
async def talk(*replies):
    hands = Stagehands(settings=SessionSettings(playout_lead_s=0.4))
    hands.model.replies = replies or (ANSWER,)
    events: list[object] = []
    call = Call(plays=True, is_attached=False, on_event=events.append)
    session = Session(call.channel, hands.providers(), hands.settings, LoopClock())
    call.channel.attach(session)
    call.answers()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        await anyio.sleep(0.01)
        yield Talk(session, call, events)
        session.hang_up()
    assert call.channel.end_reason is EndReason.HUNG_UP


async def test_a_reply_is_heard_to_its_end_as_the_marks_say():
    """No figure of it is reckoned."""
    async with talk() as talking:
        talking.presses("1#")
        await anyio.sleep(4)
        [turn] = talking.turns()
        assert (turn.status, turn.heard_text, turn.playout) == (
            TurnStatus.COMPLETED,
            ANSWER,
            PlayoutTruth.REPORTED,
        )
        assert turn.underruns == 0
        assert PCMU_8K.duration_s(len(talking.call.socket.audio())) == pytest.approx(2.1)


async def test_no_more_than_the_lead_is_in_the_networks_queue():
    """So that it can be silenced, and marks mean something."""
    async with talk() as talking:
        talking.presses("1#")
        await anyio.sleep(0.2)
        sent_s = PCMU_8K.duration_s(len(talking.call.socket.audio()))
        assert 0.5 <= sent_s <= 0.8


async def test_a_reply_that_is_cut_off_was_heard_as_far_as_the_marks_say():
    """The model must not believe that it said more."""
    async with talk(ANSWER, "Good.") as talking:
        talking.presses("1#")
        await anyio.sleep(1.25)
        talking.presses("2#")
        await anyio.sleep(2)
        first, second = talking.turns()
        assert (first.status, first.heard_text, first.playout) == (
            TurnStatus.INTERRUPTED,
            "It is open on",
            PlayoutTruth.REPORTED,
        )
        assert (second.status, second.heard_text) == (TurnStatus.COMPLETED, "Good.")
        assert talking.agent() == ["It is open on", "Good."]
        assert talking.call.socket.kinds().count("clear") == 1


async def test_hanging_up_in_the_middle_of_a_reply_ends_the_session():
    """What was heard until then is known."""
    async with talk() as talking:
        talking.presses("1#")
        await anyio.sleep(1.25)
        talking.call.says("stop")
        talking.session.hang_up()
        await anyio.sleep(0.1)
        assert talking.agent() == ["It is open on"]


async def test_a_stream_that_breaks_off_in_a_reply_is_no_end_of_it():
    """The rest is heard on the next one."""
    async with talk() as talking:
        talking.presses("1#")
        await anyio.sleep(0.7)
        talking.call.channel.stream_lost()
        await anyio.sleep(0.2)
        talking.call.answers()
        await anyio.sleep(4)
        [turn] = talking.turns()
        assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, ANSWER)

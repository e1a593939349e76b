"""What open pages are told of conversations."""

from itertools import count

import anyio
import anyio.lowlevel
import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.server.observability.dashboard.live import LiveCall, LiveCalls
from warmline.session.session import Session
from warmline.testing.scripted import ScriptedModel
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

FACTS = {"channel": "telnyx", "llm": "openai"}
NAMES = count()


def watching() -> LiveCalls:
    return LiveCalls(LoopClock().now_s)


def silent(live: LiveCalls) -> str:
    """Begin a session that nobody runs; return its id."""
    hands = Stagehands()
    name = f"call_{next(NAMES)}"
    live.began(name, Session(hands.line, hands.providers(), hands.settings, LoopClock()), FACTS)
    return name


async def test_a_conversation_is_known_by_its_floor_and_its_last_response():
    hands = Stagehands(model=ScriptedModel(["We open at nine."], first_word_s=0.3))
    live = watching()
    floors: list[LiveCall] = []
    async with conversation(hands) as talk:
        live.began("call_1", talk.session, FACTS)
        began = live.calls["call_1"]
        assert (began.channel, began.floor, began.turns, began.response_ms) == ("telnyx", "open", 0, None)
        with live.viewed() as viewer:
            await anyio.sleep(1)
            asked_s = LoopClock().now_s()
            talk.session.receive_text("When are you open?")
            while not floors or floors[-1].floor != "open":
                changes = await viewer.changes(10)
                assert changes is not None
                floors += [call for call in changes.changed if not floors or call.floor != floors[-1].floor]
        thinking, agent, over = floors
        assert (thinking.floor, agent.floor) == ("thinking", "agent")
        assert thinking.floor_s == pytest.approx(asked_s)
        assert agent.floor_s >= thinking.floor_s + 0.3
        assert agent.turns == 0
        await anyio.sleep(1)
        known = live.calls["call_1"]
        assert (known.floor, known.floor_s, known.turns) == ("open", over.floor_s, 1)
        assert known.response_ms == pytest.approx((agent.floor_s - asked_s) * 1000, abs=5)
        live.ended("call_1")
    assert live.calls == {}


async def test_a_page_is_told_of_the_newest_state_once_however_much_changed():
    live = watching()
    with live.viewed() as viewer:
        one, two = silent(live), silent(live)
        live.ended(two)
        changes = await viewer.changes(0)
        assert changes is not None
        assert ([call.id for call in changes.changed], changes.ended) == ([one], [two])
        assert await viewer.changes(5) is None, "nothing else changed"


async def test_a_page_that_waits_is_told_at_once_and_one_without_news_in_time():
    live = watching()
    told_s: list[float] = []

    async def wait(viewer) -> None:
        assert await viewer.changes(30) is not None
        told_s.append(LoopClock().now_s())

    with live.viewed() as viewer:
        began_s = LoopClock().now_s()
        assert await viewer.changes(2) is None
        assert LoopClock().now_s() == pytest.approx(began_s + 2, abs=1e-3)
        async with anyio.create_task_group() as pages:
            pages.start_soon(wait, viewer)
            await anyio.sleep(7)
            silent(live)
    assert told_s == [pytest.approx(began_s + 9, abs=1e-3)]


async def test_pages_are_let_go_when_the_server_stops():
    live = watching()
    async with anyio.create_task_group() as pages:
        with live.viewed() as viewer:

            async def wait() -> None:
                assert await viewer.changes(3600) is None

            pages.start_soon(wait)
            await anyio.sleep(1)
            began_s = LoopClock().now_s()
            live.close()
            await anyio.lowlevel.checkpoint()
    assert LoopClock().now_s() < began_s + 1
    assert live.is_closed


async def test_without_a_page_only_the_state_is_kept():
    live = watching()
    name = silent(live)
    with live.viewed() as viewer:
        pass
    silent(live)
    assert name in live.calls
    assert await viewer.changes(0) is None, "one that was closed is told of nothing"

"""WhatsApp refuses, forgets, loses and delays; whoever wrote is answered once, in order, all the same."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import anyio
import pytest

from tests.wire.test_whatsapp_killed import (
    NOTE,
    answered,
    ended,
    listening,
    over,
    placed,
    process,
    running,
    sent,
    simulator,
    states,
    told,
)
from warmline.server.whatsapp.policy import PAUSE
from warmline.simulators.faults import parse_fault
from warmline.simulators.whatsapp.steps import Forward, SendImage, Speak, Wait, Write
from warmline.store.database import Database
from warmline.store.messages import JobState, Messages
from warmline.store.workers import Workers

__all__ = ["running", "simulator", "told"]

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture
def fault(simulator):
    return lambda text: simulator.faults.add(parse_fault(text))


async def test_who_writes_faster_than_may_be_answered_is_answered_in_order(simulator, told):
    simulator.script.pair_burst, simulator.script.pair_s = 2, 0.7
    steps = [step for number in range(5) for step in (Write(text=f"question {number}"), Wait(wait_s=0.2))]
    with process(told):
        await listening(told.port)
        conversation = await placed(simulator, told, 1, *steps)
        await answered(conversation, 5)
        await over(told, 5)
    assert [message.text for message in conversation.received] == [
        f"You asked: question {number}." for number in range(5)
    ]


async def test_a_token_that_expires_stops_everything_and_a_new_start_with_a_good_one_goes_on(simulator, told):
    """The reason stands in the store until then; nobody is told anything, and nothing is lost."""
    simulator.script.token_requests = 1
    conversations = [await placed(simulator, told, number, Write(text="hello")) for number in range(3)]
    with process(told), Database(told.store_url) as database:
        messages = Messages(database)
        with anyio.fail_after(20):
            while messages.pause_reason(PAUSE) is None or sum(states(told).values()) < 3:  # noqa: ASYNC110
                await anyio.sleep(0.05)
        assert "WHATSAPP_TOKEN" in str(messages.pause_reason(PAUSE))
    simulator.script.token_requests = 0
    key = simulator.script.key
    simulator.renew_token(f"{key}-new")
    with process(replace(told, environment={**told.environment, "WHATSAPP_TOKEN": f"{key}-new"})):
        for conversation in conversations:
            await answered(conversation)
        await over(told, 3)
    assert [len(conversation.received) for conversation in conversations] == [1, 1, 1]


@pytest.mark.parametrize(
    "trouble",
    [
        "media_expired;path=media",
        "lost_response;path=messages;skip=1",
        "503;path=messages",
        "refused;code=131000;path=messages;skip=1",
        "cut;path=media",
    ],
)
async def test_what_goes_wrong_once_is_not_noticed(simulator, told, fault, trouble):
    fault(trouble)
    with process(told):
        await listening(told.port)
        conversation = await placed(simulator, told, 1, Speak(audio=NOTE))
        await answered(conversation)
        await over(told, 1)
        await anyio.sleep(0.5)
    [answer] = conversation.received
    assert answer.is_voice
    assert states(told) == {JobState.ANSWERED: 1}


@pytest.mark.parametrize("template", ["", "come_back"])
async def test_who_wrote_too_long_ago_is_answered_when_they_write_again(simulator, told, template):
    """As Meta tells it: the answer is taken, and fails a moment later."""
    simulator.script.window_s = 0.01
    with process(replace(told, template=template)):
        await listening(told.port)
        conversation = await placed(simulator, told, 1, Speak(audio=NOTE))
        await sent(conversation)
        with anyio.fail_after(15):
            while states(told)[JobState.HELD] < 1:  # noqa: ASYNC110
                await anyio.sleep(0.05)
        simulator.script.window_s = 86_400.0
        again = await placed(simulator, told, 1, Write(text="and now?"))
        await over(told, 2)
    assert [message.type for message in again.received] == ["audio", "text"]


async def test_an_unreadable_recording_and_a_picture_get_polite_words(simulator, told):
    """A forwarded file of sound is listened to like a voice note."""
    with process(told):
        await listening(told.port)
        conversation = await placed(simulator, told, 1, SendImage(), Wait(wait_s=1.1), Forward(audio=NOTE))
        await answered(conversation, 2)
        await over(told, 1)
    picture, _ = conversation.received
    assert "voice messages" in picture.text


async def test_a_process_that_is_asked_to_stop_leaves_its_work_to_the_next(simulator, told):
    """It does not wait for what it waits for: here for an answer that may or may not have been sent."""
    simulator.faults.add(parse_fault("lost_response;path=messages;skip=1"))
    simulator.script.statuses = ()
    conversation = await placed(simulator, told, 1, Write(text="hello"))
    with process(replace(told, confirm_s=60.0)) as running:
        await answered(conversation)
        os.kill(int(running.pid or 0), signal.SIGTERM)
        with anyio.fail_after(8):
            assert await ended(running) == 0
    assert states(told) == {JobState.WORKING: 1}


async def test_the_work_of_a_process_that_died_is_gone_on_with_by_another(simulator, told):
    """One of another name, on the same database, once the first was not seen for long enough."""
    with process(replace(told, kill_job="first", kill_at=5)) as running:
        await listening(told.port)
        conversation = await placed(simulator, told, 1, Write(text="hello"))
        assert await ended(running) == -9
    with Database(told.store_url) as database:
        Workers(database).seen(told.worker, 1.0)
    with process(replace(told, worker="another")):
        await answered(conversation)
        await over(told, 1)
    assert [message.text for message in conversation.received] == ["You asked: hello."]

"""Processes that answer messages are killed with SIGKILL; every message is answered once, in order."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.context import ForkServerProcess

import anyio
import anyio.to_thread
import pytest

from tests.simulators.telephone_server import tone, wav
from tests.wire.whatsapp_process import HEARD, Told, started
from warmline.channels.whatsapp.addressee import Addressee
from warmline.channels.whatsapp.incoming import IncomingMessage, MessageKind
from warmline.server.whatsapp.policy import job_id_of
from warmline.simulators.recordings import pcm16k
from warmline.simulators.running import KEY, simulators_running
from warmline.simulators.whatsapp.conversation import PlacedConversation
from warmline.simulators.whatsapp.notes import voice_note
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.script import ScriptedStatus, WhatsAppScript
from warmline.simulators.whatsapp.steps import Speak, Wait, WaitForAnswer, Write
from warmline.simulators.whatsapp.webhooks import PHONE_NUMBER_ID
from warmline.store.database import Database
from warmline.store.messages import JobState, Messages

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

NOTE = voice_note(pcm16k(wav(tone(1.0))))


@pytest.fixture
async def running(anyio_backend):
    script = WhatsAppScript(
        key=KEY,
        statuses=(
            ScriptedStatus(status="sent", after_s=0.05),
            ScriptedStatus(status="delivered", after_s=0.1),
        ),
        webhook_retry_s=0.1,
        webhook_retry_growth=1.0,
    )
    async with simulators_running(only=["whatsapp"], scripts={"whatsapp": script}) as found:
        yield found


@pytest.fixture
def simulator(running):
    return running.simulators["whatsapp"]


@pytest.fixture
def told(running, tmp_path):
    return Told(
        port=_free_port(),
        store_url=f"sqlite:///{tmp_path / 'warmline.db'}",
        base_url=running.base_urls["whatsapp"],
        certificate=str(running.certificate),
        environment=running.environment,
        paid=str(tmp_path / "paid.txt"),
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def process(told: Told) -> Iterator[ForkServerProcess]:
    running = started(told)
    try:
        yield running
    finally:
        running.kill()
        running.join()


async def ended(process: ForkServerProcess) -> int | None:
    await anyio.to_thread.run_sync(process.join)
    return process.exitcode


def person(number: int) -> Person:
    return Person(phone=f"4477009{number:05}", user_id=f"GB.{number:012}")


def job_of(message_id: str) -> str:
    sent = IncomingMessage(
        id=message_id,
        phone_number_id=PHONE_NUMBER_ID,
        user_key="",
        to=Addressee(),
        kind=MessageKind.AUDIO,
        type="audio",
    )
    return job_id_of(sent)


async def placed(simulator, told, number, *steps, more_urls=()):
    urls = (f"http://127.0.0.1:{told.port}/whatsapp/webhook", *more_urls)
    return await simulator.place(PlacedConversation(person=person(number), webhook_urls=urls, steps=steps))


async def sent(conversation, count=1):
    with anyio.fail_after(10):
        while len(conversation.sent) < count:  # noqa: ASYNC110 - of what has no event
            await anyio.sleep(0.01)
    return [message.id for message in conversation.sent]


async def answered(conversation, count=1, within_s=30.0):
    with anyio.fail_after(within_s):
        while len(conversation.received) < count:  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def over(told, count):
    with anyio.fail_after(30):
        while states(told)[JobState.ANSWERED] < count:  # noqa: ASYNC110
            await anyio.sleep(0.05)


def states(told: Told) -> Counter[JobState]:
    with Database(told.store_url) as database:
        return Counter({state: n for state, n in Messages(database).counts().items() if n})


async def passed_places(simulator, told, tmp_path) -> list[str]:
    """Return the places that a voice message passes when nobody dies."""
    file = tmp_path / "places.txt"
    conversation = await placed(simulator, told, 1, Speak(audio=NOTE))
    [message] = await sent(conversation)
    with process(replace(told, kill_job=job_of(message), places=str(file))):
        await answered(conversation)
        await over(told, 1)
    return [*map(str, file.read_text().splitlines())]


async def test_killed_at_every_step_each_message_is_answered_once(simulator, told, tmp_path):
    """Before, in and behind each step, and on both sides of the call that sends."""
    places = await passed_places(simulator, told, tmp_path)
    assert len(places) > 20
    assert {"before hear", "in answer", "behind speak", "behind the call that sends"} <= set(places)
    conversations = []
    for place in range(1, len(places) + 1):
        conversation = await placed(simulator, told, 1 + place, Speak(audio=NOTE))
        conversations.append(conversation)
        [message] = await sent(conversation)
        with process(replace(told, kill_job=job_of(message), kill_at=place)) as running:
            with anyio.fail_after(30):
                assert await ended(running) == -9, f"it was to die {places[place - 1]}"
    with process(told):
        for conversation in conversations:
            await answered(conversation)
        await over(told, len(places) + 1)
        await anyio.sleep(1.5)
    for name, conversation in zip(places, conversations, strict=True):
        [answer] = conversation.received
        assert answer.is_voice, name
        assert answer.callback_data.endswith("/0"), name
    assert states(told) == {JobState.ANSWERED: len(places) + 1}


async def test_messages_that_waited_for_a_dead_process_are_answered_in_order(simulator, told):
    """All of one person's, in whatever order they are told again; the first is cut short again and again.

    Each is told again often: one that nobody was told of yet can't be waited for.
    """
    simulator.script.webhook_retry_s, simulator.script.webhook_retry_growth = 0.2, 1.0
    with process(replace(told, kill_job="first", kill_at=4)) as running:
        await listening(told.port)
        steps = [step for number in range(4) for step in (Write(text=f"question {number}"), Wait(wait_s=1.1))]
        conversation = await placed(simulator, told, 1, *steps)
        messages = await sent(conversation, 4)
        assert await ended(running) == -9
    again = replace(told, kill_job=job_of(messages[0]))
    for kill_at, kill_after_s in ((1, 1.5), (6, 0.0), (9, 0.0), (12, 0.0), (14, 0.0)):
        with process(replace(again, kill_at=kill_at, kill_after_s=kill_after_s)) as running:
            with anyio.fail_after(20):
                assert await ended(running) == -9
    assert _are_told(conversation, messages)
    with process(told):
        await answered(conversation, 4)
        await anyio.sleep(1.0)
    assert [message.text for message in conversation.received] == [
        f"You asked: question {number}." for number in range(4)
    ]
    assert [message.reply_to for message in conversation.received] == messages


def _are_told(conversation, messages):
    """Whether a process has taken every message."""
    webhooks = [each for each in conversation.report().webhooks if not set(messages).isdisjoint(each.ids)]
    return all(any(attempt.status == 200 for attempt in each.attempts) for each in webhooks)


async def test_one_delivery_to_two_processes_five_times_at_once_is_answered_once(
    simulator, told, postgres_url, tmp_path
):
    """On one PostgreSQL; twenty people at the same time."""
    simulator.script.webhook_copies = 5
    first = replace(told, store_url=postgres_url, worker="first")
    second = replace(first, worker="second", port=_free_port())
    with process(first), process(second):
        await listening(first.port, second.port)
        conversations = [
            await placed(
                simulator,
                first,
                number,
                Speak(audio=NOTE),
                Wait(wait_s=1.1),
                Write(text="and tomorrow?"),
                WaitForAnswer(messages=2),
                more_urls=(f"http://127.0.0.1:{second.port}/whatsapp/webhook",),
            )
            for number in range(20)
        ]
        for conversation in conversations:
            await answered(conversation, 2, within_s=60)
        await over(first, 40)
        await anyio.sleep(1.0)
    copies = [len(webhook.attempts) for webhook in simulator.business.telling.log]
    assert sum(copies) >= 5 * 40
    for conversation in conversations:
        spoken, written = conversation.received
        assert spoken.is_voice
        assert written.text == "You asked: and tomorrow?."
    paid = Counter((tmp_path / "paid.txt").read_text().split())
    assert paid == {"heard": 20, "answered": 40, "spoken": 20}
    assert states(first) == {JobState.ANSWERED: 40}


async def listening(*ports: int) -> None:
    for port in ports:
        with anyio.fail_after(20):
            while True:
                try:
                    stream = await anyio.connect_tcp("127.0.0.1", port)
                except OSError:
                    await anyio.sleep(0.05)
                else:
                    await stream.aclose()
                    break


async def test_what_was_heard_is_what_was_asked(simulator, told):
    """The words of the recording reach the model, and the person hears the answer's length."""
    conversation = await placed(simulator, told, 1, Speak(audio=NOTE))
    with process(told):
        await answered(conversation)
        await over(told, 1)
    [answer] = conversation.received
    assert answer.seconds == pytest.approx(1.0, abs=0.1)
    with Database(told.store_url) as database:
        [job] = Messages(database).listed()
    assert (job.heard, job.answer) == (HEARD, f"You asked: {HEARD}.")

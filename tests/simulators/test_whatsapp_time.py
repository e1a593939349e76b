"""What the simulated WhatsApp takes its time for, on the jumping clock; the server is in memory."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from warmline.core.clock import Clock
from warmline.simulators.whatsapp.bodies import Receipt, Sending
from warmline.simulators.whatsapp.business import Business
from warmline.simulators.whatsapp.conversation import Conversation, PlacedConversation
from warmline.simulators.whatsapp.errors import Refused
from warmline.simulators.whatsapp.people import Person
from warmline.simulators.whatsapp.rehearsal import Prepared
from warmline.simulators.whatsapp.script import ScriptedStatus, WhatsAppScript
from warmline.simulators.whatsapp.steps import React, SendImage, SendOther, Wait, WaitForAnswer, Write
from warmline.simulators.whatsapp.webhooks import signature
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

SECRET = "app-secret"
ANN = Person(phone="447700900123")
BOB = Person(user_id="US.13491208655302741918", username="bob")
URL = "http://server/webhook"


class Server:
    """The simulator's surroundings, with a server that answers webhooks as it is told to."""

    def __init__(self, tasks: anyio.abc.TaskGroup, **script: Any) -> None:
        self.script = WhatsAppScript(**script)
        self.clock: Clock = LoopClock()
        self.client: Any = self
        self.start: Any = tasks.start_soon
        self.statuses: list[int] = []
        """One after another, and then 200; 0: no answer at all."""

        self.told: list[tuple[float, str, str]] = []
        """When, where, and of what."""

        self.bodies: list[dict[str, Any]] = []
        self.signatures_fit: list[bool] = []

    @asynccontextmanager
    async def post(self, url, *, data, headers, timeout, allow_redirects):  # noqa: ASYNC109 - aiohttp's
        body = json.loads(data)
        self.bodies.append(body)
        self.signatures_fit.append(headers["x-hub-signature-256"] == signature(SECRET, data))
        names = [
            f"{item['id'][-6:]}{item['status']}" if "status" in item else item.get("text", item)["body"]
            for change in body["entry"][0]["changes"]
            for item in (*change["value"].get("messages", ()), *change["value"].get("statuses", ()))
            if "status" in item or "text" in item
        ]
        self.told.append((round(self.clock.now_s(), 2), url, " ".join(names)))
        status = self.statuses.pop(0) if self.statuses else 200
        if not status:
            await anyio.sleep(timeout.total)
            raise TimeoutError
        yield SimpleNamespace(status=status)

    @property
    def texts(self) -> list[tuple[float, str]]:
        return [(at_s, text) for at_s, _, text in self.told]


@asynccontextmanager
async def business(**script: Any):
    async with anyio.create_task_group() as tasks:
        server = Server(tasks, **script)
        made = Business(server, SECRET)
        made.urls = (URL,)
        yield made, server


def write(made: Business, text: str, person: Person = ANN):
    return made.write(made.chat_with(person), {"type": "text", "text": {"body": text}}, text=text)


def text_to(person: Person, body: str = "hi", **fields: Any) -> Sending:
    values: dict[str, Any] = {"reply_to": "", "callback_data": "", "type": "text", "content": {"body": body}}
    return Sending(to=person.wa_id, user_id="" if person.wa_id else person.user_id, **{**values, **fields})


async def test_a_server_that_is_down_gets_its_webhooks_later():
    """Again after 1, 2 and 4 s; the second one waits for its answer first."""
    async with business(webhook_timeout_s=10) as (made, server):
        server.statuses = [503, 0, 404, 200]
        sent = write(made, "hello")
    assert server.texts == [(0.0, "hello"), (1.0, "hello"), (13.0, "hello"), (17.0, "hello")]
    assert sent.told_at_s == pytest.approx(17.0)
    assert [attempt.status for attempt in made.telling.log[0].attempts] == [503, 0, 404, 200]
    assert all(server.signatures_fit)


async def test_a_webhook_that_is_never_taken_is_lost():
    async with business(webhook_retry_for_s=7.0) as (made, server):
        server.statuses = [500] * 10
        sent = write(made, "hello")
    assert [at_s for at_s, _ in server.texts] == [0.0, 1.0, 3.0, 7.0]
    assert sent.told_at_s is None


async def test_anything_but_200_is_no_answer():
    async with business() as (made, server):
        server.statuses = [201, 302]
        write(made, "hello")
    assert len(server.texts) == 3


async def test_copies_go_to_all_processes_of_a_server_at_once():
    async with business(webhook_copies=3) as (made, server):
        made.urls = ("http://one", "http://two")
        write(made, "hello")
    assert [(at_s, url) for at_s, url, _ in server.told] == [
        (0.0, "http://one"),
        (0.0, "http://two"),
        (0.0, "http://one"),
    ]
    assert server.bodies[0] == server.bodies[1] == server.bodies[2]


async def test_processes_take_turns():
    async with business() as (made, server):
        made.urls = ("http://one", "http://two")
        for text in "abc":
            write(made, text)
    assert sorted((url, text) for _, url, text in server.told) == [
        ("http://one", "a"),
        ("http://one", "c"),
        ("http://two", "b"),
    ]


async def test_messages_that_are_sent_together_come_in_one_webhook():
    async with business(webhook_batch=3) as (made, server):
        for text, person in (("a", ANN), ("b", BOB), ("c", ANN), ("d", ANN)):
            write(made, text, person)
        await anyio.sleep(0.2)
        write(made, "e")
        await anyio.sleep(1)
        write(made, "f")
    assert server.texts == [(0.0, "a b c"), (0.25, "d e"), (1.45, "f")]
    (change,) = server.bodies[0]["entry"][0]["changes"]
    assert len(change["value"]["contacts"]) == 2


async def test_webhooks_overtake_each_other_in_pairs():
    async with business(webhook_reorder=True) as (made, server):
        for text in "abcd":
            write(made, text)
        await anyio.sleep(1)
        write(made, "e")
    told = [text for _, text in server.texts]
    assert told.index("b") < told.index("a")
    assert told.index("d") < told.index("c")
    assert server.texts[-1] == (1.25, "e")


async def test_webhooks_may_be_late_and_forged():
    async with business(webhook_delay_ms=400, webhook_forged=True) as (made, server):
        write(made, "hello")
    assert server.texts == [(0.4, "hello")]
    assert server.signatures_fit == [False]


async def test_somebody_with_a_server_of_their_own_is_told_of_there_alone():
    async with business() as (made, server):
        made.chat_with(ANN).urls = ("http://mine",)
        write(made, "hello")
        await made.accept(text_to(ANN))
    assert {url for _, url, _ in server.told} == {"http://mine"}
    assert len(server.told) == 4


async def test_statuses_come_when_and_in_the_order_in_which_they_are_scripted():
    """Read before delivered, as it happens; what is played is a voice note."""
    statuses = (
        ScriptedStatus(status="delivered", after_s=3),
        ScriptedStatus(status="read", after_s=1),
        ScriptedStatus(status="played", after_s=2),
        ScriptedStatus(status="sent", after_s=0),
    )
    async with business(statuses=statuses) as (made, server):
        write(made, "hello")
        accepted = await made.accept(text_to(ANN, callback_data="job:1"))
    items = [body["entry"][0]["changes"][0]["value"].get("statuses", [{}])[0] for body in server.bodies[1:]]
    assert [(at_s, item["status"]) for (at_s, _), item in zip(server.texts[1:], items, strict=True)] == [
        (0.0, "sent"),
        (1.0, "read"),
        (3.0, "delivered"),
    ]
    assert {item["biz_opaque_callback_data"] for item in items} == {"job:1"}
    assert {item["id"] for item in items} == {accepted.id}
    assert {item["recipient_id"] for item in items} == {ANN.wa_id}
    assert [each.told_at_s for each in accepted.statuses] == pytest.approx([0.0, 1.0, 3.0], abs=0.01)


async def test_a_voice_note_is_played():
    async with business() as (made, server):
        write(made, "hello")
        file = made.files.add("audio/ogg", b"OggS", 0.0)
        content = {"id": file.id, "voice": True}
        # What it holds is no sound, so it fails; a text does not.
        await made.accept(text_to(ANN, type="audio", content=content))
    errors = server.bodies[-1]["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"]
    assert (errors[0]["code"], errors[0]["title"]) == (131053, "Media upload error")
    assert made.chat_with(ANN).received == []


async def test_nobody_is_written_to_who_has_not_written_for_a_day():
    template: Any = {"type": "template", "content": {"name": "hello", "language": {"code": "en"}}}
    async with business() as (made, _):
        to_stranger = await made.accept(text_to(BOB))
        write(made, "hello")
        in_time = await made.accept(text_to(ANN))
        for _ in range(24):
            await anyio.sleep(3_601)
        too_late = await made.accept(text_to(ANN))
        by_template = await made.accept(text_to(ANN, **template))
        write(made, "still there")
        again = await made.accept(text_to(ANN))
    every = (to_stranger, in_time, too_late, by_template, again)
    assert [each.failed_code for each in every] == [131047, 0, 131047, 0, 0]
    assert [status.status for status in too_late.statuses] == ["failed"]
    assert [each.id for each in made.chat_with(ANN).received] == [in_time.id, by_template.id, again.id]


async def test_a_message_fails_where_that_is_asked_for():
    async with business(window_s=0) as (made, server):
        accepted = await made.accept(text_to(ANN, callback_data="job:1"), fails_with=131026)
    (at_s, told), (status,) = server.texts[0], accepted.statuses
    assert (at_s, told) == (0.3, f"{accepted.id[-6:]}failed")
    assert (status.status, status.code) == ("failed", 131026)
    (item,) = server.bodies[0]["entry"][0]["changes"][0]["value"]["statuses"]
    assert item["biz_opaque_callback_data"] == "job:1"
    assert "pricing" not in item


async def test_somebody_who_keeps_their_number_to_themselves_is_reached_by_their_id_alone():
    async with business() as (made, server):
        write(made, "hello", BOB)
        assert (await made.accept(text_to(BOB))).failed_code == 0
    (message,) = server.bodies[0]["entry"][0]["changes"][0]["value"]["messages"]
    assert message["from_user_id"] == BOB.user_id
    assert "from" not in message
    status = server.bodies[1]["entry"][0]["changes"][0]["value"]["statuses"][0]
    assert status["recipient_user_id"] == BOB.user_id
    assert "recipient_id" not in status


async def test_somebody_with_both_is_reached_by_either_and_a_new_number_is_theirs():
    both = Person(phone="447700900123", user_id="GB.1")
    async with business() as (made, _):
        write(made, "by number alone, at first")
        write(made, "hello", both)
        for to in (Person(phone=both.phone), Person(user_id="GB.1")):
            await made.accept(text_to(to))
        made.chat_with(Person(phone="447700900999", user_id="GB.1"))
        moved = await made.accept(text_to(Person(phone="447700900999")))
        gone = await made.accept(text_to(ANN))
    (chat, other) = made.chats
    assert (len(chat.received), moved.failed_code) == (3, 0)
    assert (other.person.key, gone.failed_code) == (ANN.wa_id, 131047)


async def test_a_business_sends_one_person_a_burst_and_then_one_at_a_time():
    async with business(pair_burst=2) as (made, _):
        write(made, "hello")
        write(made, "hello", BOB)
        for _ in range(2):
            await made.accept(text_to(ANN))
        with pytest.raises(Refused) as refused:
            await made.accept(text_to(ANN))
        assert (refused.value.code, refused.value.status) == (131056, 429)
        await made.accept(text_to(BOB))
        await anyio.sleep(6)
        await made.accept(text_to(ANN))
    assert len(made.chat_with(ANN).received) == 3


async def test_a_business_sends_so_many_a_second():
    async with business(messages_per_s=1, window_s=0) as (made, _):
        await made.accept(text_to(ANN))
        with pytest.raises(Refused) as refused:
            await made.accept(text_to(BOB))
        assert refused.value.code == 130429
        await anyio.sleep(1)
        await made.accept(text_to(BOB))


async def test_it_does_not_write_to_itself():
    async with business() as (made, _):
        with pytest.raises(Refused) as refused:
            await made.accept(text_to(Person(phone="+1 555 000 2222")))
    assert refused.value.code == 131021


async def test_what_was_read_is_shown_once_and_typing_until_something_comes():
    async with business() as (made, _):
        sent = write(made, "hello")
        chat = made.chat_with(ANN)
        await anyio.sleep(1)
        made.receive_receipt(Receipt(sent.id, shows_typing=True))
        await anyio.sleep(1)
        made.receive_receipt(Receipt(sent.id, shows_typing=True))
        assert chat.typing_until_s == pytest.approx(27.0)
        await made.accept(text_to(ANN))
        assert chat.typing_until_s == 0.0
        with pytest.raises(Refused) as refused:
            made.receive_receipt(Receipt("wamid.of-nobody", shows_typing=False))
    assert refused.value.code == 131009
    assert (sent.read_at_s, sent.typing_at_s) == pytest.approx((1.0, 1.0))


@asynccontextmanager
async def conversing(*steps: Any, prepared: Any = (), person: Person = ANN, **script: Any):
    """Have a person do something; yield the business, and what goes on."""
    async with business(**script) as (made, server):
        files = [*prepared, *[None] * (len(steps) - len(prepared))]
        conversation = Conversation(made, PlacedConversation(person=person, steps=steps), files)
        server.start(conversation.run)
        await anyio.sleep(0.1)
        yield made, server, conversation


async def test_the_next_message_waits_for_the_answer_and_for_quiet():
    """Two parts 1.5 s apart are one answer, and what is being written is waited for."""
    async with conversing(Write(text="one"), WaitForAnswer(), Write(text="two"), WaitForAnswer()) as (
        made,
        _,
        conversation,
    ):
        for body, after_s in (("1a", 0.9), ("1b", 1.5)):
            await anyio.sleep(after_s)
            await made.accept(text_to(ANN, body))
        made.receive_receipt(Receipt(conversation.sent[0].id, shows_typing=True))
        await anyio.sleep(10)
        await made.accept(text_to(ANN, "1c"))
        await anyio.sleep(3)
        await made.accept(text_to(ANN, "2a"))
        report = await conversation.over()
    # The answer's last part came at 12.5 s, and two seconds of quiet follow.
    assert [round(message.at_s, 2) for message in report.sent] == [0.0, 14.5]
    texts = {message.id: message.text for message in report.received}
    assert [[texts[each] for each in turn.answers] for turn in report.turns] == [["1a", "1b", "1c"], ["2a"]]
    assert [turn.answer_ms for turn in report.turns] == pytest.approx([1000.0, 1000.0], abs=5)
    assert (report.state, report.ended_at_s) == ("over", pytest.approx(17.5, abs=0.01))


async def test_somebody_who_gets_no_answer_goes_on():
    steps = (Write(text="one"), WaitForAnswer(within_s=5), Write(text="two"), WaitForAnswer(within_s=5))
    async with conversing(*steps) as (_, _, conversation):
        report = await conversation.over()
    assert [round(message.at_s, 2) for message in report.sent] == [0.0, 5.0]
    assert [turn.answers for turn in report.turns] == [[], []]
    assert report.ended_at_s == pytest.approx(10.0, abs=0.01)


async def test_an_answer_may_have_to_have_several_messages():
    async with conversing(Write(text="one"), WaitForAnswer(messages=2, quiet_s=0)) as (made, _, conversation):
        await made.accept(text_to(ANN))
        await anyio.sleep(5)
        assert not conversation.is_over
        await made.accept(text_to(ANN))
        report = await conversation.over()
    assert report.ended_at_s == pytest.approx(5.1, abs=0.01)


async def test_people_send_more_than_words():
    image = Prepared("image/png", b"png")
    steps = (SendImage(caption="look"), React(), SendOther(), Wait(wait_s=2), React(emoji=""), SendOther())
    async with conversing(*steps, prepared=[image]) as (made, server, conversation):
        await made.accept(text_to(ANN, "hi"))
        report = await conversation.over()
    messages = {}
    for body in server.bodies:
        for message in body["entry"][0]["changes"][0]["value"].get("messages", ()):
            messages[message["id"]] = message
    ordered = [messages[sent.id] for sent in report.sent]
    assert [message["type"] for message in ordered] == [
        "image",
        "reaction",
        "unsupported",
        "reaction",
        "unsupported",
    ]
    assert made.files.find(ordered[0]["image"]["id"], made.now_s) is not None
    assert (ordered[0]["image"]["caption"], report.sent[0].text) == ("look", "look")
    # The first reaction came before anything could be reacted to but what they sent themselves.
    assert ordered[1]["reaction"] == {"message_id": report.sent[0].id, "emoji": "\N{THUMBS UP SIGN}"}
    assert ordered[3]["reaction"] == {"message_id": report.received[0].id}
    assert ordered[2]["errors"][0]["code"] == 131051


async def test_a_message_may_quote_the_last_one():
    async with conversing(Wait(wait_s=1), Write(text="yes", replies=True), person=ANN) as (
        made,
        server,
        conversation,
    ):
        asked = await made.accept(
            text_to(ANN, type="template", content={"name": "ask", "language": {"code": "en"}})
        )
        await conversation.over()
    quoting = [
        item for body in server.bodies for item in body["entry"][0]["changes"][0]["value"].get("messages", ())
    ]
    assert quoting[0]["context"] == {"from": "15550002222", "id": asked.id}

"""What WhatsApp tells is kept once, whatever way it comes; what others tell in its name is not."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette

from warmline.channels.whatsapp.signature import SIGNATURE, WhatsAppSignatures
from warmline.server.whatsapp.engine import JobEngine, Queued, queued
from warmline.server.whatsapp.receiving import Receiving
from warmline.server.whatsapp.routes import WHATSAPP_WEBHOOK, whatsapp_routes
from warmline.store.database import Database
from warmline.store.messages import JobState, Messages
from warmline.store.outbox import Outbox, SendState

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SECRET = "app-secret"
VERIFY_TOKEN = "a word of ours"
NOW_S = 1_795_132_900.25
FORGERIES = 1_000
NUMBERS = ("48600100200", "4915112345678", "US.13491")
WRONG: list[Any] = [None, 1, [], {}, [[]], [None], {"id": 1}, [{"id": ""}], [{"type": "text"}]]
TABLES = ("whatsapp_jobs", "whatsapp_sends", "whatsapp_statuses", "whatsapp_notes")


class Engine:
    """Notes what it is to do."""

    def __init__(self) -> None:
        self.queued: list[Queued] = []
        self.problems: list[Exception] = []

    def enqueue(self, wanted: Queued) -> None:
        if self.problems:
            raise self.problems.pop()
        self.queued.append(wanted)


class House:
    """Receiving, and what is behind it."""

    def __init__(self, database: Database, phone_number_id: str = "") -> None:
        self.database = database
        self.messages, self.outbox, self.engine = Messages(database), Outbox(database), Engine()
        self.receiving = Receiving(
            WhatsAppSignatures(SECRET),
            self.messages,
            self.outbox,
            cast("JobEngine", self.engine),
            lambda: NOW_S,
            phone_number_id=phone_number_id,
        )

    async def tell(self, body: object, **headers: str) -> HTTPStatus:
        """Return how a webhook is answered that is signed, unless a signature is given."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, why = await self.receiving.receive(raw, headers or signed(raw))
        assert bool(why) is (status is not HTTPStatus.OK)
        return status

    def rows(self) -> int:
        with self.database.engine.connect() as connection:
            counts = [
                connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar() for table in TABLES
            ]
        return sum(count or 0 for count in counts)


@pytest.fixture
def database(tmp_path):
    with Database(f"sqlite:///{tmp_path}/warmline.db") as database:
        yield database


@pytest.fixture
def house(database):
    return House(database)


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {SIGNATURE: f"sha256={WhatsAppSignatures(secret).sign(body).hex()}"}


def text(number: int, sender: str = NUMBERS[0], **others: Any) -> dict[str, Any]:
    return {
        "from": sender, "id": f"wamid.{number}", "timestamp": str(1_795_132_800 + number), "type": "text",
        "text": {"body": f"question {number}"}, **others,
    }  # fmt: skip


def status(state: str, message_id: str, callback_data: str = "", *, code: int = 0) -> dict[str, Any]:
    errors = {"errors": [{"code": code, "title": "Undeliverable"}]} if code else {}
    data = {"biz_opaque_callback_data": callback_data} if callback_data else {}
    return {
        "id": message_id,
        "status": state,
        "timestamp": "1795132850",
        "recipient_id": "48",
        **data,
        **errors,
    }


def change(
    *messages: dict[str, Any], statuses: tuple[dict[str, Any], ...] = (), to: str = "111"
) -> dict[str, Any]:
    value = {"metadata": {"phone_number_id": to}, "messages": list(messages), "statuses": list(statuses)}
    return {"field": "messages", "value": value}


def webhook(*changes: dict[str, Any]) -> dict[str, Any]:
    entries = [{"id": "WABA", "changes": [each]} for each in changes]
    return {"object": "whatsapp_business_account", "entry": entries}


async def test_a_message_is_kept_and_then_queued(house):
    """As it came: whoever answers it knows nothing else."""
    assert await house.tell(webhook(change(text(1)))) is HTTPStatus.OK
    [job] = house.messages.listed()
    assert (job.user_key, job.phone_number_id, job.kind, job.state) == (
        NUMBERS[0],
        "111",
        "text",
        JobState.QUEUED,
    )
    assert (job.sent_s, job.received_s) == (1_795_132_801, NOW_S)
    assert json.loads(job.message)["text"] == "question 1"
    assert house.engine.queued == [queued(job)]
    assert NUMBERS[0] not in str(house.engine.queued)


async def test_many_messages_and_statuses_in_one_webhook_are_each_taken(house):
    house.outbox.intend("job", 0)
    body = webhook(
        change(text(1), text(2, NUMBERS[1]), text(3)),
        change(statuses=(status("delivered", "wamid.out", "job/0"),)),
        {"field": "account_update", "value": {"event": "none of ours"}},
        change(text(4, type="unsupported")),
    )
    assert await house.tell(body) is HTTPStatus.OK
    assert len(house.messages.listed()) == len(house.engine.queued) == 4
    assert [send.state for send in house.outbox.of("job")] == [SendState.ACCEPTED]


async def test_a_webhook_that_comes_again_changes_nothing(house):
    """Unless the message waits still: its process may have died before it was queued."""
    body = webhook(change(text(1)))
    for _ in range(3):
        assert await house.tell(body) is HTTPStatus.OK
    assert len(house.messages.listed()) == 1
    assert len(house.engine.queued) == 3
    assert len(set(house.engine.queued)) == 1
    house.messages.change(house.engine.queued[0].job_id, state=JobState.ANSWERED)
    assert await house.tell(body) is HTTPStatus.OK
    assert len(house.engine.queued) == 3


async def test_a_message_that_was_kept_and_could_not_be_queued_is_queued_when_it_comes_again(house):
    house.engine.problems = [sa.exc.OperationalError("x", {}, Exception("locked"))]
    body = webhook(change(text(1)))
    with pytest.raises(sa.exc.OperationalError):
        await house.tell(body)
    assert house.engine.queued == []
    assert await house.tell(body) is HTTPStatus.OK
    assert len(house.engine.queued) == len(house.messages.listed()) == 1


async def test_a_message_of_somebody_who_was_forgotten_is_not_answered_when_it_comes_again(house):
    body = webhook(change(text(1)))
    await house.tell(body)
    house.messages.forget(NUMBERS[0])
    await house.tell(body)
    assert len(house.engine.queued) == 1
    assert house.messages.listed(user_key=NUMBERS[0]) == []


async def test_messages_are_queued_by_when_they_were_sent_in_whatever_order_they_come(house):
    """And those of one second in the order in which they stand in the webhook."""
    numbers = list(range(1, 21))
    random.Random(7).shuffle(numbers)
    for number in numbers:
        assert await house.tell(webhook(change(text(number)))) is HTTPStatus.OK
    by_priority = sorted(house.engine.queued, key=lambda each: (each.priority, each.name))
    sent = [house.messages.get(each.job_id).sent_s for each in by_priority]
    assert sent == [1_795_132_800 + number for number in range(1, 21)]


async def test_messages_to_another_number_are_left_alone(database):
    """An account may have numbers that other programs answer."""
    house = House(database, phone_number_id="111")
    assert await house.tell(webhook(change(text(1), to="222"), change(text(2)))) is HTTPStatus.OK
    assert [job.phone_number_id for job in house.messages.listed()] == ["111"]
    assert len(house.engine.queued) == 1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["read", "delivered", "sent"], SendState.ACCEPTED),
        (["played"], SendState.ACCEPTED),
        (["sent", "failed"], SendState.FAILED),
        (["failed", "sent"], SendState.FAILED),
        (["something new"], SendState.CALLING),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_a_message_whose_call_got_no_answer_is_known_by_what_is_told_of_it(house, told, expected):
    """In whatever order, and twice."""
    house.outbox.intend("job", 0)
    house.outbox.begin_call("job/0", NOW_S)
    for state in told * 2:
        code = 131026 if state == "failed" else 0
        await house.tell(webhook(change(statuses=(status(state, "wamid.out", "job/0", code=code),))))
    assert [send.state for send in house.outbox.of("job")] == [expected]
    assert len(house.outbox.statuses("job")) == len(told)


@pytest.mark.parametrize(("parts", "state"), [(1, JobState.FAILED), (2, JobState.PARTLY)])
async def test_an_answer_that_does_not_arrive_after_all_is_known_to_have_failed(house, parts, state):
    """And why; but not while somebody works on it, who meets the failure himself."""
    await house.tell(webhook(change(text(1))))
    [job] = house.messages.listed()
    for part in range(parts):
        house.outbox.intend(job.id, part)
        house.outbox.accepted(f"{job.id}/{part}", f"wamid.out{part}", NOW_S)
    failed = webhook(change(statuses=(status("failed", "wamid.out0", f"{job.id}/0", code=131026),)))
    house.messages.change(job.id, state=JobState.ANSWERED)
    await house.tell(failed)
    found = house.messages.get(job.id)
    assert found.state is state
    assert "131026" in found.reason


async def test_a_failure_that_is_told_while_the_answer_is_still_sent_is_left_to_who_sends_it(house):
    await house.tell(webhook(change(text(1))))
    [job] = house.messages.listed()
    house.outbox.intend(job.id, 0)
    await house.tell(webhook(change(statuses=(status("failed", "wamid.out", f"{job.id}/0", code=131026),))))
    assert house.messages.get(job.id).state is JobState.QUEUED
    assert [send.state for send in house.outbox.of(job.id)] == [SendState.FAILED]


def forgery(chance: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return a webhook that is right but for its signature."""
    body = json.dumps(webhook(change(text(chance.randrange(10**9), chance.choice(NUMBERS))))).encode()
    right = signed(body)[SIGNATURE]
    digits = list(right)
    place = chance.randrange(len("sha256="), len(right))
    digits[place] = chance.choice([digit for digit in "0123456789abcdef" if digit != digits[place]])
    other = bytearray(body)
    other[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return chance.choice([
        (body, {}),
        (body, {SIGNATURE: ""}),
        (body, {SIGNATURE: "".join(digits)}),
        (body, {SIGNATURE: right.replace("sha256", "sha1")}),
        (body, {SIGNATURE: right.removeprefix("sha256=")}),
        (body, {SIGNATURE: right[: chance.randrange(len(right))]}),
        (body, {SIGNATURE: f"{right}, {right}"}),
        (body, signed(body, chance.choice(["app-secre", "App-secret", "wrong"]))),
        (body, {"x-hub-signature": right}),
        (bytes(other), {SIGNATURE: right}),
        (body + b" ", {SIGNATURE: right}),
        (json.dumps(json.loads(body), indent=1).encode(), {SIGNATURE: right}),
        (b"", {SIGNATURE: right}),
    ])


async def test_a_thousand_forged_webhooks_are_refused_and_leave_nothing(house):
    chance = random.Random(2026)
    for _ in range(FORGERIES):
        body, headers = forgery(chance)
        answered, why = await house.receiving.receive(body, headers)
        assert (answered, bool(why)) == (HTTPStatus.UNAUTHORIZED, True), (body, headers)
    assert (house.rows(), house.engine.queued) == (0, [])


def malformed(chance: random.Random) -> bytes:
    """Return what is no JSON object."""
    body = json.dumps(webhook(change(text(chance.randrange(10**9))))).encode()
    place = chance.randrange(len(body))
    return chance.choice([
        body[:place],
        body[place + 1 :],
        body + chance.choice([b"}", b",", b"\0", b"{}"]),
        body.replace(b'"', b"'"),
        body.replace(b"question", b"\xff\xfe"),
        chance.randbytes(chance.randrange(200)),
        json.dumps(chance.choice([None, 3, "text", [], [json.loads(body)], True])).encode(),
        b"[" * chance.randrange(1, 100_000),
        b'{"entry":' * chance.randrange(1, 20_000),
        b"NaN",
    ])


async def test_a_thousand_malformed_webhooks_are_refused_and_leave_nothing(house):
    """Though they are signed: by us, as it were."""
    chance = random.Random(2027)
    for _ in range(FORGERIES):
        body = malformed(chance)
        assert await house.tell(body) is HTTPStatus.BAD_REQUEST, body[:200]
    assert (house.rows(), house.engine.queued) == (0, [])


async def test_a_thousand_webhooks_of_another_shape_are_taken_and_leave_nothing(house):
    """WhatsApp is not to send them again: it would never be understood."""
    chance = random.Random(2028)
    for _ in range(FORGERIES):
        wrong = chance.choice(WRONG)
        message = {**text(1), chance.choice(["id", "type", "from"]): wrong}
        value = {"metadata": {"phone_number_id": "111"}, "messages": [message], "statuses": [{"id": wrong}]}
        body: object = chance.choice([
            {"entry": wrong},
            {"entry": [{"changes": wrong}]},
            {"entry": [{"changes": [{"field": "messages", "value": wrong}]}]},
            {"entry": [{"changes": [{"field": "messages", "value": {**value, "messages": wrong}}]}]},
            webhook({"field": "messages", "value": value}),
            webhook({"field": "messages", "value": {**value, "messages": [text(1)], "metadata": wrong}}),
        ])
        assert await house.tell(body) is HTTPStatus.OK, body
    assert (house.rows(), house.engine.queued) == (0, [])


@pytest.fixture
async def client(house) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=[*whatsapp_routes(house.receiving, VERIFY_TOKEN)])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://warmline") as client:
        yield client


async def test_the_webhook_s_address_is_confirmed_to_who_knows_our_word(client):
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY_TOKEN}
    answer = await client.get(WHATSAPP_WEBHOOK, params=query)
    assert (answer.status_code, answer.text) == (HTTPStatus.OK, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "another"}, {"hub.mode": "unsubscribe"}, {"hub.challenge": ""}):
        refused = await client.get(WHATSAPP_WEBHOOK, params=query | wrong)
        assert refused.status_code == HTTPStatus.FORBIDDEN
        assert VERIFY_TOKEN not in refused.text


async def test_a_webhook_is_answered_when_it_is_kept_and_refused_with_the_reason(client, house):
    body = json.dumps(webhook(change(text(1)))).encode()
    taken = await client.post(WHATSAPP_WEBHOOK, content=body, headers=signed(body))
    assert (taken.status_code, taken.json()) == (HTTPStatus.OK, {"received": True})
    assert len(house.messages.listed()) == 1
    for content, headers, expected in (
        (body, {}, HTTPStatus.UNAUTHORIZED),
        (body, signed(body, "wrong"), HTTPStatus.UNAUTHORIZED),
        (b"{", signed(b"{"), HTTPStatus.BAD_REQUEST),
    ):
        refused = await client.post(WHATSAPP_WEBHOOK, content=content, headers=headers)
        assert refused.status_code == expected
        assert refused.json()["error"]["message"]
        assert SECRET not in refused.text


async def test_a_webhook_that_is_too_large_is_refused_before_it_is_read_whole(client, house):
    """Three megabytes are the most that WhatsApp sends."""
    large = json.dumps(
        webhook(*(change(text(number)) for number in range(2)), {"padding": "x" * 3_000_000})
    ).encode()
    taken = await client.post(WHATSAPP_WEBHOOK, content=large, headers=signed(large))
    assert taken.status_code == HTTPStatus.OK
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield b"x" * 65_536

    refused = await client.post(WHATSAPP_WEBHOOK, content=endless(), headers=signed(b""))
    assert refused.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert read < 5_000_000
    assert len(house.messages.listed()) == 2


async def test_while_the_database_fails_webhooks_are_to_come_again(client, house, caplog):
    """503 has WhatsApp send it again, for days; and nothing of it is in the log."""
    house.engine.problems = [sa.exc.OperationalError("INSERT", {"text": "question 1"}, Exception("locked"))]
    body = json.dumps(webhook(change(text(1)))).encode()
    refused = await client.post(WHATSAPP_WEBHOOK, content=body, headers=signed(body))
    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "question" not in caplog.text
    again = await client.post(WHATSAPP_WEBHOOK, content=body, headers=signed(body))
    assert again.status_code == HTTPStatus.OK
    assert len(house.engine.queued) == 1

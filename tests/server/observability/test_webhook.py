import base64
import hashlib
import hmac
import json
import logging
from contextlib import asynccontextmanager

import anyio
import pytest
from aiohttp import web

from warmline.core.clock import unix_now_s
from warmline.pool.lines import Lines
from warmline.pool.retrying import RetryPolicy
from warmline.reporting.goals import CANCELLATION, Verdict
from warmline.server.observability import webhook as module
from warmline.server.observability.alerts import GoalChange, GoalRow
from warmline.server.observability.goal_states import AlertState
from warmline.server.observability.webhook import message, opened_webhook, signature_headers
from warmline.server.settings import load_settings

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

SECRET = "a-secret-of-some-length"


def change(event="goal.broken", name="voice_first_audio", **fields):
    row = GoalRow(**{
        "name": name,
        "words": "Voice's first audio",
        "limit": "p90 within 500 ms",
        "at_least": 0.0,
        "at_most": 500.0,
        "measured": 901.5,
        "is_rate": False,
        "verdict": Verdict.BROKEN,
        "samples": 48,
        "state": AlertState.FIRING,
        "since_unix_s": 1_795_250_000.0,
        **fields,
    })
    return GoalChange(event, row, 1_795_250_001.0, "Look at the connections.")


class Receiver:
    """Somebody's webhook: answers what it is told to, and keeps what came."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.came = []
        self.changed = anyio.Event()

    async def take(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.came.append((headers, await request.read(), request.path_qs))
        self.changed.set()
        self.changed = anyio.Event()
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "drop":
            request.transport.abort()
        return web.Response(status=answer if isinstance(answer, int) else 200, text="ok")

    async def until(self, count):
        with anyio.fail_after(10):
            while len(self.came) < count:
                await self.changed.wait()


@asynccontextmanager
async def receiving(*answers):
    receiver = Receiver(*answers)
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield receiver, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def soon(monkeypatch):
    """Try again without waiting."""
    monkeypatch.setattr(
        module, "RETRY", RetryPolicy(retries=2, backoff_s=0.01, statuses=module.RETRY.statuses)
    )


def test_a_message_is_words_for_slack_and_figures_for_programs():
    told = json.loads(message(change(), 900.0))
    assert told["text"] == (
        "warmline: Voice's first audio is broken: 902 ms (p90 within 500 ms), 48 samples in 15 min. "
        "Look at the connections."
    )
    assert told["alert"]["event"] == "goal.broken"
    assert (told["alert"]["measured"], told["alert"]["at_most"], told["alert"]["unit"]) == (901.5, 500, "ms")
    assert (told["alert"]["window_s"], told["alert"]["at_unix_s"]) == (900.0, 1_795_250_001.0)


def test_a_message_about_a_rate_and_one_about_nothing():
    rate = change("goal.kept_again", CANCELLATION, is_rate=True, measured=0.35, words="Cancellation rate",
                  limit="30-40 %")  # fmt: skip
    assert (
        "Cancellation rate is kept again: 35 % (30-40 %), 48 samples"
        in json.loads(message(rate, 600))["text"]
    )
    empty = change("goal.not_measured", samples=0, measured=None)
    assert json.loads(message(empty, 600))["text"].endswith("there are no turns now.")


async def test_a_message_is_signed_so_that_its_receiver_can_check_it():
    """As Standard Webhooks has it: the id, the instant and the body, by HMAC with SHA-256."""
    async with receiving() as (receiver, url):
        address = f"{url}/services/T0/B0?x=1"
        async with opened_webhook(address, SECRET, Lines(), unix_now_s, window_s=900) as webhook:
            webhook.send(change())
            await receiver.until(1)
    headers, body, path = receiver.came[0]
    assert path == "/services/T0/B0?x=1"
    assert headers["content-type"] == "application/json"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - unix_now_s()) < 60


def test_a_signature_is_that_of_the_specifications_own_example():
    """https://github.com/standard-webhooks/standard-webhooks: its test vector, with the secret decoded."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = dict(
        signature_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_without_a_secret_nothing_is_signed():
    async with receiving() as (receiver, url):
        async with opened_webhook(url, "", Lines(), unix_now_s, window_s=900) as webhook:
            webhook.send(change())
            await receiver.until(1)
    assert not any(name.startswith("webhook-") for name in receiver.came[0][0])


@pytest.mark.usefixtures("soon")
async def test_a_receiver_that_fails_is_asked_again_with_the_same_id(caplog):
    async with receiving(503, "drop", 200) as (receiver, url):
        async with opened_webhook(url, SECRET, Lines(), unix_now_s, window_s=900) as webhook:
            webhook.send(change())
            await receiver.until(3)
    assert len({headers["webhook-id"] for headers, _, _ in receiver.came}) == 1
    assert not [record for record in caplog.records if record.message == "webhook.failed"]


@pytest.mark.usefixtures("soon")
async def test_a_receiver_that_keeps_failing_is_logged_once_until_it_works_again(caplog):
    """Nobody's log is filled by somebody else's outage; its address is in no line."""
    with caplog.at_level(logging.INFO, "warmline"):
        async with receiving(404, 404, 503, 503, 503, 200, 404) as (receiver, url):
            address = f"{url}/services/canary"
            async with opened_webhook(address, SECRET, Lines(), unix_now_s, window_s=900) as webhook:
                for _ in range(5):
                    webhook.send(change())
                await receiver.until(7)
                await anyio.sleep(0.1)
    ours = [record for record in caplog.records if record.message.startswith("webhook.")]
    assert [record.message for record in ours] == [
        "webhook.failed",
        "webhook.delivers_again",
        "webhook.failed",
    ]
    assert ours[0].__dict__["status"] == 404
    assert "canary" not in "".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.usefixtures("soon")
async def test_a_receiver_that_is_not_there_holds_up_nobody(caplog):
    async with opened_webhook("http://127.0.0.1:9/x", "", Lines(), unix_now_s, window_s=900) as webhook:
        for _ in range(1_000):
            webhook.send(change())
        with anyio.fail_after(10):
            while not [r for r in caplog.records if r.message == "webhook.failed"]:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    assert len([r for r in caplog.records if r.message == "webhook.failed"]) == 1


@pytest.mark.parametrize(
    "url", ["ftp://x", "hooks.example.com", "https://", "https://user:pass@x/y", "https://a b", "http://x#y"]
)
def test_an_address_that_is_none_is_refused_when_it_is_read(url):
    with pytest.raises(Exception, match="webhook_url"):
        load_settings(None, {"alerts.webhook_url": url}, {})


@pytest.mark.parametrize(
    "url", ["", "https://hooks.slack.com/services/T0/B0/x", "http://10.0.0.1:8000/a?b=c"]
)
def test_an_address_is_taken(url):
    assert load_settings(None, {"alerts.webhook_url": url}, {}).settings.alerts.webhook_url == url

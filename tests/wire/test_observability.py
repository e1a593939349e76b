"""What a running server tells its operator: metrics, readiness, and alerts at a webhook."""

import json
from dataclasses import replace

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.journeys.conversation import Stagehands
from tests.server.observability.test_webhook import receiving
from tests.wire.server import KEY, running_server, say, until
from warmline.core.setback import ProviderRole
from warmline.server.settings import AlertsTable, LimitsTable, MetricsTable
from warmline.testing.scripted import ScriptedModel

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

BEARER = {"Authorization": f"Bearer {KEY}"}


async def typed_turn(client, over="completed"):
    """Ask, and wait until the turn has come so far; it is told of when its sound begins, and when it ends."""
    await say(client, "warmline.text", text="When do you open?")
    while (await until(client, "warmline.turn"))["turn"]["status"] != over:
        pass


async def read(http, server, headers=BEARER):
    answer = await http.get(f"{server.url}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_scraper_reads_the_turns_of_a_session_and_how_the_process_is():
    hands = Stagehands(model=ScriptedModel(["It is open."] * 2))
    async with running_server(hands.providers()) as server, httpx2.AsyncClient() as http:
        async with server.connect() as client:
            await until(client, "session.created")
            await typed_turn(client)
            found = await read(http, server)
            assert found["warmline_sessions", ()] == 1
        await server.has_no_session()
        found = await read(http, server)
    turns = [value for (name, _), value in found.items() if name == "warmline_turns_total"]
    assert sum(turns) == 1
    counts = [value for (name, _), value in found.items() if name == "warmline_turn_response_seconds_count"]
    assert sum(counts) == 1
    assert found["warmline_sessions", ()] == 0
    assert found["warmline_sessions_limit", ()] == LimitsTable().sessions
    assert found["warmline_ready", ()] == 1
    assert ("warmline_goal_broken", (("goal", "simple_turn"),)) in found
    assert any(name == "process_resident_memory_bytes" for name, _ in found)


async def test_metrics_are_for_who_has_the_key_or_asks_from_this_machine():
    async with running_server() as server, httpx2.AsyncClient() as http:
        url = f"{server.url}/metrics"
        assert (await http.get(url)).status_code == 200
        forwarded = {"X-Forwarded-For": "203.0.113.7"}
        refused = await http.get(url, headers=forwarded)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert (await http.get(url, headers={**forwarded, **BEARER})).status_code == 200
        wrong = {**forwarded, "Authorization": "Bearer wrong"}
        assert (await http.get(url, headers=wrong)).status_code == 401


async def test_metrics_are_for_anybody_where_that_is_set():
    async with running_server(metrics=MetricsTable(public=True)) as server, httpx2.AsyncClient() as http:
        forwarded = {"X-Forwarded-For": "203.0.113.7"}
        assert (await http.get(f"{server.url}/metrics", headers=forwarded)).status_code == 200


async def test_a_server_is_ready_until_it_is_full_and_tells_why():
    async with running_server(limits=LimitsTable(sessions=1)) as server, httpx2.AsyncClient() as http:
        url = f"{server.url}/ready"
        answer = await http.get(url)
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})
        async with server.connect() as client:
            await until(client, "session.created")
            answer = await http.get(url)
            assert (answer.status_code, answer.json()) == (
                503,
                {"ready": False, "reasons": [{"code": "full"}]},
            )
            assert (await http.get(f"{server.url}/health")).status_code == 200


async def test_a_server_whose_key_was_refused_is_alive_and_not_ready():
    troubled = replace(Stagehands().providers(), troubled=frozenset({(ProviderRole.LLM, "llm")}))
    async with running_server(troubled) as server, httpx2.AsyncClient() as http:
        answer = await http.get(f"{server.url}/ready")
        assert answer.json()["reasons"] == [{"code": "provider_down", "subject": "llm"}]
        assert (await http.get(f"{server.url}/health")).json()["status"] == "ok"


async def test_a_broken_goal_reaches_a_webhook_from_a_running_server():
    """No answer comes within a tenth of a millisecond, so that goal is broken by a few turns."""
    async with receiving() as (receiver, url):
        alerts = AlertsTable(
            judge_s=1, confirm_s=0, minimum=5, goals=("simple_turn=0.01",), webhook_url=f"{url}/hook"
        )
        hands = Stagehands(model=ScriptedModel(["Yes."] * 60))
        async with running_server(hands.providers(), alerts=alerts) as server, server.connect() as client:
            await until(client, "session.created")
            for _ in range(30):  # Each interrupts the one before, whose response time is known by then.
                await typed_turn(client, over="playing")
            await receiver.until(1)
    told = json.loads(receiver.came[0][1])
    assert told["alert"]["name"] == "simple_turn"
    assert told["text"].startswith("warmline: Response, simple turn is broken")

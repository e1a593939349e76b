"""The dashboard's addresses on a real port, over a store with turns that were made up."""

import time
from collections import Counter
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Any

import anyio
import httpx2
import msgspec
import pytest

from tests.server.observability.dashboard.made_turns import database_at, fill, made_turns
from tests.server.observability.dashboard.running import KEY, POOLS, running_dashboard, shown
from tests.wire.server import running_server
from warmline.server.observability.dashboard.access import COOKIE, COOKIE_LIFE_S
from warmline.server.observability.dashboard.live import LiveCall, LiveCalls
from warmline.server.settings import DashboardTable, HistoryTable, StoreTable
from warmline.store.database import Database
from warmline.store.turn_reading import TurnReading

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

COUNT = 600
UNTIL_S = time.time()  # noqa: TID251 - windows end now
TURNS = [each.turn for each in made_turns(COUNT, until_s=UNTIL_S, spread_s=7_200)]
ASKED = [turn for turn in TURNS if turn.is_asked]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    url = database_at(tmp_path_factory.mktemp("dashboard"))
    fill(url, made_turns(COUNT, until_s=UNTIL_S, spread_s=7_200), until_s=UNTIL_S)
    with Database(url) as database:
        yield TurnReading(database)


@pytest.fixture
async def url(store):
    what = shown(turns=store, recordings=lambda call: [f"https://network.example/{call}.mp3"])
    async with running_dashboard(what) as url:
        yield url


async def ask(url, path, **parameters):
    """Return the answer's JSON; it must be one."""
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{url}/dashboard/api/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def refusal(url, path, **parameters):
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{url}/dashboard/api/{path}", params=parameters)
        return answer.status_code, answer.json()["error"]["message"]


async def test_the_overview_has_every_turn_once_in_all_and_in_time(url):
    found = await ask(url, "overview", window="24h")
    [group] = found["groups"]
    whole, points = group["whole"], group["points"]
    assert (whole["turns"], whole["asked"]) == (COUNT, len(ASKED))
    assert whole["drafts_dropped"] == sum(turn.drafts_dropped for turn in TURNS)
    assert whole["underruns"] == sum(turn.underruns for turn in TURNS)
    assert sum(points["turns"]) == COUNT
    counts = points["measures"]["response"]["count"]
    assert len(counts) == len(points["at_s"])
    assert sum(count or 0 for count in counts) == whole["measures"]["response"]["count"]
    assert points["at_s"] == sorted(points["at_s"])
    assert found["resolution_s"] > 0
    times = sorted(turn.response_ms for turn in ASKED if turn.response_ms is not None)
    assert whole["measures"]["response"]["p50_ms"] == pytest.approx(times[len(times) // 2], rel=0.02)
    assert whole["measures"]["response"]["max_ms"] == pytest.approx(times[-1], abs=0.01)


async def test_groups_and_filters_tell_turns_apart(url):
    by_model = Counter(turn.facts["llm"] for turn in TURNS)
    found = await ask(url, "overview", group_by="llm")
    assert {group["name"]: group["whole"]["turns"] for group in found["groups"]} == by_model
    assert [group["name"] for group in found["groups"]] == [name for name, _ in by_model.most_common()]
    only = await ask(url, "overview", llm="anthropic")
    assert only["groups"][0]["whole"]["turns"] == by_model["anthropic"]
    facts = (await ask(url, "facts"))["facts"]
    assert facts["llm"] == ["anthropic", "openai"]
    assert set(facts["channel"]) == {turn.facts["channel"] for turn in TURNS}


async def test_a_shorter_window_has_fewer_turns(url):
    [group] = (await ask(url, "overview", window="1h"))["groups"]
    assert 0.4 * COUNT < group["whole"]["turns"] < 0.6 * COUNT
    nothing = await ask(url, "overview", from_s="0", until_s="1000")
    assert sum(group["whole"]["turns"] for group in nothing["groups"]) == 0


@pytest.mark.parametrize("order", ["newest", "slowest"])
async def test_page_after_page_lists_each_turn_once(url, order):
    seen: list[dict[str, Any]] = []
    following: dict[str, str] | None = {}
    while following is not None:
        page = await ask(url, "turns", order=order, limit="97", **following)
        seen += page["turns"]
        following = page["next"]
    keys = {(line["call"], line["number"]) for line in seen}
    assert len(keys) == len(seen)
    if order == "newest":
        assert len(seen) == COUNT
        assert [line["at_s"] for line in seen] == sorted((line["at_s"] for line in seen), reverse=True)
    else:
        times = [line["response_ms"] for line in seen]
        assert times == sorted(times, reverse=True)
        assert len(times) == sum(turn.response_ms is not None for turn in ASKED)


async def test_a_turn_is_there_whole(url):
    turn = next(turn for turn in TURNS if turn.drafts and turn.response_ms)
    found = await ask(url, f"turns/{turn.call}/{turn.number}")
    assert found["response_us"] == sum(part["duration_us"] for part in found["contributions"])
    assert found["recordings"] == [f"https://network.example/{turn.call}.mp3"]
    assert len(found["drafts"]) == len(turn.drafts)
    assert found["texts_are_kept"]
    assert found["facts"]["llm"] == turn.facts["llm"]
    status, words = await refusal(url, "turns/nobody/1")
    assert (status, words) == (404, "turn 1 of call 'nobody' is not kept, or not any more")


@pytest.mark.parametrize(
    ("path", "parameters", "told"),
    [
        ("overview", {"window": "2h"}, "window is '2h'"),
        ("overview", {"color": "red"}, "'color' is unknown"),
        ("turns", {"limit": "1000"}, "limit is '1000'"),
        ("facts", {"llm": "openai"}, "'llm' is unknown"),
    ],
)
async def test_a_parameter_that_is_none_is_answered_in_words(url, path, parameters, told):
    status, words = await refusal(url, path, **parameters)
    assert status == 400
    assert told in words


async def test_without_a_store_the_page_is_there_and_says_so():
    async with running_dashboard(shown()) as url:
        status, words = await refusal(url, "overview")
        assert (status, words.split(":")[0]) == (404, "this server keeps no turns")
        state = await ask(url, "now")
        assert (state["store"], state["goals"], len(state["pools"])) == (None, None, len(POOLS))


async def test_a_database_that_fails_is_told_and_nothing_else_breaks(tmp_path):
    """Its file is another by now."""
    database = Database(f"sqlite:///{tmp_path / 'turns.db'}")
    with database:
        async with running_dashboard(shown(turns=TurnReading(database))) as url:
            with database.engine.begin() as connection:
                for table in ("turn_rollups", "turns"):
                    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone_{table}")
            status, words = await refusal(url, "turns")
            assert status == 503
            assert words.startswith("The database did not answer: no such table")
            assert (await ask(url, "now"))["pools"]


async def test_beyond_the_machine_a_key_is_asked_for_and_a_cookie_stands_for_it(store):
    async with running_dashboard(shown(turns=store), host="0.0.0.0", api_key=KEY) as url:
        async with httpx2.AsyncClient(base_url=url) as client:
            form = await client.get("/dashboard")
            assert form.status_code == 401
            assert 'type="password"' in form.text
            assert (await client.get("/dashboard/api/overview")).status_code == 401
            bearer = {"Authorization": f"Bearer {KEY}"}
            assert (await client.get("/dashboard/api/overview", headers=bearer)).status_code == 200

            wrong = await client.post("/dashboard/login", json={"key": "x" * 20})
            assert wrong.status_code == 401
            assert "set-cookie" not in wrong.headers
            told = await client.post("/dashboard/login", content=b"key=abc")
            assert (told.status_code, told.json()["error"]["code"]) == (400, "invalid_request")

            right = await client.post("/dashboard/login", json={"key": KEY})
            assert right.status_code == 200
            cookie = SimpleCookie(right.headers["set-cookie"])[COOKIE]
            assert cookie["httponly"]
            assert (cookie["samesite"], cookie["path"], int(cookie["max-age"])) == (
                "strict",
                "/dashboard",
                COOKIE_LIFE_S,
            )
            assert not cookie["secure"]
            assert (await client.get("/dashboard/api/overview")).status_code == 200
            assert (await client.get("/dashboard")).status_code == 200
            await client.post("/dashboard/logout")
            assert (await client.get("/dashboard/api/overview")).status_code == 401

            by_https = {"X-Forwarded-Proto": "https"}
            safe = await client.post("/dashboard/login", json={"key": KEY}, headers=by_https)
            assert SimpleCookie(safe.headers["set-cookie"])[COOKIE]["secure"]


async def test_beyond_the_machine_without_a_key_nothing_is_shown_and_what_to_do_is_said(store):
    async with running_dashboard(shown(turns=store), host="0.0.0.0") as url, httpx2.AsyncClient() as client:
        page = await client.get(f"{url}/dashboard")
        assert page.status_code == 403
        assert "Set WARMLINE_API_KEY" in page.text
        api = await client.get(f"{url}/dashboard/api/turns")
        assert (api.status_code, api.json()["error"]["code"]) == (403, "no_api_key")


async def test_another_sites_page_reads_nothing(url):
    """Its request is refused, and no answer may be read across sites."""
    async with httpx2.AsyncClient() as client:
        headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        answer = await client.get(f"{url}/dashboard/api/now", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
        rebound = await client.get(f"{url}/dashboard/api/now", headers={"Host": "evil.example"})
        assert rebound.status_code == 421
        plain = await client.get(f"{url}/dashboard/api/now")
        assert not [name for name in plain.headers if name.startswith("access-control")]
        assert plain.headers["x-content-type-options"] == "nosniff"


async def test_files_of_the_plots_are_served_and_no_others(url):
    async with httpx2.AsyncClient() as client:
        script = await client.get(f"{url}/dashboard/plots/uPlot.iife.js")
        assert script.status_code == 200
        assert "uPlot" in script.text
        assert (await client.get(f"{url}/dashboard/plots/plot.py")).status_code == 404
        assert (await client.get(f"{url}/dashboard/plots/..%2f__init__.py")).status_code == 404


class Events:
    """Reads server-sent events."""

    def __init__(self, answer) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        name, body = "", b""
        async for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                body = line.removeprefix("data: ").encode()
            elif not line and name:
                return name, msgspec.json.decode(body)
        raise EOFError

    async def until_the_end(self) -> None:
        with suppress(EOFError):
            while True:
                await self.next()


async def test_an_open_page_is_told_of_everything_first_and_then_of_changes():
    live = LiveCalls(lambda: 1.0)
    call = LiveCall(id="call_1", channel="browser", facts={}, began_s=1.0, floor="open", floor_s=1.0)
    live.calls["call_1"] = call
    async with running_dashboard(shown(live)) as url, httpx2.AsyncClient() as client:
        async with client.stream("GET", f"{url}/dashboard/api/live") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            events = Events(answer)
            with anyio.fail_after(5):
                name, calls = await events.next()
                assert (name, [each["id"] for each in calls]) == ("calls", ["call_1"])
                name, state = await events.next()
                assert (name, len(state["pools"])) == ("state", len(POOLS))
                assert state["process"]["memory_bytes"] > 1_000_000
                live.ended("call_1")
                assert await events.next() == ("changed", {"changed": [], "ended": ["call_1"]})


async def test_asking_only_for_the_head_of_what_goes_on_ends_at_once():
    async with running_dashboard(shown()) as url, httpx2.AsyncClient() as client:
        with anyio.fail_after(2):
            answer = await client.head(f"{url}/dashboard/api/live")
        assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_server_that_stops_does_not_wait_for_open_pages():
    async with anyio.create_task_group() as tasks:
        opened = anyio.Event()

        async def page(url) -> None:
            async with (
                httpx2.AsyncClient() as client,
                client.stream("GET", f"{url}/dashboard/api/live") as answer,
            ):
                events = Events(answer)
                await events.next()
                opened.set()
                await events.until_the_end()

        async with running_server() as server:
            tasks.start_soon(page, server.url)
            await opened.wait()
            began_s = anyio.current_time()
        assert anyio.current_time() - began_s < 0.9


async def test_a_real_server_shows_the_turns_that_it_kept(tmp_path):
    """From a typed question to the list, with what was said if that is wanted."""
    tables: dict[str, Any] = {
        "store": StoreTable(url=database_at(tmp_path)),
        "history": HistoryTable(transcripts=True),
    }
    async with running_server(**tables) as server, server.connect() as client:
        typed = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
        await client.send(msgspec.json.encode({"type": "conversation.item.create", "item": typed}).decode())
        await client.send('{"type": "response.create"}')
        with anyio.fail_after(20):
            while not (page := await ask(server.url, "turns"))["turns"]:
                [live] = (await ask(server.url, "now"))["calls"]
                assert live["channel"] == "browser"
                await anyio.sleep(0.1)
        [line] = page["turns"]
        turn = await ask(server.url, f"turns/{line['call']}/{line['number']}")
        assert turn["texts_are_kept"]
        assert turn["reply_text"]


async def test_it_can_be_turned_off():
    async with (
        running_server(dashboard=DashboardTable(enabled=False)) as server,
        httpx2.AsyncClient() as client,
    ):
        assert (await client.get(f"{server.url}/dashboard")).status_code == 404
        assert (await client.get(f"{server.url}/dashboard/api/now")).status_code == 404

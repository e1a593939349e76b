"""`warmline report --store`: on the turns that servers have kept."""

import json
import sys

import pytest

from tests.reporting.turns import turn
from tests.store.turns import NOON_S, arrived
from warmline.cli.main import main
from warmline.core.clock import unix_now_s
from warmline.reporting.events import TURN_EVENT, turn_fields
from warmline.store.database import Database
from warmline.store.turn_keeping import TurnKeeping

pytestmark = pytest.mark.wire

DAY_S = 86_400.0


@pytest.fixture
def report(monkeypatch, capsys):
    """Run the command in this process; return its exit status, what it says as JSON, and its messages."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["warmline", "report", *map(str, arguments), "--format", "json"])
        with pytest.raises(SystemExit) as ended:
            main()
        shown, problem = capsys.readouterr()
        return ended.value.code or 0, json.loads(shown) if shown else None, problem

    return run


@pytest.fixture
def keep(store_url):
    def keep(turns):
        with Database(store_url) as database:
            TurnKeeping(database, "worker").keep([arrived(each) for each in turns])

    return keep


def turns(count, at_s, *, call="sess", voice_ms=200.0, **fields):
    return [turn(n + 1, call=call, at_s=at_s + n, voice_ms=voice_ms + n, **fields) for n in range(count)]


def test_a_store_says_exactly_what_the_log_of_the_same_turns_does(report, keep, store_url, tmp_path):
    told = turns(40, NOON_S)
    keep(told)
    log = tmp_path / "log.jsonl"
    lines = [json.dumps({"event": TURN_EVENT, **turn_fields(each)}) for each in told]
    log.write_text("\n".join(lines), "utf-8")

    _, stored, _ = report("--store", store_url)
    _, logged, _ = report(log)

    assert (stored["now"]["name"], logged["now"]["name"]) == ("the store", "log.jsonl")
    for each in (stored, logged):
        del each["now"]["name"]
    assert stored == logged


def test_the_store_is_the_one_of_the_settings(report, keep, store_url):
    keep(turns(3, NOON_S))
    status, shown, _ = report("--store", "--set", f"store.url={store_url}")
    assert (status, shown["now"]["turns"]) == (0, 3)


def test_times_say_which_turns_and_against_which(report, keep, store_url):
    now_s = unix_now_s()
    keep(turns(20, now_s - 10 * DAY_S, call="before", voice_ms=900.0))
    keep(turns(25, now_s - 2 * DAY_S, call="now", voice_ms=200.0))
    keep(turns(5, now_s - 30 * DAY_S, call="long ago"))

    _, shown, _ = report("--store", store_url, "--since", "7d", "--against-since", "14d")

    assert (shown["now"]["turns"], shown["before"]["turns"]) == (25, 20)
    assert {each["measure"]: each["change"] for each in shown["comparisons"]}["stage.voice"] == "faster"
    assert shown["now"]["name"].startswith("the store, since 20")
    assert "until" in shown["before"]["name"]
    _, shown, _ = report("--store", store_url, "--until", "7d", "--against-until", "20d")
    assert (shown["now"]["turns"], shown["before"]["turns"]) == (25, 5)


def test_configurations_are_compared_by_what_turns_were_held_with(report, keep, store_url):
    keep(turns(20, NOON_S, call="a", facts={"tts": "old", "team": "red"}))
    keep(turns(10, NOON_S, call="b", facts={"tts": "new", "team": "red"}))
    keep(turns(10, NOON_S, call="c", facts={"tts": "new", "team": "blue"}))
    _, shown, _ = report("--store", store_url, "--where", "tts=new", "--against-where", "tts=old")
    assert (shown["now"]["turns"], shown["before"]["turns"]) == (20, 20)
    _, shown, _ = report("--store", store_url, "--where", "tts=new", "--where", "team=blue")
    assert (shown["now"]["turns"], shown["before"]) == (10, None)
    where = ("--where", "tts=new", "--since", "2026-11-21", "--against-since", "2026-11-20")
    status, _, problem = report("--store", store_url, *where)
    assert status == 2
    assert "there are no turns that were held with tts=new in the store, since 2026-11-20 00:00" in problem


def test_a_goal_that_is_broken_fails_the_check(report, keep, store_url):
    keep(turns(30, NOON_S, voice_ms=1_500.0))
    assert report("--store", store_url, "--check")[0] == 1
    assert report("--store", store_url)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give the logs to be read, or --store"),
        (("a.jsonl", "--since", "7d"), "they need --store"),
        (("--store", "sqlite:///nowhere/w.db"), "there is no sqlite:///nowhere/w.db (store.url)"),
        (("--store", "a.db"), 'give "sqlite:///FILE"'),
        (("--store", "sqlite:///a.db", "b.jsonl"), "give no logs"),
        (("--store", "sqlite:///a.db", "--pattern", "seed"), "give no logs and no pattern"),
        (("--store", "sqlite:///a.db", "--since", "soon"), "--since soon: give a duration"),
        (("--store", "sqlite:///a.db", "--since", "1d", "--until", "2d"), "that is not before --until 2d"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(report, arguments, message):
    status, shown, problem = report(*arguments)
    assert (status, shown) == (2, None)
    assert message in " ".join(problem.split())

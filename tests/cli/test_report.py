"""`warmline report` on files: its forms, its exit status, and what it says of input it cannot use."""

import json
import sys

import pytest

from tests.reporting.turns import LOGS, turn
from warmline.cli.main import main
from warmline.reporting.events import TURN_EVENT, turn_fields

pytestmark = pytest.mark.wire

SEED = str(LOGS / "seed.log")
DAY_BEFORE = str(LOGS / "seed_day_before.log")


@pytest.fixture
def report(monkeypatch, capsys):
    """Run the command in this process; return its exit status, output and messages."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["warmline", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def log(tmp_path):
    """Write turns as warmline's structured log."""

    def write(name, turns):
        path = tmp_path / name
        lines = [
            '{"at": "10:00:00", "level": "info", "event": "session.started", "session": "sess_1"}',
            *(json.dumps({"event": TURN_EVENT, **turn_fields(each)}) for each in turns),
        ]
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write


def test_a_foreign_log_is_reported_on_against_another(report):
    status, shown, _ = report(SEED, "--pattern", "seed", "--against", DAY_BEFORE)

    assert status == 0
    assert "Voice's first audio 52–60 % faster" in shown
    assert "Cancellation rate: 100 %, but of only 2 drafts: too few to judge" in shown


def test_two_files_are_one_period(report, log):
    first, second = log("a.jsonl", [turn(1)]), log("b.jsonl", [turn(1), turn(2)])

    status, shown, _ = report(first, second, "--format", "json")

    assert status == 0
    assert json.loads(shown)["now"]["turns"] == 3


def test_two_configurations_in_one_log_can_be_compared(report, log):
    turns = [turn(n, voice_ms=600.0 + n, facts={"tts": "old"}) for n in range(20)]
    turns += [turn(n, voice_ms=200.0 + n, facts={"tts": "new"}) for n in range(20)]
    path = log("both.jsonl", turns)

    status, shown, _ = report(path, "--where", "tts=new", "--against-where", "tts=old", "--format", "json")

    assert status == 0
    told = json.loads(shown)
    assert (told["now"]["turns"], told["before"]["turns"]) == (20, 20)
    assert {each["measure"]: each["change"] for each in told["comparisons"]}["stage.voice"] == "faster"


def test_check_fails_if_a_goal_is_broken_and_says_which(report, log):
    slow = log("slow.jsonl", [turn(n, voice_ms=1_500.0) for n in range(30)])

    assert report(slow)[0] == 0
    status, shown, _ = report(slow, "--check", "--format", "markdown")

    assert status == 1
    assert "Voice's first audio: 1,500 ms, of 30 turns; the goal is p90 within 500 ms." in shown


def test_check_passes_if_goals_are_kept_or_cannot_be_judged(report, log):
    assert report(log("fast.jsonl", [turn(n) for n in range(30)]), "--check")[0] == 0
    assert report(SEED, "--pattern", "seed", "--check")[0] == 0


def test_a_goal_can_be_set(report, log):
    path = log("fast.jsonl", [turn(n) for n in range(30)])

    assert report(path, "--check", "--goal", "simple_turn=1000")[0] == 1


def test_the_form_follows_the_name_of_the_file_that_is_written(report, tmp_path):
    for name, begins in [
        ("r.html", "<!doctype html>"),
        ("r.md", "# Where"),
        ("r.json", "{"),
        ("r.txt", "seed"),
    ]:
        status, shown, _ = report(SEED, "--pattern", "seed", "--out", tmp_path / name)
        assert (status, shown) == (0, "")
        assert (tmp_path / name).read_text("utf-8").startswith(begins)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.log"], "reading nowhere.log: No such file or directory"),
        ([SEED], "no turn in 31 lines, of which 0 were understood; name the log's format by --pattern"),
        ([SEED, "--pattern", "nowhere.toml"], "reading the pattern file nowhere.toml: No such file"),
        ([SEED, "--pattern", SEED], "reading the pattern file"),
        ([SEED, "--pattern", "seed", "--goal", "speed=1"], "setting a goal: there is no speed"),
        ([SEED, "--pattern", "seed", "--goal", "speed"], "setting a goal: speed has no ="),
        ([SEED, "--pattern", "seed", "--out", "/nowhere/r.html"], "writing /nowhere/r.html: No such file"),
        ([str(LOGS)], "Is a directory"),
        ([SEED, "--pattern", "seed", "--where", "tts=x"], "none of 2 turns was held with tts=x"),
    ],
)
def test_input_that_cannot_be_used_ends_with_2_and_says_why(report, arguments, told):
    status, _, messages = report(*arguments, "--check")

    assert status == 2
    assert told in " ".join(messages.split())


def test_bytes_that_are_not_text_are_unknown_lines(report, tmp_path):
    path = tmp_path / "odd.log"
    path.write_bytes(b"\xff\xfe\x00\n" + (LOGS / "seed.log").read_bytes())

    status, shown, _ = report(path, "--pattern", "seed", "--format", "json")

    assert status == 0
    assert json.loads(shown)["now"]["unknown_lines"] == 2

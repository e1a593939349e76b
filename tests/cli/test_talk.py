"""`warmline talk` as a person runs it: real processes, recordings in real time."""

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest

pytestmark = pytest.mark.wire

EXAMPLES = Path(__file__).parents[2] / "examples"


def talk(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "warmline.cli.main", "talk", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **options)


def test_two_recordings_make_two_turns_and_a_reply_that_can_be_heard(tmp_path):
    """Answers from the sample, figures that add up, audio that is no silence."""
    out = tmp_path / "reply.wav"
    done = talk(
        str(EXAMPLES / "when-are-you-open.wav"),
        str(EXAMPLES / "how-many-books.wav"),
        *("--json", "--speed", "2", "--out", str(out)),
    )
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["user_text"] == "when are you open"
    assert "from nine in the morning" in first["heard_text"]
    assert "fifteen items" in second["heard_text"]
    assert second["sources"][0]["title"]
    for turn in (first, second):
        assert turn["status"] == "completed"
        assert sum(part["duration_us"] for part in turn["contributions"]) == turn["response_us"] > 0
        assert "draft_waits" in [note["kind"] for note in turn["notes"]]
        assert isinstance(turn["drafts"], list)
        assert (turn["setbacks"], turn["underruns"], turn["underrun_us"]) == ([], 0, 0)
    with wave.open(str(out)) as reply:
        assert reply.getframerate() == 24_000
        audio = reply.readframes(reply.getnframes())
    assert len(audio) > 8 * 48_000
    assert max(audio[1::2]) > 0


def test_written_question_and_goodbye_are_shown_with_a_waterfall():
    """For people, on standard output."""
    done = talk("--text", "Can I book a study room?", "--text", "Goodbye", "--speed", "10")
    assert done.returncode == 0, done.stderr
    assert "You   Can I book a study room?" in done.stdout
    assert "ms until the answer was heard" in done.stdout
    assert "Agent Goodbye." in done.stdout


def test_why_lists_what_was_decided():
    """An early answer is considered for every question that is spoken."""
    done = talk(str(EXAMPLES / "when-are-you-open.wav"), "--why", "--speed", "2")
    assert done.returncode == 0, done.stderr
    assert "ms  draft waits: " in done.stdout


def test_barge_in_keeps_what_was_heard():
    """The second recording begins a second into the first reply."""
    question = str(EXAMPLES / "when-are-you-open.wav")
    done = talk(question, question, "--barge-in", "1", "--json")
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["status"] == "interrupted"
    assert 0 < len(first["heard_text"]) < len(first["reply_text"])
    assert first["reply_text"].startswith(first["heard_text"])
    assert second["status"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.wav"], "nowhere.wav"),
        ([__file__], "test_talk.py"),
        (["--text", "hello", "--documents", "/no/such/folder"], "/no/such/folder"),
        (["--text", "hello", "--config", "missing.toml"], "missing.toml"),
        (["--text", "hello", "--set", "turns.silense_ms=1"], "turns.silence_ms"),
        ([], "warmline serve"),
    ],
)
def test_wrong_input_is_one_message_that_says_what_to_do(arguments, says):
    """No traceback; nothing on standard output."""
    done = talk(*arguments)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr

"""Plain-text logs: turns, calls, midnight, and lines that nobody knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.turns import read, report
from warmline.reporting.as_json import json_report
from warmline.reporting.daytime import DayClock, instant_words, parse_time_s
from warmline.reporting.foreign import ForeignLog
from warmline.reporting.html import html_report
from warmline.reporting.markdown import markdown_report
from warmline.reporting.pattern_file import parse_pattern
from warmline.timeline.marks import Mark
from warmline.timeline.report import PlayoutTruth, TurnStatus

pytestmark = pytest.mark.unit

PATTERN = parse_pattern(
    r"""
    time = '^(?:(?P<date>\d{4}-\d\d-\d\d) )?(?P<time>\d\d:\d\d:\d\d\.\d+) '
    events.end = { pattern = '^call (?P<call>\w+) heard', marks = ["speech_ended"], turn = "begins" }
    events.asked = { pattern = '^call (?P<call>\w+) asked', marks = ["llm_started"] }
    events.first = { pattern = '^call (?P<call>\w+) sound', marks = ["audio_sent", "audio_played"] }
    events.done = { pattern = '^call (?P<call>\w+) done', marks = ["playout_done"], turn = "ends" }
    events.said = { pattern = '^call (?P<call>\w+) said (?P<length>\d+)', note = "n", text = "{length} w" }
    events.other = { pattern = '^starting' }
    """,
    "test",
)


def test_calls_that_go_on_side_by_side_keep_their_turns_apart():
    turns, _ = read(
        """
        10:00:00.000 call a heard
        10:00:00.100 call b heard
        10:00:00.300 call a sound
        10:00:00.900 call b sound
        10:00:05.000 call a heard
        10:00:05.250 call a sound
        """,
        PATTERN,
    )

    assert sorted((turn.call, turn.number, turn.response_ms) for turn in turns) == [
        ("a", 1, 300),
        ("a", 2, 250),
        ("b", 1, 800),
    ]


def test_a_turn_over_midnight_is_as_long_as_any_other():
    turns, _ = read("23:59:59.800 call a heard\n00:00:00.900 call a sound", PATTERN)

    assert turns[0].response_ms == 1_100
    assert turns[0].at_s == 86_399.8


def test_the_second_night_is_the_second_day():
    lines = [f"{hour:02}:00:00.000 call a heard" for hour in (*range(20, 24), *range(24), 0, 1)]
    turns, _ = read("\n".join(lines), PATTERN)

    assert [turn.at_s / 3600 for turn in turns] == list(range(20, 50))
    assert instant_words(turns[-1].at_s) == "01:00:00 (day 3)"


def test_lines_that_were_written_out_of_order_are_not_a_day_later():
    clock = DayClock()

    assert [clock.instant_s(at_s) for at_s in (100.0, 99.5, 100.2)] == [100.0, 99.5, 100.2]


def test_a_line_of_the_evening_before_may_come_after_midnight():
    clock = DayClock()

    assert [clock.instant_s(at_s) for at_s in (86_390.0, 5.0, 86_399.0, 6.0)] == [
        86_390.0,
        86_405.0,
        86_399.0,
        86_406.0,
    ]


def test_dates_are_taken_where_there_are_some():
    turns, _ = read("2026-02-09 01:26:43.167 call a heard\n2026-02-09 01:26:44.718 call a sound", PATTERN)

    assert turns[0].response_ms == 1_551
    assert instant_words(turns[0].at_s) == "2026-02-09 01:26:43"


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_times_of_day_are_read_with_comma_and_point(hours, minutes, seconds, ms):
    wanted = hours * 3600 + minutes * 60 + seconds + ms / 1000

    for mark in ",.":
        assert parse_time_s(f"{hours:02}:{minutes:02}:{seconds:02}{mark}{ms:03}") == pytest.approx(wanted)


@pytest.mark.parametrize("text", ["24:00:00", "10:60:00", "10:00", "a:b:c", "10:00:61", ""])
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(ValueError, match=r"time of day|unpack|convert|invalid literal"):
        parse_time_s(text)


def test_unknown_lines_are_counted_and_known_ones_that_say_nothing_are_not():
    turns, counts = read(
        """
        10:00:00.000 starting
        no time at all
        99:00:00.000 call a heard
        10:00:01.000 what is this
        10:00:02.000 call a heard
        """,
        PATTERN,
    )

    assert (counts.lines, counts.unknown) == (5, 3)
    assert len(turns) == 1


def test_notes_after_the_end_are_still_the_turns_and_work_is_the_next_ones():
    turns, _ = read(
        """
        10:00:00.000 call a heard
        10:00:01.000 call a sound
        10:00:03.000 call a done
        10:00:03.001 call a said 7
        10:00:04.000 call a asked
        10:00:05.000 call a heard
        """,
        PATTERN,
    )

    assert [[note.text for note in turn.notes] for turn in turns] == [["7 w"], []]
    assert turns[0].notes[0].at_ms == 3_001
    assert turns[1].marks_ms == {Mark.LLM_STARTED: -1_000, Mark.SPEECH_ENDED: 0}


def test_a_turn_that_nothing_was_played_of_has_no_response_time():
    turns, _ = read("10:00:00.000 call a heard\n10:00:05.000 call a heard", PATTERN)

    assert [(turn.response_ms, turn.status) for turn in turns] == [(None, None), (None, None)]


def test_the_shipped_pattern_tells_how_it_is_known_what_was_played():
    turns, _ = read(
        """
        01:00:00,000 - Turn 1: user speech ended
        01:00:01,000 - First audio chunk sent
        01:00:02,000 - Playback complete
        01:00:05,000 - Turn 2: user speech ended
        01:00:21,000 - WARNING - Playback timeout after 15.0s - auto-completing turn
        """
    )

    assert [turn.playout for turn in turns] == [PlayoutTruth.REPORTED, PlayoutTruth.TIMED_OUT]
    assert turns[0].status is TurnStatus.COMPLETED


@given(st.lists(st.text(max_size=60), max_size=20))
def test_any_text_is_read_without_an_error(lines):
    _, counts = read("\n".join(lines))

    assert counts.unknown <= counts.lines


KINDS = (
    "Turn 7: user speech ended",
    "LLM stream started",
    "First sentence ready",
    "TTS request started",
    "First audio chunk sent",
    "LLM stream completed",
    "Playback complete",
    "WARNING - Playback timeout after 15.0s",
    "LLM -> TTS Start: -93ms",
    "RAG retrieve completed in 593ms with 3 results",
    f"RAG retrieve completed in {'9' * 400}ms with {'9' * 400} results",
    "Speculative RAG already completed - starting fresh RAG call",
    "Speculative LLM started",
    "Speculative LLM cancelled",
    "Cancellation rate 100.0% - increasing debounce: 400ms -> 450ms",
)


@given(st.lists(st.tuples(st.integers(0, 86_399), st.sampled_from(KINDS)), max_size=40))
def test_a_log_in_any_order_makes_a_report_in_every_form(lines):
    text = "\n".join(
        f"{at_s // 3600:02}:{at_s // 60 % 60:02}:{at_s % 60:02},000 - {message}" for at_s, message in lines
    )
    turns, counts = read(text)
    made = report(turns, turns)

    assert counts.unknown == 0
    for shown in (html_report(made), markdown_report(made), json_report(made)):
        assert shown


def test_calls_that_are_never_told_of_again_do_not_pile_up():
    log = ForeignLog(PATTERN)
    complete = [turn for n in range(5_000) for turn in log.feed(f"10:00:00.000 call c{n} heard")[1]]

    assert len(complete) == 5_000 - 4_096
    assert complete[0].call == "c0"
    assert len(list(log.finish())) == 4_096

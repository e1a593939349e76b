"""A turn as a line of the log: it comes back as it was, and nothing that was said is in it."""

import json
import logging

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmline.core.line_use import LineUse, OpenCost
from warmline.core.setback import ProviderRole, Remedy, Setback, SetbackKind
from warmline.reporting.events import TURN_EVENT, decode_turn, reported_turn, turn_fields
from warmline.reporting.reading import LineCounts, read_turns
from warmline.reporting.turn import ReportedLine, ReportedNote, ReportedSetback, ReportedTurn
from warmline.timeline.marks import Mark
from warmline.timeline.notes import DraftReport, NoteKind
from warmline.timeline.report import PlayoutTruth, TurnStatus, turn_report
from warmline.timeline.timeline import Timeline

pytestmark = pytest.mark.unit

MS = st.floats(-1e6, 1e6)
WORDS = st.text(max_size=12)

TURNS = st.builds(
    ReportedTurn,
    number=st.integers(1, 10_000),
    call=WORDS,
    at_s=st.none() | st.floats(0, 4e9),
    marks_ms=st.dictionaries(st.sampled_from(Mark), MS),
    status=st.none() | st.sampled_from(TurnStatus),
    playout=st.none() | st.sampled_from(PlayoutTruth),
    notes=st.lists(st.builds(ReportedNote, WORDS, MS, WORDS), max_size=3).map(tuple),
    passages=st.none() | st.integers(0, 9),
    drafts_begun=st.integers(0, 9),
    drafts_dropped=st.integers(0, 9),
    setbacks=st.lists(st.builds(ReportedSetback, WORDS, WORDS, WORDS, WORDS, WORDS, MS), max_size=2).map(
        tuple
    ),
    lines=st.lists(st.builds(ReportedLine, WORDS, MS), max_size=2).map(tuple),
    underruns=st.integers(0, 9),
    underrun_ms=MS,
    facts=st.dictionaries(WORDS, WORDS, max_size=3),
)


def line(turn, **more):
    return json.dumps({"at": "10:00:00", "level": "info", "event": TURN_EVENT, **turn_fields(turn), **more})


@settings(max_examples=25)
@given(TURNS)
def test_a_turn_comes_back_from_its_line_as_it_was(turn):
    assert decode_turn(line(turn)) == turn


def secret_report():
    timeline = Timeline()
    for at_s, mark in enumerate((Mark.SPEECH_STARTED, Mark.SPEECH_ENDED, Mark.SILENCE_REACHED)):
        timeline.record(mark, float(at_s))
    timeline.note(NoteKind.DRAFT_ADOPTED, 2.0, "the turn was committed, and it fits")
    timeline.ended_draft(DraftReport("pause", "the user went on", 500_000, 700_000))
    timeline.ended_draft(DraftReport("final", "the turn was committed, and it fits", 1_500_000, 2_000_000))
    timeline.used_line(LineUse("openai", "line_1", reused=True, age_s=9.0, waited_s=0.0, cost=OpenCost()))
    timeline.used_line(LineUse("deepgram", "line_2", reused=False, age_s=0.0, waited_s=0.2, cost=OpenCost()))
    timeline.had_setback(
        Setback(
            ProviderRole.LLM, "openai", SetbackKind.LATE, Remedy.RETRY, "anthropic", 1.5, 0.7, "SECRET detail"
        )
    )
    return turn_report(
        timeline,
        number=4,
        reply_id="resp_4",
        status=TurnStatus.COMPLETED,
        user_text="SECRET question",
        reply_text="SECRET answer",
        heard_text="SECRET ans",
        playout=PlayoutTruth.REPORTED,
        underruns=1,
        underrun_s=0.25,
    )


def test_nothing_that_was_said_is_in_a_turn_or_its_line():
    turn = reported_turn(secret_report(), call="sess_1", origin_unix_s=1_800_000_000.0)

    assert "SECRET" not in repr(turn)
    assert "SECRET" not in line(turn)


def test_a_report_becomes_a_turn_with_its_figures_in_milliseconds():
    turn = reported_turn(secret_report(), call="sess_1", origin_unix_s=None, facts={"llm": "openai"})

    assert turn.marks_ms == {
        Mark.SPEECH_STARTED: -1_000,
        Mark.SPEECH_ENDED: 0,
        Mark.SILENCE_REACHED: 1_000,
    }
    assert turn.notes == (ReportedNote("draft_adopted", 1_000, "the turn was committed, and it fits"),)
    assert (turn.drafts_begun, turn.drafts_dropped) == (2, 1)
    assert turn.waits == (ReportedLine("deepgram", 200),)
    assert turn.setbacks == (ReportedSetback("llm", "openai", "late", "retry", "anthropic", 700, 500),)
    assert (turn.underruns, turn.underrun_ms) == (1, 250)


def test_fields_do_not_clash_with_those_of_every_log_record():
    fields = turn_fields(reported_turn(secret_report(), call="sess_1", origin_unix_s=None))

    logging.getLogger("warmline.test").makeRecord("n", 20, "f", 1, TURN_EVENT, (), None, extra=fields)


def test_other_events_are_passed_over():
    assert decode_turn('{"event": "session.ended", "sessions": 3}') is None
    assert decode_turn('{"message": "of somebody else"}') is None


def test_marks_and_fields_that_are_not_known_are_skipped():
    turn = decode_turn('{"event": "turn.ended", "turn": 1, "marks_ms": {"thought_up": 5}, "mood": "good"}')

    assert turn == ReportedTurn(1)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"event": "turn.ended"}',
        '{"event": "turn.ended", "turn": "one"}',
        '{"event": "turn.ended", "turn": 1, "marks_ms": {"llm_started": 1e308}}',
        '{"event": "turn.ended", "turn": 1, "origin_unix_s": 1e300}',
        '{"event": "turn.ended", "turn": 1, "drafts_begun": -1}',
    ],
)
def test_a_damaged_line_is_refused_by_the_decoder_and_counted_by_the_reader(text):
    with pytest.raises(msgspec.DecodeError):
        decode_turn(text)

    counts = LineCounts()
    turns = list(read_turns(["", "hello", text, line(ReportedTurn(1))], None, counts))

    assert (len(turns), counts.lines, counts.unknown, counts.damaged) == (1, 3, 1, 1)
    assert counts.first_damage.startswith("line 2: ")

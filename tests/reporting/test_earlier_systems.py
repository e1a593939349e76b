"""The report on an earlier system's log says what its author wrote by hand, and is no surer than that."""

import pytest

from tests.reporting.turns import LOGS, read, read_log
from warmline.reporting.comparison import Change
from warmline.reporting.findings import Severity
from warmline.reporting.goals import Verdict
from warmline.reporting.report import made_report
from warmline.timeline.marks import Mark

pytestmark = pytest.mark.unit

# The lines that are known of the log itself.
EXCERPT = """
01:26:28,167 - Pre-warming OpenAI connection...
01:26:28,194 - OpenAI connection pre-warmed and ready
01:26:28,194 - Created persistent ElevenLabs session with connection pooling
01:26:28,703 - ElevenLabs warmup complete in 500ms - connection ready!
01:26:48,193 - LLM -> TTS Start: -93ms
01:26:52,111 - RAG retrieve completed in 593ms with 3 results
01:26:52,119 - Speculative RAG already completed (likely returned 0 results) - starting fresh RAG call
01:26:52,387 - RAG retrieve completed in 390ms with 2 results
01:27:17,527 - WARNING - Playback timeout after 15.0s - auto-completing turn
01:27:17,529 - Cancellation rate 100.0% > 30.0% - increasing debounce: 400ms -> 450ms
"""


@pytest.fixture(scope="module")
def report():
    now, counts = read_log("seed.log")
    before, before_counts = read_log("seed_day_before.log")
    return made_report(now, counts, before, before_counts)


@pytest.fixture(scope="module")
def findings(report):
    return {finding.kind: finding for finding in report.findings}


def test_the_turns_have_the_marks_that_the_author_wrote_down():
    turns, _ = read((LOGS / "seed.log").read_text("utf-8"))
    marks = (
        Mark.LLM_STARTED, Mark.RETRIEVAL_DONE, Mark.FIRST_CLAUSE, Mark.TTS_STARTED, Mark.TTS_FIRST_AUDIO
    )  # fmt: skip

    assert {turn.number: [turn.marks_ms[mark] for mark in marks] for turn in turns} == {
        1: [8, 592, 1_294, 1_297, 1_551],
        3: [0, 484, 1_657, 1_665, 1_972],
    }
    assert [turn.has_retrieval for turn in turns] == [False, True]


def test_contributions_sum_to_the_response_time_though_retrieval_ran_beside_the_model():
    turns, _ = read((LOGS / "seed.log").read_text("utf-8"))

    for turn in turns:
        assert sum(part.duration_us for part in turn.contributions) == turn.response_ms * 1000
        assert "retrieval" not in {part.name for part in turn.contributions}


def test_totals_are_15_and_11_percent_lower_and_the_voice_52_to_60(report, findings):
    by_measure = {comparison.measure: comparison for comparison in report.comparisons}

    simple, retrieving = by_measure["response_simple"], by_measure["response_with_retrieval"]
    assert (simple.before_ms, simple.now_ms, round(simple.relative * 100)) == (1_822, 1_551, -15)
    assert (retrieving.before_ms, retrieving.now_ms, round(retrieving.relative * 100)) == (2_213, 1_972, -11)
    voice = by_measure["span.voice_first_audio"]
    assert (voice.before_range_ms.low, voice.before_range_ms.high) == (639, 642)
    assert (round(voice.relative_range.low * 100), round(voice.relative_range.high * 100)) == (-60, -52)
    assert "simple turn 15 % faster" in findings["change.response_simple"].sentence
    assert "with retrieval 11 % faster" in findings["change.response_with_retrieval"].sentence
    assert "52–60 % faster" in findings["change.span.voice_first_audio"].sentence


def test_of_two_turns_against_two_nothing_is_said_to_last(report, findings):
    assert {comparison.change for comparison in report.comparisons} == {Change.TOO_FEW}
    changes = [finding for kind, finding in findings.items() if kind.startswith("change.")]
    assert {finding.severity for finding in changes} == {Severity.UNDECIDED}
    assert all("too few to judge" in finding.sentence for finding in changes)


def test_both_negative_spans_are_told_of_as_a_bug_in_the_source(findings):
    finding = findings["negative_span"]

    assert finding.severity is Severity.FAULT
    assert "bug in the source" in finding.sentence
    assert [evidence.text for evidence in finding.evidence] == [
        "LLM -> TTS start: -93 ms",
        "LLM -> TTS start: -193 ms",
    ]


def test_retrieval_ran_twice_for_the_same_query_and_wasted_390_ms(findings):
    finding = findings["retrieval_repeated"]

    assert finding.severity is Severity.FAULT
    assert "twice for the same query" in finding.sentence
    assert "390 ms wasted" in finding.sentence


def test_the_page_did_not_report_that_it_had_played_for_15_seconds(findings):
    finding = findings["playout_unreported"]

    assert finding.severity is Severity.FAULT
    assert finding.evidence[0].text == "playback was not reported for 15.0 s"


def test_two_drafts_both_cancelled_are_too_few_to_judge_and_alarm_nobody(report, findings):
    finding = findings["goal.cancellation_rate"]

    assert finding.severity is Severity.UNDECIDED
    assert (
        finding.sentence == "Cancellation rate: 100 %, but of only 2 drafts: too few to judge, 20 are needed."
    )
    assert {result.verdict for result in report.goals} == {Verdict.TOO_FEW}
    assert report.is_kept


def test_the_faults_come_first_and_nothing_else_is_called_one(report):
    severities = [finding.severity for finding in report.findings]

    assert severities[:3] == [Severity.FAULT] * 3
    assert Severity.FAULT not in severities[3:]


def test_the_excerpt_alone_shows_the_faults_although_no_turn_is_whole_in_it():
    turns, counts = read(EXCERPT)

    assert (counts.lines, counts.unknown) == (10, 0)
    assert [turn.response_ms for turn in turns] == [None]
    assert [note.kind for note in turns[0].notes] == [
        "retrieval_repeated",
        "playout_unreported",
        "debounce_changed",
    ]
    assert turns[0].stated_ms == (("LLM -> TTS start", -93),)

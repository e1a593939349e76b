"""Many turns, folded: what is kept of them is small, and the slowest are shown."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.turns import period, turn
from warmline.reporting.measures import MEASURES, measured_ms
from warmline.reporting.observing import ObservationKind
from warmline.reporting.period import SHOWN_TURNS, Period
from warmline.reporting.turn import ReportedLine, ReportedNote, ReportedTurn
from warmline.reporting.words import MEASURE_WORDS
from warmline.timeline.marks import Mark

pytestmark = pytest.mark.unit


def test_every_measure_has_words():
    assert set(MEASURES) == set(MEASURE_WORDS)


@given(st.dictionaries(st.sampled_from(Mark), st.integers(-5_000, 5_000)))
def test_whatever_the_marks_measures_are_known_and_never_negative(marks_ms):
    for name, ms in measured_ms(ReportedTurn(1, marks_ms=marks_ms)):
        assert name in MEASURES
        assert ms >= 0


@given(st.integers(0, 900), st.integers(0, 900))
def test_contributions_sum_to_the_response_time(voice_ms, model_ms):
    made = turn(voice_ms=voice_ms, model_ms=model_ms)

    assert sum(part.duration_us for part in made.contributions) == made.response_ms * 1000


def test_asking_the_model_on_a_guess_before_the_turn_was_over_costs_nothing():
    made = turn()
    guessed = ReportedTurn(1, marks_ms={**made.marks_ms, Mark.LLM_STARTED: 200.0})

    assert dict(measured_ms(made))["speech_to_model"] == 2
    assert dict(measured_ms(guessed))["speech_to_model"] == 0


def test_marks_that_contradict_each_other_are_a_fault_and_not_a_figure():
    marks_ms = {Mark.SPEECH_ENDED: 0.0, Mark.LLM_STARTED: 500.0, Mark.LLM_FIRST_TEXT: 450.0}
    made = period([ReportedTurn(1, marks_ms=marks_ms)])

    assert "span.model_first_text" not in made.ordered_ms()
    assert made.seen[ObservationKind.NEGATIVE_SPAN].evidence[0].text == "model_first_text: -50 ms"


def test_few_turns_are_all_shown_as_they_came():
    made = period([turn(n, voice_ms=900.0 - n) for n in range(1, SHOWN_TURNS + 1)])

    assert [each.number for each in made.shown] == list(range(1, SHOWN_TURNS + 1))


@given(st.permutations(list(range(40))))
def test_of_many_the_slowest_are_shown_the_slowest_first(order):
    made = period([turn(n + 1, voice_ms=float(n)) for n in order])

    assert [each.number for each in made.shown] == list(range(40, 40 - SHOWN_TURNS, -1))


def test_evidence_is_counted_in_full_and_kept_in_part():
    made = period([turn(n, lines=(ReportedLine("openai", 100.0),)) for n in range(300)])
    seen = made.seen[ObservationKind.LINE_AWAITED]

    assert (seen.count, seen.total_ms, len(seen.evidence)) == (300, 30_000, 5)


def test_a_turn_costs_some_hundred_bytes_however_many_there_are():
    notes = tuple(ReportedNote("draft_waits", float(n), "a reason " * 20) for n in range(20))
    made = Period("many")
    tracemalloc.start()
    for n in range(600):
        made.add(turn(n, notes=notes, call=f"sess_{n}"))
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept_bytes / 600 < 400

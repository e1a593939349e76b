import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.observability.turns import FACTS, MARKS, kept, turn
from warmline.core.setback import ProviderRole
from warmline.reporting.turn import ReportedNote, ReportedSetback
from warmline.server.observability.turn_spans import provider_of, traced_turn
from warmline.timeline.marks import Mark
from warmline.timeline.report import TurnStatus

pytestmark = pytest.mark.unit

ORIGIN_NS = 1_795_250_000_000_000_000


def test_a_turn_is_a_span_from_its_first_mark_to_its_last_with_its_stages_beneath():
    traced = traced_turn(turn())
    assert traced is not None
    whole = traced.turn
    assert (whole.name, whole.start_ns - ORIGIN_NS, whole.end_ns - ORIGIN_NS) == (
        "turn",
        -1_500_000_000,
        4_000_000_000,
    )
    stages = {stage.name: stage for stage in traced.stages}
    milliseconds = {
        name: ((stage.start_ns - ORIGIN_NS) / 1e6, (stage.end_ns - ORIGIN_NS) / 1e6)
        for name, stage in stages.items()
    }
    assert milliseconds == {
        "speech": (-1_500, 0),
        "endpointing": (0, 500),
        "speech_to_text nova-3": (0, 300),
        "retrieval": (310, 400),
        "chat gpt-5.4-mini": (510, 1_500),
        "text_to_speech flash": (801, 1_900),
        "playout": (930, 4_000),
    }
    assert whole.attributes["warmline.turn.response"] == 0.93
    parts = [value for name, value in whole.attributes.items() if ".contribution." in name]
    assert sum(map(float, parts)) == pytest.approx(0.93)
    assert not whole.error


def test_a_models_span_is_told_as_the_conventions_for_generative_ai_have_it():
    traced = traced_turn(turn())
    assert traced is not None
    model = next(stage for stage in traced.stages if stage.attributes["warmline.stage"] == "model")
    assert model.is_remote
    assert model.attributes == {
        "session.id": "sess_1",
        "gen_ai.conversation.id": "sess_1",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "gen_ai.output.type": "text",
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "warmline.stage": "model",
    }


def test_what_was_cut_off_ends_with_the_turn():
    """An interrupted answer has no end of its own."""
    marks = {mark: at for mark, at in MARKS.items() if mark not in (Mark.LLM_DONE, Mark.TTS_DONE)}
    traced = traced_turn(turn(marks_ms={**marks, Mark.BARGE_IN: 3_900.0}, status=TurnStatus.INTERRUPTED))
    assert traced is not None
    ends = {stage.attributes["warmline.stage"]: stage.end_ns - ORIGIN_NS for stage in traced.stages}
    assert ends["model"] == ends["voice"] == 4_000_000_000
    assert ("warmline.barge_in", 3_900_000_000) in [
        (instant.name, instant.at_ns - ORIGIN_NS) for instant in traced.instants
    ]


def test_a_turn_that_failed_says_of_what():
    setback = ReportedSetback("llm", "openai", "refused", "none", "", 120.0, 640.0)
    traced = traced_turn(turn(status=TurnStatus.FAILED, setbacks=(setback,)))
    assert traced is not None
    assert traced.turn.error == "refused"
    (told,) = [each for each in traced.instants if each.name == "warmline.provider_setback"]
    assert told.at_ns == ORIGIN_NS + 640_000_000
    assert told.attributes["warmline.leg"] == "openai"


@pytest.mark.parametrize(
    ("kind", "remedy", "taken_by", "expected"),
    [
        ("refused", "retry", "anthropic", ("anthropic", "")),
        ("cut", "continuation", "anthropic", ("anthropic", "")),
        ("late", "retry", "anthropic", ("openai", "gpt-5.4-mini")),
        ("refused", "none", "", ("openai", "gpt-5.4-mini")),
        ("unavailable", "retry", "openai", ("openai", "gpt-5.4-mini")),
    ],
)
def test_who_did_the_work_is_whoever_stood_in_where_that_is_sure(kind, remedy, taken_by, expected):
    setback = ReportedSetback("llm", "openai", kind, remedy, taken_by)
    assert provider_of(turn(setbacks=(setback,)), ProviderRole.LLM) == expected


def test_a_turn_that_nobody_knows_the_time_of_has_no_trace():
    assert traced_turn(turn(at_s=None)) is None
    assert traced_turn(turn(marks_ms={})) is None


def test_no_note_of_a_turn_takes_its_text_along():
    """It is a sentence for people, with figures; a word of somebody's in it would be a bug."""
    traced = traced_turn(kept(turn(notes=(ReportedNote("tool_called", 600.0, "canary"),))).turn)
    assert traced is not None
    assert "canary" not in repr(traced)
    assert "warmline.tool_called" in {each.name for each in traced.instants}


@given(
    st.dictionaries(st.sampled_from(Mark), st.floats(-5_000, 60_000), min_size=1),
    st.sampled_from([*TurnStatus, None]),
    st.just({}) | st.just(FACTS),
)
def test_whatever_the_marks_no_span_ends_before_it_begins_or_lies_outside_the_turn(marks, status, facts):
    """Marks of a log that contradict each other, too."""
    traced = traced_turn(turn(marks_ms=marks, status=status, facts=facts))
    assert traced is not None
    for stage in traced.stages:
        assert traced.turn.start_ns <= stage.start_ns <= stage.end_ns <= traced.turn.end_ns
        assert all(isinstance(value, str | int | float | bool) for value in stage.attributes.values())

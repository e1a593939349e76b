"""The timeline: marks in an order that cannot be wrong, spans and contributions made of them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.errors import InvalidMark
from warmline.timeline.contributions import MILESTONES, SPANS, contributions, origin, spans
from warmline.timeline.marks import CAUSES, Mark, comes_after
from warmline.timeline.report import PlayoutTruth, TurnStatus, turn_report
from warmline.timeline.timeline import Timeline

pytestmark = pytest.mark.unit


def recorded(**at_ms: float) -> Timeline:
    """Return a timeline with the marks given by name, in milliseconds, in the order given."""
    timeline = Timeline()
    for name, ms in at_ms.items():
        timeline.record(Mark(name), ms / 1000)
    return timeline


SPOKEN = {
    "speech_started": 1000,
    "speech_ended": 2500,
    "transcript_final": 2830,
    "silence_reached": 3012,
    "turn_committed": 3012,
    "retrieval_started": 3013,
    "retrieval_done": 3019,
    "llm_started": 3019,
    "llm_first_text": 3020,
    "first_clause": 3020,
    "tts_started": 3021,
    "tts_first_audio": 3024,
    "audio_sent": 3024,
    "audio_played": 3061,
}


@pytest.mark.parametrize("name", SPANS)
def test_every_span_ends_with_an_effect_of_the_mark_it_starts_with(name):
    """No span can be negative, because the table pairs causes with their effects alone."""
    first, last = SPANS[name]
    assert comes_after(last, first)


def test_a_streams_end_is_no_sentences_start():
    """The earlier system printed "LLM -> TTS start: -93 ms": the end of the model's whole stream was taken
    for the moment at which the first sentence could be spoken. Here the end comes after the start of
    speech too, and there is no span between the two to be negative."""
    timeline = recorded(
        text_received=0,
        turn_committed=0,
        llm_started=1,
        llm_first_text=400,
        first_clause=600,
        tts_started=603,
        llm_done=696,
        tts_first_audio=860,
        audio_sent=860,
        audio_played=861,
    )
    assert timeline.marks[Mark.TTS_STARTED] - timeline.marks[Mark.LLM_DONE] == -93_000
    assert not comes_after(Mark.TTS_STARTED, Mark.LLM_DONE)
    assert all(Mark.LLM_DONE is not first for first, _ in SPANS.values())
    assert Mark.LLM_DONE not in dict(MILESTONES)
    assert min(span.end_us - span.start_us for span in spans(timeline.marks)) >= 0
    assert {c.name: c.duration_us for c in contributions(timeline.marks)}["dispatch"] == 3_000


def test_contributions_of_a_spoken_turn_name_each_stage_and_sum_to_the_total():
    """What the waterfall stacks is the time from the end of speech to the first audio played."""
    marks = recorded(**SPOKEN).marks
    assert [(c.name, c.duration_us) for c in contributions(marks)] == [
        ("endpointing", 512_000),
        ("transcription", 0),  # it ended inside the silence, and delayed nothing
        ("commit", 0),
        ("retrieval", 7_000),
        ("prompt", 0),
        ("model", 1_000),
        ("clause", 0),
        ("dispatch", 1_000),
        ("voice", 3_000),
        ("send", 0),
        ("delivery", 37_000),
    ]


def test_a_late_final_is_charged_only_with_the_time_beyond_the_silence():
    """The recogniser worked beside the endpointing: 660 ms of its own, 148 ms of the user's."""
    timeline = recorded(
        speech_started=1000,
        speech_ended=2500,
        silence_reached=3012,
        transcript_final=3160,
        turn_committed=3160,
        llm_started=3160,
        llm_first_text=3161,
        first_clause=3161,
        tts_started=3161,
        tts_first_audio=3162,
        audio_sent=3162,
        audio_played=3170,
    )
    marks = timeline.marks
    charged = {c.name: c.duration_us for c in contributions(marks)}
    assert charged["transcription"] == 148_000
    own = {s.name: s.end_us - s.start_us for s in spans(marks)}
    assert own["transcription"] == 660_000


@given(st.lists(st.integers(0, 3_000_000), min_size=len(MILESTONES), max_size=len(MILESTONES)), st.data())
def test_contributions_sum_to_the_total_whatever_overlaps(delays_us, data):
    """Exactly, for any set of marks that the rules allow, and none of them is negative."""
    timeline = Timeline()
    timeline.record(Mark.SPEECH_STARTED, 5.0)
    timeline.record(Mark.SPEECH_ENDED, 6.0)
    order = [*(m for m, _ in MILESTONES), Mark.RETRIEVAL_STARTED]
    order.sort(key=list(Mark).index)
    skipped = data.draw(st.sets(st.sampled_from([Mark.TRANSCRIPT_FINAL, Mark.RETRIEVAL_DONE])))
    for mark, delay_us in zip(order, [*delays_us, 0], strict=True):
        if mark in skipped or (mark is Mark.RETRIEVAL_STARTED and Mark.RETRIEVAL_DONE in skipped):
            continue
        causes = [timeline.marks[c] for c in CAUSES[mark] if c in timeline]
        timeline.record(mark, (max(causes) + delay_us) / 1_000_000)
    marks = timeline.marks
    charged = contributions(marks)
    assert sum(c.duration_us for c in charged) == marks[Mark.AUDIO_PLAYED] - marks[Mark.SPEECH_ENDED]
    assert all(c.duration_us >= 0 for c in charged)
    assert all(s.end_us >= s.start_us for s in spans(marks))


def test_a_mark_before_its_cause_is_refused_and_changes_nothing():
    """A wrong order is a bug of ours, and is found where it is made."""
    timeline = recorded(speech_started=1000, speech_ended=2000)
    with pytest.raises(InvalidMark, match="speech_ended is later"):
        timeline.record(Mark.SILENCE_REACHED, 1.9)
    with pytest.raises(InvalidMark, match="is not recorded"):
        timeline.record(Mark.AUDIO_PLAYED, 3.0)
    with pytest.raises(InvalidMark, match="recorded already"):
        timeline.record(Mark.SPEECH_ENDED, 2.0)
    assert list(timeline.marks) == [Mark.SPEECH_STARTED, Mark.SPEECH_ENDED]


def test_resume_listening_takes_back_the_end_of_speech_until_the_turn_is_committed():
    """A pause for thought leaves no mark."""
    timeline = recorded(speech_started=1000, speech_ended=2000, transcript_final=2300)
    timeline.resume_listening()
    assert list(timeline.marks) == [Mark.SPEECH_STARTED]
    committed = recorded(text_received=1, turn_committed=2)
    with pytest.raises(InvalidMark):
        committed.resume_listening()


def test_origin_is_the_last_thing_the_user_did():
    """Somebody who speaks and then types waits from the typing on."""
    timeline = recorded(speech_started=0, speech_ended=900, text_received=1500)
    assert origin(timeline.marks) == 1_500_000
    assert origin({}) is None
    assert spans({}) == ()


def test_report_has_no_response_time_before_anything_is_played():
    """A turn that was never heard has no response time rather than a wrong one."""
    marks = dict(itertools.islice(SPOKEN.items(), 5))
    report = turn_report(
        recorded(**marks),
        number=1,
        reply_id="resp_1",
        status=TurnStatus.INTERRUPTED,
        user_text="",
        reply_text="",
        heard_text="",
        playout=PlayoutTruth.RECKONED,
    )
    assert report.response_us is None
    assert report.contributions == ()
    assert report.marks_us["speech_started"] == -1_500_000


def test_causes_have_no_cycle():
    """Time runs one way."""
    assert not any(comes_after(mark, mark) for mark in Mark)


def test_a_greeting_made_while_it_rang_is_charged_with_nothing_before_the_answer():
    """What ran before the person could hear kept nobody waiting; what was left to do did."""
    branch = recorded(
        ringing=0, draft_begun=0, llm_started=1, llm_first_text=1, first_clause=1, tts_started=2
    )
    timeline = recorded(answered=4_000)
    timeline.adopt(branch)
    timeline.record(Mark.TURN_COMMITTED, 4.0)
    for mark, ms in (("tts_first_audio", 4_120), ("audio_sent", 4_120), ("audio_played", 4_150)):
        timeline.record(Mark(mark), ms / 1000)
    assert origin(timeline.marks) == 4_000_000
    assert {c.name: c.duration_us for c in contributions(timeline.marks) if c.duration_us} == {
        "voice": 120_000,
        "delivery": 30_000,
    }

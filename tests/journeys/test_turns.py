"""Whole turns on the jumping clock: what happens when, and what it adds up to."""

import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.core.formats import PCM_16K
from warmline.core.line_use import LineUse, OpenCost
from warmline.core.setback import SetbackKind
from warmline.errors import ProviderUnavailable
from warmline.interfaces.channel import (
    EndReason,
    FloorChanged,
    PartialTranscript,
    ReplyDone,
    ReplyStatus,
    SessionFailure,
    TurnSettings,
    UserTurn,
)
from warmline.interfaces.retriever import Passage
from warmline.session.settings import SessionSettings
from warmline.testing.line import Line
from warmline.testing.scripted import (
    ScriptedDetector,
    ScriptedFault,
    ScriptedModel,
    ScriptedRecogniser,
    ScriptedRetriever,
    ScriptedVoice,
    Utterance,
)
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.notes import NoteKind
from warmline.timeline.report import PlayoutTruth, TurnStatus
from warmline.turns.floor import Floor

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

PASSAGE = Passage("We open at nine.", "Hours", "hours.md", 0.8)


async def test_single_turn_is_heard_recognised_answered_and_played():
    """Speech from 1.0 to 2.5 s; every mark is where the script puts it."""
    hands = Stagehands(
        retriever=ScriptedRetriever([PASSAGE], delay_s=0.05),
        model=ScriptedModel(["We open at nine."], first_word_s=0.25),
        voice=ScriptedVoice(first_audio_s=0.12),
        settings=SessionSettings(drafting=None),
    )
    async with conversation(hands, Utterance("when do you open", final_after_s=0.1)) as talk:
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4.0)
    [turn] = talk.line.turns()
    assert (turn.user_text, turn.heard_text) == ("when do you open", "We open at nine.")
    assert turn.status is TurnStatus.COMPLETED
    assert turn.playout is PlayoutTruth.REPORTED
    ms = {name: round(us / 1000) for name, us in turn.marks_us.items()}
    # Slices are 32 ms, so the speech of 1.0-2.5 s is known as 0.992-2.528; its sound ended at 2.500.
    # Stopped after 224 ms, final 100 ms later; the endpoint after 512 ms (16 slices) in frames of 20 ms.
    assert ms == {
        "speech_started": -1508,
        "speech_ended": 0,
        "transcript_final": 360,
        "silence_reached": 512 + 28,
        "turn_committed": 540,
        # Looked up with each partial; the last one's passages are there when the turn is over.
        "retrieval_started": 540,
        "retrieval_done": 540,
        "llm_started": 540,
        "llm_first_text": 790,
        "llm_done": 790,
        "first_clause": 790,
        "tts_started": 790,
        "tts_first_audio": 910,
        "audio_sent": 910,
        "audio_played": 920,
        "tts_done": 910,
        # four words of 300 ms
        "playout_done": 910 + 1200 + 10,
    }
    assert (
        sum(c.duration_us for c in turn.contributions) == turn.response_us == pytest.approx(920_000, abs=20)
    )
    floors = [event.floor for event in talk.line.of_type(FloorChanged)]
    assert floors == [
        Floor.USER, Floor.ENDPOINTING, Floor.THINKING, Floor.AGENT, Floor.OPEN, Floor.CLOSED,
    ]  # fmt: skip
    assert [e.text for e in talk.line.of_type(PartialTranscript)] == [
        "when", "when do", "when do you", "when do you open", "when do you open",
    ]  # fmt: skip
    assert talk.said() == [("user", "when do you open"), ("agent", "We open at nine.")]
    assert hands.model.requests[0].messages[-1].passages == (PASSAGE,)


async def test_rapid_turns_are_each_answered_and_keep_their_order():
    """Four questions, each begun 200 ms after the answer before it ended."""
    questions = ["how much is it", "can I pay by card", "where are you", "are you open today"]
    answers = ["Ten dollars.", "Yes, you can.", "On Harbour Lane.", "Until six."]
    async with conversation(Stagehands(), *questions, replies=answers) as talk:
        for _ in questions:
            await talk.caller.speaks(0.8)
            await talk.caller.is_silent(1.8)
    assert [(t.user_text, t.heard_text) for t in talk.line.turns()] == list(
        zip(questions, answers, strict=True)
    )
    assert [who for who, _ in talk.said()] == ["user", "agent"] * 4


async def test_a_pause_for_thought_is_one_turn():
    """300 ms between two utterances: stopped, finalised, and gone on with."""
    async with conversation(Stagehands(), "I would like to know", "when you open") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(0.34)
        await talk.caller.speaks(0.8)
        await talk.caller.is_silent(2.0)
    [turn] = talk.line.turns()
    assert turn.user_text == "I would like to know when you open"
    assert turn.marks_us["speech_started"] < -2_000_000


async def test_silence_and_noise_alone_start_nothing():
    """Nobody is answered who has not spoken; a click of one slice is no speech."""
    async with conversation(Stagehands()) as talk:
        await talk.caller.is_silent(20)
        await talk.caller.speaks(0.02)
        await talk.caller.is_silent(20)
    assert talk.line.turns() == []
    assert [e.floor for e in talk.line.of_type(FloorChanged)] == [Floor.CLOSED]


async def test_speech_without_words_is_not_answered():
    """A cough is taken for speech, understood as nothing, and let go."""
    async with conversation(Stagehands(), "") as talk:
        await talk.caller.speaks(0.4)
        await talk.caller.is_silent(2)
        assert talk.session.floor is Floor.OPEN
    assert talk.line.turns() == []
    assert [turn.text for turn in talk.line.of_type(UserTurn)] == [""]
    assert talk.said() == []


async def test_ten_sentences_are_spoken_in_order_and_never_far_ahead():
    """Clause 2 is made while clause 1 plays, and no more than the lead is ever sent ahead."""
    answer = " ".join(f"Sentence number {n} has just seven words." for n in range(10))
    hands = Stagehands(
        model=ScriptedModel([answer], word_s=0.01),
        settings=SessionSettings(playout_lead_s=1.0, held_audio_s=0.0),
    )
    async with conversation(hands, "tell me everything") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(26)
    [turn] = talk.line.turns()
    assert turn.heard_text == answer
    assert len(hands.voice.spoken) == 10
    assert "".join(hands.voice.spoken) == answer
    # 70 words of 300 ms are 21 s of audio, played without a gap.
    assert turn.marks_us["playout_done"] - turn.marks_us["audio_played"] == pytest.approx(
        21_000_000, abs=20_000
    )
    assert turn.marks_us["tts_done"] - turn.marks_us["audio_sent"] == pytest.approx(20_000_000, abs=200_000)


async def test_first_clause_is_played_while_the_model_is_still_writing():
    """A one-word-at-a-time model: sound starts after the clause, not after the reply."""
    hands = Stagehands(
        model=ScriptedModel(["We are open from nine in the morning, and we close at six."], word_s=0.2)
    )
    async with conversation(hands, "when are you open") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(9)
    [turn] = talk.line.turns()
    assert turn.marks_us["audio_played"] < turn.marks_us["llm_done"] - 500_000
    assert turn.heard_text == "We are open from nine in the morning, and we close at six."


async def test_typed_turn_is_answered_and_its_clock_starts_at_its_arrival():
    """Typing needs no microphone."""
    hands = Stagehands(model=ScriptedModel(["Nine."], first_word_s=0.3))
    async with conversation(hands) as talk:
        talk.session.receive_text("When do you open?")
        await talk.caller.sends_nothing(2)
    [turn] = talk.line.turns()
    assert turn.user_text == "When do you open?"
    assert turn.response_us == 310_000


async def test_typing_while_speaking_joins_the_words_in_one_turn():
    """Nothing that was said is lost."""
    async with conversation(Stagehands(), "my order number is") as talk:
        await talk.caller.speaks(1.5)
        talk.session.receive_text("4 7 1 1")
        await talk.caller.is_silent(3)
    assert [turn.user_text for turn in talk.line.turns()] == ["my order number is 4 7 1 1"]


@pytest.mark.parametrize("typed", [True, False])
async def test_goodbye_is_returned_and_ends_the_session(typed):
    """After it was played, not before."""
    async with conversation(Stagehands(), "okay thanks bye bye") as talk:
        if typed:
            talk.session.receive_text("Goodbye")
        else:
            await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        assert talk.line.ended is EndReason.GOODBYE
    [turn] = talk.line.turns()
    assert (turn.heard_text, turn.status) == ("Goodbye.", TurnStatus.COMPLETED)


async def test_greeting_is_spoken_first():
    """An agent may speak before it is spoken to."""
    hands = Stagehands(settings=SessionSettings(greeting="Welcome to the library."))
    async with conversation(hands) as talk:
        await talk.caller.is_silent(3)
    assert talk.said() == [("agent", "Welcome to the library.")]


async def test_a_page_that_never_reports_playout_is_waited_for_and_then_let_go():
    """The earlier system's page did not report, and every turn hung for 15 s; here that is shown."""
    hands = Stagehands(line=Line(never_reports=True), settings=SessionSettings(playout_timeout_s=15.0))
    async with conversation(hands, "when do you open", replies=["It opens at nine."]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(10)
        assert talk.line.turns() == []
        await talk.caller.is_silent(10)
        assert talk.session.floor is Floor.OPEN
    [turn] = talk.line.turns()
    assert turn.playout is PlayoutTruth.TIMED_OUT
    # 1.2 s of audio and 15 s of patience after it was sent
    assert turn.marks_us["playout_done"] - turn.marks_us["audio_sent"] == pytest.approx(16_200_000, abs=5_000)
    assert turn.response_us is None


async def test_a_client_that_does_not_report_is_reckoned_with():
    """A plain client's turn ends when its audio must have been played."""
    async with conversation(Stagehands(line=Line(reports_playout=False)), "when do you open") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert turn.playout is PlayoutTruth.RECKONED
    assert turn.marks_us["audio_played"] == turn.marks_us["audio_sent"]
    assert turn.heard_text == "It is open."


async def test_a_muted_microphone_ends_the_turn_as_silence_would():
    """No frame comes after the last word; the turn is over all the same."""
    async with conversation(Stagehands(), "when do you open") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.sends_nothing(3)
    assert [turn.user_text for turn in talk.line.turns()] == ["when do you open"]


async def test_a_final_that_never_comes_is_replaced_by_the_partial():
    """The recogniser's silence does not become the agent's."""
    hands = Stagehands(settings=SessionSettings(final_deadline_s=1.0))
    async with conversation(hands, Utterance("when do you open", final_after_s=float("inf"))) as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    assert turn.user_text == "when do you open"
    assert "transcript_final" not in turn.marks_us


async def test_slow_retrieval_is_not_waited_for_beyond_its_deadline():
    """An answer without passages beats no answer."""
    hands = Stagehands(retriever=ScriptedRetriever([PASSAGE], delay_s=60))
    hands.settings = SessionSettings(drafting=None, retrieval_deadline_s=0.15, typed_retrieval_deadline_s=1.5)
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(5)
        talk.session.receive_text("And when do you close?")
        await talk.caller.is_silent(5)
    spoken, typed = talk.line.turns()
    for turn, deadline_us in ((spoken, 150_000), (typed, 1_500_000)):
        assert "retrieval_done" not in turn.marks_us
        waited_us = turn.marks_us["llm_started"] - turn.marks_us["turn_committed"]
        assert waited_us == pytest.approx(deadline_us, abs=10)
        assert NoteKind.RETRIEVAL_LATE in [note.kind for note in turn.notes]
    assert hands.model.requests[0].messages[-1].passages == ()


async def test_a_failing_voice_is_told_and_the_next_turn_works():
    """An error is one turn's, not the session's."""
    broken = ScriptedVoice(
        error=ProviderUnavailable("the voice is gone", provider="scripted", phase="stream")
    )
    hands = Stagehands(voice=broken)
    async with conversation(hands, "one", "two") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2)
        assert talk.session.floor is Floor.OPEN
        broken.error = None
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3)
    assert [turn.status for turn in talk.line.turns()] == [TurnStatus.FAILED, TurnStatus.COMPLETED]
    assert [f.code for f in talk.line.of_type(SessionFailure)] == ["reply_failed"]
    assert [d.status for d in talk.line.of_type(ReplyDone)] == [ReplyStatus.FAILED, ReplyStatus.COMPLETED]
    assert talk.said() == [("user", "one"), ("user", "two"), ("agent", "It is open.")]


async def test_a_model_cut_off_in_the_middle_leaves_what_was_heard_in_the_context():
    """Not what it had meant to say."""
    hands = Stagehands(
        model=ScriptedModel(
            ["The first sentence is whole. The second is not."], word_s=0.1, error_after_words=7
        )
    )
    async with conversation(hands, "go on") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(20)
    [turn] = talk.line.turns()
    assert turn.status is TurnStatus.FAILED
    assert {setback.kind for setback in turn.setbacks} == {SetbackKind.CUT}
    assert talk.said()[-1] == ("agent", turn.heard_text)
    assert "The first sentence is".startswith(turn.heard_text[:15])


async def test_a_recogniser_that_drops_is_replaced_and_hears_what_was_said_again():
    """The line breaks where the final should come; nobody notices."""
    hands = Stagehands()
    async with conversation(
        hands, Utterance("when do you open", fails=True), "and when do you close"
    ) as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(5)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4)
    assert [turn.user_text for turn in talk.line.turns()] == ["when do you open", "and when do you close"]
    assert hands.recogniser.opened == 2
    assert talk.line.of_type(SessionFailure) == []
    first, second = (turn.marks_us["transcript_final"] for turn in talk.line.turns())
    assert first - second < 150_000


async def test_a_recogniser_that_is_late_to_open_loses_none_of_the_first_words():
    """Audio is kept while there is no line."""
    hands = Stagehands()
    hands.recogniser.refusals = 2
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(2.0)
        await talk.caller.is_silent(4)
    assert [turn.user_text for turn in talk.line.turns()] == ["when do you open"]


async def test_an_hours_call_ends_at_its_limit():
    """In milliseconds, on the clock that jumps."""
    hands = Stagehands(settings=SessionSettings(session_s=3600))
    async with conversation(hands, *["hello"] * 60) as talk:
        began_s = LoopClock().now_s()
        for _ in range(60):
            await talk.caller.speaks(1.0)
            await talk.caller.is_silent(3.0)
            await talk.caller.sends_nothing(56)
        await talk.caller.sends_nothing(1)
        assert LoopClock().now_s() - began_s > 3600
        assert talk.line.ended is EndReason.EXPIRED
    assert len(talk.line.turns()) == 61
    assert talk.line.turns()[-1].heard_text == hands.settings.expiry_farewell


async def test_a_detector_that_cannot_keep_up_is_told_once_and_the_session_goes_on():
    """As with a device that sends faster than real time: no frame's failure ends anything."""
    hands = Stagehands()
    async with conversation(hands, "when do you open", detector=OverloadedDetector()) as talk:
        await talk.caller.speaks(5.0)
        assert [f.code for f in talk.line.of_type(SessionFailure)] == ["hearing_failed"]
        await talk.caller.speaks(6.0)
        assert len(talk.line.of_type(SessionFailure)) == 2  # said again after 10 s
        talk.session.receive_text("when do you open")
        await talk.caller.sends_nothing(2.0)
    assert talk.said()[-1] == ("agent", "It is open.")


class OverloadedDetector(ScriptedDetector):
    """Refuses every frame."""

    def open(self, on_probability, audio_format=PCM_16K):
        stream = super().open(on_probability, audio_format)
        return _Refusing(stream)


class _Refusing:
    def __init__(self, stream):
        self.close = stream.close

    def push(self, pcm):
        raise ProviderUnavailable("it is a minute behind", provider="scripted", phase="stream")


async def test_each_turn_names_the_recognisers_line_which_stood_before_the_first_word():
    """It was opened with the session; what that took, nobody waited for."""
    recogniser = ScriptedRecogniser(["when do you open", "and on sunday"])
    recogniser.line_use = LineUse("ears", "line-1", False, 0.0, 0.3, OpenCost(tcp_s=0.1, tls_s=0.2))
    async with conversation(Stagehands(recogniser=recogniser)) as talk:
        for _ in range(2):
            await talk.caller.is_silent(1.0)
            await talk.caller.speaks(1.5)
            await talk.caller.is_silent(6.0)
    uses = [[use for use in turn.lines if use.endpoint == "ears"] for turn in talk.line.turns()]
    assert [(use.reused, use.waited_s, use.line_id) for [use] in uses] == [(True, 0.0, "line-1")] * 2
    assert uses[0][0].cost.tls_s == 0.2
    assert uses[1][0].age_s > uses[0][0].age_s + 5


async def test_a_reply_that_is_asked_for_while_another_plays_is_heard_behind_it():
    """The far end plays the one to its end; the next is not reckoned as heard meanwhile."""
    hands = Stagehands(
        line=Line(reports_playout=False),
        model=ScriptedModel(["One two three four five six seven eight nine ten.", "Eleven twelve thirteen."]),
        settings=SessionSettings(playout_lead_s=60, resumes_replies=False),
    )
    async with conversation(hands, "stop it") as talk:
        talk.session.receive_text("count")
        await talk.caller.is_silent(1.0)
        assert talk.session.request_reply()
        await talk.caller.is_silent(2.5)
        await talk.caller.speaks(0.4)
        await talk.caller.is_silent(3.0)
    assert [turn.heard_text for turn in talk.line.turns()[:2]] == [
        "One two three four five six seven eight nine ten.",
        "Eleven twelve",
    ]


async def test_a_reply_is_asked_for_the_turn_in_progress_alone():
    """What was cleared is not answered, nor is what is said next because of it."""
    quiet = SessionSettings(turns=TurnSettings(replies_by_itself=False))
    async with conversation(Stagehands(settings=quiet), "when do you open", "and close") as talk:
        await talk.caller.speaks(1.0)
        assert talk.session.request_reply()
        talk.session.clear_audio()
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
    assert talk.said() == [("user", "and close")]


@pytest.mark.parametrize("times", [1, float("inf")])
async def test_a_recogniser_that_finds_no_word_in_a_long_utterance_is_not_believed_alone(times):
    """It may be one that does not listen; where another finds none either, nobody spoke."""
    hands = Stagehands()
    hands.recogniser.faults = [ScriptedFault("deaf", times=times)]
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(5)
    assert [turn.user_text for turn in talk.line.turns()] == (["when do you open"] if times == 1 else [])
    assert hands.recogniser.opened == 2
    assert not talk.line.of_type(SessionFailure)


async def test_a_cough_without_a_word_is_believed():
    """Nothing is sent again for it."""
    hands = Stagehands()
    hands.recogniser.faults = [ScriptedFault("deaf")]
    async with conversation(hands, "") as talk:
        await talk.caller.speaks(0.3)
        await talk.caller.is_silent(3)
    assert talk.line.turns() == []
    assert hands.recogniser.opened == 1


async def test_words_that_were_not_committed_go_on_when_the_session_ends_turns_again():
    """The client had begun to end them itself, and gave that up."""
    by_hand = SessionSettings(turns=TurnSettings(detects_turns=False))
    async with conversation(Stagehands(settings=by_hand), "when do you open on Mondays") as talk:
        await talk.caller.speaks(1.0)
        talk.session.configure(TurnSettings(), "")
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3.0)
    assert talk.said() == [("user", "when do you open on Mondays"), ("agent", "It is open.")]

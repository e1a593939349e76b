"""The user takes the floor: what stops, when, and what the context keeps."""

import anyio
import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.interfaces.channel import (
    FloorChanged,
    ReplyDone,
    ReplyStarted,
    ReplyStatus,
    ReplyText,
    SpeechStarted,
    TurnMeasured,
    TurnSettings,
)
from warmline.session.settings import SessionSettings
from warmline.testing.line import Line
from warmline.testing.scripted import ScriptedModel, ScriptedRetriever, ScriptedVoice
from warmline.timeline.report import PlayoutTruth, TurnStatus
from warmline.turns.floor import Floor

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

LONG = "We open at nine in the morning on every day of the week but Sunday. On Sundays we are closed."


async def test_speech_in_the_middle_of_a_sentence_stops_playing_at_once_and_keeps_the_words_heard():
    """The context is cut at the word that was playing."""
    hands = Stagehands()
    async with conversation(hands, "when do you open", "and on Mondays", replies=[LONG, "Yes."]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)  # the reply has been playing for about 1.5 s: five words
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3.0)
    first, second = talk.line.turns()
    assert first.status is TurnStatus.INTERRUPTED
    assert first.heard_text == "We open at nine in"
    [(stopped_at_s, reply_id)] = talk.line.stops
    assert reply_id == first.reply_id
    detected_at_s = next(at for at, e in talk.line.events if isinstance(e, SpeechStarted) and at > 2)
    assert stopped_at_s == detected_at_s  # in the same call, not in a later task
    assert talk.said() == [
        ("user", "when do you open"),
        ("agent", "We open at nine in"),
        ("user", "and on Mondays"),
        ("agent", "Yes."),
    ]
    assert [m.text for m in hands.model.requests[1].messages] == [text for _, text in talk.said()[:3]]
    assert second.status is TurnStatus.COMPLETED


async def test_the_far_ends_word_on_what_it_played_corrects_the_context():
    """The page knows to the millisecond what left its loudspeaker."""
    async with conversation(Stagehands(), "when do you open", "hold on", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.4)
        [reply] = talk.line.of_type(ReplyDone)
        assert talk.session.playout_truncated(reply.item_id, 750)  # 2.5 words of 300 ms
        await talk.caller.is_silent(2.0)
    turn = talk.line.turns()[0]
    assert turn.heard_text == "We open at"
    assert turn.playout is PlayoutTruth.REPORTED
    assert talk.said()[1] == ("agent", "We open at")
    assert not talk.session.playout_truncated("item_unknown", 10)


@pytest.mark.parametrize("stage", ["retrieval", "model", "voice"])
async def test_speech_before_any_sound_cancels_the_reply_and_leaves_nothing_in_the_context(stage):
    """Whatever the reply was waiting for is left, and both questions are kept."""
    hands = Stagehands(
        retriever=ScriptedRetriever(delay_s=1.4 if stage == "retrieval" else 0),
        model=ScriptedModel([LONG], first_word_s=1.4 if stage == "model" else 0),
        voice=ScriptedVoice(first_audio_s=1.4 if stage == "voice" else 0),
        settings=SessionSettings(drafting=None, retrieval_deadline_s=5.0),
    )
    async with conversation(hands, "when do you open", "I mean tomorrow") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.0)
        assert talk.session.floor is Floor.THINKING
        await talk.caller.speaks(1.0)
        assert talk.line.of_type(FloorChanged)[-1].floor is Floor.USER
        await talk.caller.is_silent(0.1)
        asked = len(hands.model.requests)
        # A model that is late is asked again.
        assert asked == (0 if stage == "retrieval" else 1) or (stage == "model" and asked > 1)
        assert hands.model.cancelled == (asked if stage == "model" else 0)
        assert (hands.voice.cancelled > 0) == (stage == "voice")
        assert not talk.line.played_bytes
        assert talk.said() == [("user", "when do you open")]
        await talk.caller.is_silent(4.0)
    assert next(turn.status for turn in talk.line.turns()) is TurnStatus.INTERRUPTED
    assert next(done.status for done in talk.line.of_type(ReplyDone)) is ReplyStatus.INTERRUPTED
    assert talk.line.turns()[0].response_us is None


async def test_speech_after_all_was_sent_but_not_played_still_interrupts():
    """With a long lead the reply is made long before it is heard."""
    hands = Stagehands(settings=SessionSettings(playout_lead_s=60))
    async with conversation(hands, "when do you open", "stop", replies=[LONG, "Yes."]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.5)
        assert [d.status for d in talk.line.of_type(ReplyDone)] == [ReplyStatus.COMPLETED]
        await talk.caller.speaks(0.5)
        await talk.caller.is_silent(3)
    first = talk.line.turns()[0]
    assert first.status is TurnStatus.INTERRUPTED
    assert first.reply_text == LONG
    assert 0 < len(first.heard_text) < len(LONG) / 2
    assert len(talk.line.of_type(ReplyDone)) == 2  # said once for each reply


async def test_an_agent_that_may_not_be_interrupted_finishes_and_then_listens():
    """The user who is still speaking then has the floor."""
    hands = Stagehands(settings=SessionSettings(turns=TurnSettings(can_be_interrupted=False)))
    async with conversation(
        hands, "when do you open", "as I said", replies=["We open at nine.", "Yes."]
    ) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(2.0)  # from 0.5 s into the reply's 1.2 s
        assert talk.line.stops == []
        assert talk.session.floor is Floor.USER
        await talk.caller.is_silent(3.0)
    assert [t.status for t in talk.line.turns()] == [TurnStatus.COMPLETED, TurnStatus.COMPLETED]
    assert talk.line.turns()[1].user_text == "as I said"


async def test_typing_interrupts_as_speech_does():
    """Playing stops, and what was heard stays."""
    async with conversation(Stagehands(), "when do you open", replies=[LONG, "Sure."]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.7)
        talk.session.receive_text("And today?")
        await talk.caller.is_silent(2.0)
    assert [t.status for t in talk.line.turns()] == [TurnStatus.INTERRUPTED, TurnStatus.COMPLETED]
    assert talk.said()[1][1] == "We open at nine"


async def test_client_cancels_the_reply_and_the_floor_is_open():
    """Somebody pressed stop."""
    async with conversation(Stagehands(), "when do you open", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.5)
        assert talk.session.cancel_reply()
        assert talk.session.floor is Floor.OPEN
        assert not talk.session.cancel_reply()
        await talk.caller.is_silent(1.0)
    assert [t.status for t in talk.line.turns()] == [TurnStatus.CANCELLED]


async def test_a_far_end_without_audio_says_that_the_user_took_the_floor():
    """What is said follows as text."""
    async with conversation(Stagehands(), "when do you open", replies=[LONG, "At nine."]) as talk:
        assert not talk.session.barge_in()
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.5)
        assert talk.session.barge_in()
        assert talk.session.floor is Floor.OPEN
        talk.session.receive_text("And today?")
        await talk.caller.is_silent(5.0)
    assert [t.status for t in talk.line.turns()] == [TurnStatus.INTERRUPTED, TurnStatus.COMPLETED]


async def test_a_late_report_of_a_reply_that_was_stopped_changes_nothing():
    """It crossed the stop on its way."""
    async with conversation(Stagehands(), "when do you open", "hold on", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.5)
        await talk.caller.speaks(0.4)
        [turn] = talk.line.turns()
        talk.session.playout_started(turn.reply_id)
        talk.session.playout_progressed(turn.reply_id, 5000)
        talk.session.playout_finished(turn.reply_id)
        assert talk.session.floor is Floor.USER
        await talk.caller.is_silent(2.0)
    assert talk.line.turns()[0].heard_text == turn.heard_text


async def test_a_plain_client_is_reckoned_with_when_it_is_interrupted():
    """It plays in real time from what it was sent, as far as anybody knows."""
    hands = Stagehands(line=Line(reports_playout=False))
    async with conversation(hands, "when do you open", "hold on", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.4)
        await talk.caller.is_silent(2.0)
    turn = talk.line.turns()[0]
    assert turn.playout is PlayoutTruth.RECKONED
    assert turn.heard_text == "We open at nine in"
    assert next(e.report.status for e in talk.line.of_type(TurnMeasured)) is TurnStatus.PLAYING


async def test_an_interruption_is_one_however_far_the_model_is_ahead_of_the_voice():
    """The model is made to wait then, and its stream is closed from outside."""
    hands = Stagehands(
        model=ScriptedModel([" ".join([LONG] * 20), "Yes."]),
        voice=ScriptedVoice(chunk_s=0.09),
        settings=SessionSettings(resumes_replies=False),
    )
    async with conversation(hands, "when do you open", "and on Mondays") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3.0)
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3.0)
    first, second = talk.line.turns()
    assert (first.status, second.status) == (TurnStatus.INTERRUPTED, TurnStatus.COMPLETED)
    assert hands.model.cancelled == 1


@pytest.mark.parametrize("steps", range(60))
async def test_nothing_of_a_reply_comes_after_it_was_stopped_whatever_was_just_being_made(steps):
    """Its tasks may be about to go on when they are cancelled, with more in their hands."""
    async with conversation(Stagehands(), replies=[LONG, "Yes."]) as talk:
        talk.session.receive_text("when do you open")
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        talk.session.receive_text("stop it")
        [stopped, _] = talk.line.of_type(ReplyStarted)
        played_bytes = talk.line.played_bytes.get(stopped.reply_id)
        texts = [text.reply_id for text in talk.line.of_type(ReplyText)]
        await talk.caller.is_silent(1.0)
        assert talk.line.played_bytes.get(stopped.reply_id) == played_bytes
        later = [text.reply_id for text in talk.line.of_type(ReplyText)][len(texts) :]
        assert stopped.reply_id not in later

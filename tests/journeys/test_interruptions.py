"""Sounds during a reply: what takes the floor, and what gives it back."""

import math
import re
from contextlib import asynccontextmanager

import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.core.formats import AudioFormat, Encoding
from warmline.interfaces.channel import ReplyDone, ReplyResumed, ReplyStarted
from warmline.interfaces.tts import SpeechChunk, SpokenWord
from warmline.session.settings import SessionSettings
from warmline.testing.line import Line
from warmline.testing.scripted import ScriptedModel, ScriptedVoice, Utterance
from warmline.timeline.notes import NoteKind
from warmline.timeline.report import PlayoutTruth, TurnStatus
from warmline.turns.floor import Floor

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

LONG = "We open at nine in the morning on every day of the week but Sunday. On Sundays we are closed."
WORDS = len(LONG.split())


@pytest.mark.parametrize("sound", ["", "mhm", "Okay.", "I see"])
@pytest.mark.parametrize("reports", [True, False])
async def test_a_cough_or_an_acknowledgement_does_not_end_a_reply(sound, reports):
    """Silent while it is unclear, then on from the word where it stopped; nothing of it in the context."""
    hands = Stagehands(line=Line(reports_playout=reports))
    async with conversation(hands, "when do you open", sound, replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.4)
        assert talk.session.floor is Floor.USER
        assert len(talk.line.stops) == 1
        said = talk.said()
        assert said[1] == ("agent", "We open at nine in")  # for now
        await talk.caller.is_silent(9.0)
    [turn] = talk.line.turns()
    assert turn.status is TurnStatus.COMPLETED
    assert turn.heard_text == LONG
    assert NoteKind.FALSE_INTERRUPTION in [note.kind for note in turn.notes]
    assert talk.said() == [("user", "when do you open"), ("agent", LONG)]
    [resumed] = talk.line.of_type(ReplyResumed)
    assert resumed.from_ms % 300 == 0  # the beginning of a word
    assert resumed.from_ms <= 1600
    # The rest of the reply follows the pause in real time.
    stopped_at_s = talk.line.stops[0][0]
    resumed_at_s = next(at for at, event in talk.line.events if isinstance(event, ReplyResumed))
    assert resumed_at_s - stopped_at_s < 0.8
    ends_us = turn.marks_us["playout_done"] - turn.marks_us["audio_played"]
    gap_s = resumed_at_s - stopped_at_s
    assert ends_us / 1e6 == pytest.approx(WORDS * 0.3 + gap_s, abs=0.32)


async def test_yes_is_an_answer_to_a_question():
    """The agent asked, so the floor is the user's."""
    asks = "Shall I read you the hours? Or is it something else that you would like to know of?"
    hands = Stagehands(model=ScriptedModel([asks, "Here they are."]))
    async with conversation(hands, "when do you open", "yes") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.4)  # six words, of which six are the question
        await talk.caller.speaks(0.4)
        await talk.caller.is_silent(3.0)
    first, second = talk.line.turns()
    assert first.heard_text == "Shall I read you the hours?"
    assert second.user_text == "yes"


async def test_what_asks_for_the_floor_has_it_as_soon_as_it_is_understood():
    """The reply ends at the instant at which it fell silent."""
    async with conversation(Stagehands(), "when do you open", "no wait", replies=[LONG, "Yes?"]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.4)
        [done] = talk.line.of_type(ReplyDone)
        [turn] = talk.line.turns()
        [(stopped_at_s, _)] = talk.line.stops
        await talk.caller.is_silent(3.0)
    assert done.reply_id == turn.reply_id
    assert turn.status is TurnStatus.INTERRUPTED
    assert turn.heard_text == "We open at nine in"
    assert turn.marks_us["barge_in"] / 1e6 == pytest.approx(
        stopped_at_s - 1.0 - 0.03, abs=0.05
    )  # speech ended about 1.0 s into the session
    assert [turn.user_text for turn in talk.line.turns()] == ["when do you open", "no wait"]


async def test_long_speech_takes_the_floor_before_a_word_of_it_is_understood():
    """A recogniser that is slow must not make the agent deaf."""
    slow = Utterance("", final_after_s=1.0)
    async with conversation(Stagehands(), "when do you open", slow, replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(1.2)
        [turn] = talk.line.turns()
        assert turn.status is TurnStatus.INTERRUPTED
        await talk.caller.is_silent(3.0)
        assert talk.session.floor is Floor.OPEN


async def test_a_cough_before_the_first_sound_delays_nothing_for_good():
    """The reply is made meanwhile, and heard when it is clear that nobody spoke."""
    hands = Stagehands(
        model=ScriptedModel([LONG], first_word_s=0.3),
        voice=ScriptedVoice(first_audio_s=0.3),
        settings=SessionSettings(drafting=None),
    )
    async with conversation(hands, "when do you open", "") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(0.7)
        floors = [talk.session.floor]
        await talk.caller.speaks(0.3)
        floors.append(talk.session.floor)
        assert floors == [Floor.THINKING, Floor.USER]
        await talk.caller.is_silent(9.0)
    [turn] = talk.line.turns()
    assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, LONG)
    # Nothing had been sent of it that could be stopped: a far end that was told so would play no more of it.
    assert not talk.line.stops
    assert not talk.line.of_type(ReplyResumed)
    assert len(hands.model.requests) == 1


async def test_a_reply_that_was_sent_whole_can_be_paused_and_goes_on():
    """With a long lead there is nothing left to make."""
    hands = Stagehands(settings=SessionSettings(playout_lead_s=60))
    async with conversation(hands, "when do you open", "", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        assert len(talk.line.of_type(ReplyDone)) == 1
        await talk.caller.speaks(0.4)
        await talk.caller.is_silent(9.0)
    [turn] = talk.line.turns()
    assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, LONG)
    assert len(talk.line.of_type(ReplyDone)) == 1


async def test_the_far_ends_word_on_a_paused_reply_says_where_it_goes_on():
    """The page knows to the millisecond what left its loudspeaker."""
    async with conversation(Stagehands(), "when do you open", "", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.2)
        [started] = talk.line.of_type(ReplyStarted)
        assert talk.session.playout_truncated(started.item_id, 750)
        assert talk.said()[1] == ("agent", "We open at")
        await talk.caller.is_silent(9.0)
    [resumed] = talk.line.of_type(ReplyResumed)
    assert resumed.from_ms == 600
    assert talk.line.turns()[0].heard_text == LONG


async def test_an_agent_can_be_told_to_stop_at_any_sound():
    """`resumes_replies` is off."""
    hands = Stagehands(settings=SessionSettings(resumes_replies=False))
    async with conversation(hands, "when do you open", "mhm", replies=[LONG, "Yes?"]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.1)
        assert talk.line.turns()[0].status is TurnStatus.INTERRUPTED
        await talk.caller.speaks(0.3)
        await talk.caller.is_silent(3.0)
    assert talk.line.turns()[1].user_text == "mhm"


async def test_the_client_can_cancel_a_reply_that_is_paused():
    """The floor stays with the user, whose turn is answered."""
    hands = Stagehands()
    async with conversation(hands, "when do you open", "on Mondays", replies=[LONG, "Yes."]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.2)
        assert talk.session.cancel_reply()
        assert talk.session.floor is Floor.USER
        await talk.caller.speaks(0.6)
        await talk.caller.is_silent(3.0)
    first, second = talk.line.turns()
    assert (first.status, first.heard_text) == (TurnStatus.CANCELLED, "We open at nine in")
    assert (second.user_text, second.heard_text) == ("on Mondays", "Yes.")


@pytest.mark.parametrize("stopped_ms", range(50, 1700, 150))
async def test_no_sample_is_lost_or_doubled_where_a_reply_goes_on(stopped_ms):
    """Whatever the place, the far end has dropped just what it is sent again."""
    line = Line(output_format=AudioFormat(Encoding.PCM16, 8_000))
    async with conversation(Stagehands(line=line), "when do you open", "", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.2)
        [started] = line.of_type(ReplyStarted)
        sent_bytes = line.played_bytes[started.reply_id]
        assert talk.session.playout_truncated(started.item_id, stopped_ms)
        await talk.caller.is_silent(9.0)
    [resumed] = line.of_type(ReplyResumed)
    again_bytes = line.played_bytes[started.reply_id] - sent_bytes
    assert resumed.from_ms * 16 + again_bytes == WORDS * 300 * 16


async def test_speech_that_the_client_clears_during_a_reply_was_none():
    """The reply goes on where it stopped, and what is said next is a turn of its own."""
    async with conversation(Stagehands(), "on Mondays", "when do you open", replies=[LONG]) as talk:
        talk.session.receive_text("when do you open")
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.2)
        talk.session.clear_audio()
        assert talk.session.floor is Floor.AGENT
        await talk.caller.is_silent(8.0)
        [turn] = talk.line.turns()
        assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, LONG)
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3.0)
    assert talk.line.turns()[1].user_text == "when do you open"


async def test_a_reply_that_is_asked_for_during_a_paused_one_is_the_answer_to_what_is_being_said():
    """What was dropped at the far end is not taken for heard."""
    hands = Stagehands(settings=SessionSettings(playout_lead_s=60))
    async with conversation(hands, "when do you open", "on Mondays", replies=[LONG, "Yes."]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.2)
        assert talk.session.request_reply()
        await talk.caller.speaks(0.6)
        await talk.caller.is_silent(3.0)
    first, second = talk.line.turns()
    assert (first.status, first.heard_text) == (TurnStatus.INTERRUPTED, "We open at nine in")
    assert (second.user_text, second.heard_text) == ("on Mondays", "Yes.")


class BriskVoice(ScriptedVoice):
    """Speaks every word for 100 ms."""

    @asynccontextmanager
    async def synthesise(self, text, audio_format):
        async def chunks():
            for index, match in enumerate(re.finditer(r"\S+", text)):
                word = SpokenWord(match.start(), match.end(), index * 100)
                yield SpeechChunk(b"\x01" * audio_format.size_bytes(0.1), (word,))

        yield chunks()


async def test_a_short_word_counts_as_heard_although_the_next_was_dropped_at_the_far_end():
    """Half of it was played; where the next one begins is known still."""
    hands = Stagehands(voice=BriskVoice())
    async with conversation(hands, "when do you open", "", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(1.5)
        await talk.caller.speaks(0.2)
        [started] = talk.line.of_type(ReplyStarted)
        assert talk.session.playout_truncated(started.item_id, 370)
        assert talk.said()[1] == ("agent", "We open at nine")
        assert talk.session.playout_truncated(started.item_id, 340)
        assert talk.said()[1] == ("agent", "We open at")


async def test_a_reply_that_is_paused_when_all_that_was_sent_was_heard_goes_on_behind_it():
    """The far end tells when it is heard again: that is not the reply's first sample."""
    model = ScriptedModel(["One two. Three four five six seven eight."], word_s=0.45)
    async with conversation(Stagehands(model=model), "count", "", "thank you very much") as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3.3)
        await talk.caller.speaks(0.3)
        assert talk.said()[1:] == [("agent", "One two.")]
        await talk.caller.is_silent(0.5)
        [resumed] = talk.line.of_type(ReplyResumed)
        assert resumed.from_ms == 600
        talk.session.playout_started(resumed.reply_id)
        await talk.caller.speaks(1.0)
        [turn] = talk.line.turns()
    assert turn.status is TurnStatus.INTERRUPTED
    assert turn.heard_text == "One two."


async def test_speech_with_a_breath_in_it_takes_the_floor_before_a_word_of_it_is_understood():
    """The breath comes when the first second would have been over."""
    mute = Utterance("", final_after_s=math.inf)
    async with conversation(Stagehands(), "when do you open", mute, mute, replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.8)
        await talk.caller.is_silent(0.4)
        await talk.caller.speaks(0.6)
        [turn] = talk.line.turns()
        assert turn.status is TurnStatus.INTERRUPTED


async def test_a_reply_is_not_over_while_it_is_paused_however_late_that_makes_its_end():
    """The far end's report that it was played is waited for from when it is."""
    hands = Stagehands(settings=SessionSettings(playout_lead_s=60, playout_timeout_s=0.3))
    slow = Utterance("", final_after_s=1.5)
    async with conversation(hands, "when do you open", slow, replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(5.5)
        await talk.caller.speaks(0.3)
        await talk.caller.is_silent(1.3)
        assert not talk.line.turns()
        await talk.caller.is_silent(3.0)
    [turn] = talk.line.turns()
    assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, LONG)
    assert turn.playout is PlayoutTruth.REPORTED


async def test_sound_that_was_left_playing_falls_silent_when_the_user_speaks_before_the_next_reply_sounds():
    """And it is not waited for any more: the next reply is heard from when it is sent."""
    hands = Stagehands(settings=SessionSettings(playout_lead_s=60))
    async with conversation(hands, "when do you open", "no wait", replies=[LONG, LONG, "Yes?"]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        hands.model.first_word_s = 5.0
        assert talk.session.request_reply()
        await talk.caller.is_silent(0.2)
        await talk.caller.speaks(0.3)
        [(_, stopped)] = talk.line.stops
        assert stopped == talk.line.of_type(ReplyStarted)[0].reply_id
        hands.model.first_word_s = 0.0
        await talk.caller.speaks(0.3)
        await talk.caller.is_silent(4.0)
    assert talk.said()[-1] == ("agent", "Yes?")
    assert talk.line.turns()[-1].heard_text == "Yes?"


async def test_a_reply_that_fails_before_it_sounds_leaves_alone_what_still_plays():
    """Nothing of its own was sent, so nothing is stopped; the person interrupts what plays all the same."""
    hands = Stagehands(settings=SessionSettings(playout_lead_s=60))
    async with conversation(hands, "when do you open", "no wait", replies=[LONG, LONG, LONG, "Yes?"]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        hands.model.error_after_words = 0
        assert talk.session.request_reply()
        await talk.caller.is_silent(0.2)
        assert talk.line.turns()[-1].status is TurnStatus.FAILED
        assert talk.line.stops == []
        hands.model.error_after_words = None
        await talk.caller.speaks(0.4)
        assert talk.line.stops[0][1] == talk.line.of_type(ReplyStarted)[0].reply_id
        await talk.caller.is_silent(4.0)
    assert talk.line.turns()[-1].heard_text == "Yes?"


async def test_where_a_reply_was_paused_may_be_told_after_it_goes_on():
    """On a slow way the report is still coming when the "mhm" has been weighed."""
    async with conversation(Stagehands(), "when do you open", "mhm", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.4)
        await talk.caller.is_silent(1.5)
        [resumed] = talk.line.of_type(ReplyResumed)
        assert talk.session.playout_truncated(resumed.item_id, resumed.from_ms)
        await talk.caller.is_silent(9.0)
    [turn] = talk.line.turns()
    assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, LONG)


async def test_a_client_may_truncate_a_reply_that_was_paused_once():
    """The report of the pause has come; the next one is meant."""
    async with conversation(Stagehands(), "when do you open", "mhm", replies=[LONG]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(0.4)
        [started] = talk.line.of_type(ReplyStarted)
        talk.session.playout_truncated(started.item_id, 1_000)
        await talk.caller.is_silent(1.5)
        assert talk.line.of_type(ReplyResumed)
        talk.session.playout_truncated(started.item_id, 1_500)
        await talk.caller.is_silent(1.0)
    [turn] = talk.line.turns()
    assert turn.status is TurnStatus.CANCELLED

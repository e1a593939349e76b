"""A session ends in every state, from every side, and leaves nothing running."""

import anyio
import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.interfaces.channel import EndReason, TurnSettings
from warmline.interfaces.llm import Role
from warmline.session.session import Session
from warmline.session.settings import SessionSettings
from warmline.testing.caller import Caller
from warmline.testing.line import Line
from warmline.testing.scripted import ScriptedModel, ScriptedRetriever, ScriptedVoice, Utterance
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.report import TurnStatus
from warmline.turns.floor import Floor

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

LONG = "One two three four five six seven eight nine ten. " * 3

MOMENTS = {
    # name: (seconds of speech, seconds after it, the floor then)
    "before anything": (0.0, 0.1, Floor.OPEN),
    "while the user speaks": (1.0, 0.0, Floor.USER),
    "while endpointing": (1.0, 0.4, Floor.ENDPOINTING),
    "during retrieval": (0.6, 0.54, Floor.THINKING),
    "while the model thinks": (1.0, 0.7, Floor.THINKING),
    "while the voice begins": (1.0, 1.0, Floor.THINKING),
    "while the reply plays": (1.0, 3.0, Floor.AGENT),
    "after the reply": (1.0, 13.0, Floor.OPEN),
}


def slow_hands() -> Stagehands:
    """Every stage takes 0.3 s."""
    return Stagehands(
        retriever=ScriptedRetriever(delay_s=0.3),
        model=ScriptedModel([LONG], first_word_s=0.3),
        voice=ScriptedVoice(first_audio_s=0.3),
        settings=SessionSettings(drafting=None, retrieval_deadline_s=1.0),
    )


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("ending", ["hang up", "shut down", "cancel"])
async def test_session_ends_in_any_state_and_leaves_nothing_behind(moment, ending):
    """No task, no line to the recogniser, no open reply; the fixtures check the tasks."""
    speech_s, after_s, floor = MOMENTS[moment]
    hands = slow_hands()
    hands.recogniser.script = [Utterance("count for me")]
    session = Session(hands.line, hands.providers(), hands.settings, LoopClock())
    hands.line.conversation = session
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        await anyio.sleep(0.001)
        caller = Caller(session)
        await caller.speaks(speech_s)
        await caller.is_silent(after_s)
        assert session.floor is floor
        if ending == "cancel":
            tasks.cancel_scope.cancel()
        else:
            (session.hang_up if ending == "hang up" else session.shut_down)()
    assert session.floor is Floor.CLOSED
    assert hands.line.ended is (EndReason.HUNG_UP if ending == "hang up" else EndReason.SHUTDOWN)
    assert hands.recogniser.closed == hands.recogniser.opened == 1
    assert all(turn.status in (TurnStatus.CANCELLED, TurnStatus.COMPLETED) for turn in hands.line.turns())
    assert hands.model.cancelled + hands.voice.cancelled <= 2


async def test_a_bug_in_a_callback_ends_its_session_and_is_raised():
    """It is neither swallowed nor anybody else's."""

    class BrokenLine(Line):
        def send(self, event):
            if type(event).__name__ == "SpeechStarted":
                raise ZeroDivisionError("a bug")
            super().send(event)

    hands = Stagehands(line=BrokenLine())
    session = Session(hands.line, hands.providers(), hands.settings, LoopClock())
    hands.line.conversation = session
    with pytest.RaisesGroup(ZeroDivisionError):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.run)
            await anyio.sleep(0.001)
            await Caller(session).speaks(1.0)
    assert hands.line.ended is EndReason.FAILED
    assert hands.recogniser.closed == 1


PUSH_TO_TALK = SessionSettings(turns=TurnSettings(detects_turns=False, replies_by_itself=False))


async def test_push_to_talk_commits_and_answers_when_it_is_told_to():
    """The client says when the turn is over, and when it wants a reply."""
    async with conversation(Stagehands(settings=PUSH_TO_TALK), "when do you open") as talk:
        assert not talk.session.commit_audio()
        await talk.caller.speaks(1.0)
        assert talk.session.commit_audio()
        assert talk.session.request_reply()  # before the final transcript is there
        await talk.caller.sends_nothing(3.0)
    [turn] = talk.line.turns()
    assert turn.user_text == "when do you open"
    assert turn.status is TurnStatus.COMPLETED


async def test_push_to_talk_keeps_a_turn_that_nobody_wants_answered():
    """It is in the context for later."""
    async with conversation(Stagehands(settings=PUSH_TO_TALK), "my name is Ann") as talk:
        await talk.caller.speaks(1.0)
        talk.session.commit_audio()
        await talk.caller.sends_nothing(1.0)
        assert talk.session.floor is Floor.OPEN
        assert talk.said() == [("user", "my name is Ann")]


async def test_cleared_audio_is_forgotten():
    """Nothing of it is recognised or answered."""
    async with conversation(Stagehands(), "never mind", "when do you open") as talk:
        await talk.caller.speaks(1.0)
        talk.session.clear_audio()
        assert talk.session.floor is Floor.OPEN
        await talk.caller.is_silent(2.0)
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3.0)
    assert [turn.user_text for turn in talk.line.turns()] == ["when do you open"]


async def test_a_second_reply_is_refused_while_one_is_made_and_follows_one_that_only_plays():
    """One reply is made at a time; a client that has all of one plays it to its end."""
    hands = Stagehands(
        line=Line(reports_playout=False),
        model=ScriptedModel(["First.", "Second."], first_word_s=0.5),
        settings=SessionSettings(playout_lead_s=10),
    )
    async with conversation(hands) as talk:
        talk.session.add_message(Role.USER, "one", "item_1")
        assert talk.session.request_reply()
        assert not talk.session.request_reply()
        await talk.caller.sends_nothing(0.6)  # made, and playing for another 0.2 s
        talk.session.add_message(Role.USER, "two", "item_2")
        assert talk.session.request_reply("Be brief.")
        await talk.caller.sends_nothing(3.0)
    assert [turn.heard_text for turn in talk.line.turns()] == ["First.", "Second."]
    assert hands.model.requests[1].instructions == "Be brief."
    assert talk.said() == [("user", "one"), ("agent", "First."), ("user", "two"), ("agent", "Second.")]


async def test_a_client_that_wants_text_gets_no_audio():
    """The reply is over when it is written."""
    hands = Stagehands(line=Line(output_format=None))
    async with conversation(hands) as talk:
        talk.session.receive_text("when do you open")
        await talk.caller.sends_nothing(1.0)
        assert talk.session.floor is Floor.OPEN
    assert hands.voice.spoken == []
    assert talk.said()[-1] == ("agent", "It is open.")


async def test_removed_message_is_no_longer_shown_to_the_model():
    """And an unknown one is said to be unknown."""
    async with conversation(Stagehands()) as talk:
        talk.session.add_message(Role.USER, "a secret", "item_1")
        assert talk.session.remove_message("item_1")
        assert not talk.session.remove_message("item_1")
        assert talk.said() == []

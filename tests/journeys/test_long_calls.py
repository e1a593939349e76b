"""Calls that last: people who go quiet, calls that reach their limit, prompts that would outgrow a model."""

import gc
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.errors import ProviderUnavailable
from warmline.interfaces.channel import EndReason, SessionFailure, TurnSettings
from warmline.interfaces.llm import LlmRequest, Role
from warmline.interfaces.retriever import Passage
from warmline.session.playing import Playing
from warmline.session.settings import SessionSettings
from warmline.session.trimming import ContextPolicy, message_tokens
from warmline.testing.line import Line
from warmline.testing.scripted import ScriptedModel, ScriptedRetriever, ScriptedVoice, Utterance
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.report import TurnStatus
from warmline.turns.floor import Floor
from warmline.turns.idling import IdlePolicy

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

IDLE = IdlePolicy(after_s=10, prompts=2, texts=("Are you still there?", "Hello?"), farewell="Then goodbye.")
LONG = "We open at nine in the morning on every day of the week but Sunday. On Sundays we are closed."


def said_by_itself(talk):
    return [turn.heard_text for turn in talk.line.turns() if not turn.user_text]


@pytest.mark.parametrize("reports", [True, False])
async def test_a_person_who_stays_quiet_is_asked_and_then_left(reports):
    """Each prompt 10 s after the one before was heard; the session says why it ended."""
    hands = Stagehands(line=Line(reports_playout=reports), settings=SessionSettings(idle=IDLE))
    async with conversation(hands) as talk:
        began_s = LoopClock().now_s()
        await talk.caller.is_silent(9.9)
        assert talk.line.turns() == []
        await talk.caller.is_silent(35)
        assert talk.line.ended is EndReason.IDLE
    assert said_by_itself(talk) == ["Are you still there?", "Hello?", "Then goodbye."]
    assert talk.said() == [("agent", text) for text in said_by_itself(talk)]
    first, second, farewell = talk.line.turns()
    # Four words of 0.3 s, then one.
    assert second.marks_us["reply_requested"] == 0
    assert hands.model.requests == []
    played_s = [turn.marks_us["playout_done"] / 1e6 for turn in (first, second, farewell)]
    assert played_s == pytest.approx([1.2, 0.3, 0.6], abs=0.1)
    assert LoopClock().now_s() - began_s > 32


async def test_nobody_is_asked_by_default():
    """Who reads the answer, or thinks, is not there either."""
    async with conversation(Stagehands()) as talk:
        await talk.caller.sends_nothing(1_800)
        assert talk.line.turns() == []


async def test_speech_and_typing_begin_the_waiting_and_the_counting_anew():
    """A sign of life is a sign of life."""
    hands = Stagehands(settings=SessionSettings(idle=IDLE))
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.is_silent(12)  # prompted once
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(11)
        assert len(talk.line.turns()) == 2  # its answer, and no prompt yet: it was heard after 1.5 s
        await talk.caller.is_silent(3)
        talk.session.receive_text("and on Sundays?")
        await talk.caller.is_silent(24)
        assert talk.line.ended is None
    assert said_by_itself(talk) == ["Are you still there?"] * 3 + ["Hello?"]


async def test_a_client_that_adds_a_message_is_there():
    """Though it wants no answer yet."""
    async with conversation(Stagehands(settings=SessionSettings(idle=IDLE))) as talk:
        await talk.caller.is_silent(8)
        talk.session.add_message(Role.USER, "one", "item_1")
        await talk.caller.is_silent(8)
        assert talk.line.turns() == []


async def test_a_prompt_can_be_interrupted_and_what_was_heard_of_it_stands():
    """It is a reply like any other."""
    hands = Stagehands(settings=SessionSettings(idle=IDLE))
    async with conversation(hands, "yes wait", replies=["Gladly."]) as talk:
        await talk.caller.is_silent(10.5)  # one word of it and a half
        await talk.caller.speaks(0.6)
        await talk.caller.is_silent(3)
        assert talk.said() == [("agent", "Are you"), ("user", "yes wait"), ("agent", "Gladly.")]
    prompt, _ = talk.line.turns()
    assert prompt.status is TurnStatus.INTERRUPTED


async def test_a_farewell_to_nobody_is_taken_back_when_somebody_speaks():
    """They are there after all."""
    hands = Stagehands(
        settings=SessionSettings(idle=IdlePolicy(10, 0, (), "I will hang up now, so goodbye."))
    )
    async with conversation(hands, "no wait", replies=["Gladly."]) as talk:
        await talk.caller.is_silent(10.8)
        await talk.caller.speaks(0.6)
        await talk.caller.is_silent(4)
        assert talk.line.ended is None
        assert talk.line.turns()[-1].heard_text == "Gladly."


async def test_who_speaks_or_is_answered_for_long_is_not_idle():
    """Neither a turn nor a reply of more than the limit, nor one that is slow to be made."""
    hands = Stagehands(
        model=ScriptedModel([LONG * 3], first_word_s=4.0),
        voice=ScriptedVoice(),
        settings=SessionSettings(idle=IDLE, drafting=None),
    )
    async with conversation(hands, "so I was wondering") as talk:
        await talk.caller.speaks(15)
        await talk.caller.is_silent(15)
        assert talk.session.floor is Floor.AGENT
    assert said_by_itself(talk) == []


@pytest.mark.parametrize(
    "turns", [TurnSettings(detects_turns=False), TurnSettings(replies_by_itself=False)], ids=["push", "asked"]
)
async def test_a_client_that_decides_when_there_is_a_reply_is_not_prompted(turns):
    """Its person may be holding no key; nobody knows."""
    async with conversation(Stagehands(settings=SessionSettings(idle=IDLE, turns=turns))) as talk:
        await talk.caller.sends_nothing(60)
        assert talk.line.turns() == []


EXPIRING = SessionSettings(session_s=60, expiry_farewell="Our time is up.", expiry_farewell_s=10)


async def test_a_session_says_goodbye_before_its_time_is_up():
    """10 s before, and it ends when that was heard; the client is told as if it had been cut off."""
    async with conversation(Stagehands(settings=EXPIRING)) as talk:
        began_s = LoopClock().now_s()
        await talk.caller.sends_nothing(49.9)
        assert talk.line.turns() == []
        await talk.caller.sends_nothing(3)
        assert talk.line.ended is EndReason.EXPIRED
        ended_s = next(at for at, event in talk.line.events if isinstance(event, SessionFailure))
    assert ended_s - began_s == pytest.approx(50 + 1.2, abs=0.1)
    assert [turn.heard_text for turn in talk.line.turns()] == ["Our time is up."]
    assert talk.line.of_type(SessionFailure)[0].code == "session_expired"


async def test_a_farewell_waits_for_the_floor_and_the_end_does_not():
    """Nobody is talked over; who talks on is cut off at the limit."""
    async with conversation(Stagehands(settings=EXPIRING), "so", replies=[LONG]) as talk:
        await talk.caller.is_silent(48)
        await talk.caller.speaks(2.5)
        await talk.caller.is_silent(1)  # the answer of 19 words takes 5.7 s, to about 57
        assert said_by_itself(talk) == []
        await talk.caller.is_silent(7.5)
        assert talk.line.ended is EndReason.EXPIRED
        assert said_by_itself(talk) == ["Our time is up."]
    async with conversation(Stagehands(settings=EXPIRING), "so") as talk:
        began_s = LoopClock().now_s()
        await talk.caller.is_silent(45)
        await talk.caller.speaks(14.9)
        assert talk.line.ended is None
        await talk.caller.speaks(0.2)
        assert talk.line.ended is EndReason.EXPIRED
        assert LoopClock().now_s() - began_s < 60.2
    assert talk.line.turns() == []


@dataclass
class NotingModel:
    """Answers, and writes notes where it is asked for them."""

    notes_s: float = 5.0
    fails: bool = False
    answers: list[LlmRequest] = field(default_factory=list)
    notes: list[LlmRequest] = field(default_factory=list)

    @asynccontextmanager
    async def stream(self, request, on_line=None) -> AsyncIterator[AsyncIterator[str]]:
        del on_line

        async def pieces():
            if not request.conversation_id:
                self.notes.append(request)
                await anyio.sleep(self.notes_s)
                if self.fails:
                    raise ProviderUnavailable("no", provider="scripted", phase="stream")
                yield f"Notes number {len(self.notes)}."
            else:
                self.answers.append(request)
                yield "We open at nine in the morning and close at six."

        yield pieces()


def prompt_tokens(request):
    return sum(message_tokens(message) for message in request.messages)


async def run_long(model, limit=1_000, turns=60):
    settings = SessionSettings(
        context=ContextPolicy(limit), summarises=True, drafting=None, retrieval_deadline_s=1.0
    )
    found = [Passage(title="Hours", source="hours.md", text="nine to six " * 10, score=0.9)]
    hands = Stagehands(model=model, retriever=ScriptedRetriever(found), settings=settings)
    questions = [f"question {number} about the hours of the library on that day" for number in range(turns)]
    async with conversation(hands, *questions) as talk:
        for _ in questions:
            await talk.caller.speaks(1.0)
            await talk.caller.is_silent(5.0)
        prompt = talk.session.context.messages
    assert [turn.user_text for turn in talk.line.turns()] == questions
    assert all(turn.status is TurnStatus.COMPLETED for turn in talk.line.turns())
    assert max(map(prompt_tokens, model.answers)) <= limit
    return talk, prompt


async def test_what_leaves_the_prompt_is_summarised_beside_the_conversation():
    """No answer waits for it, each summary builds on the one before, and its tokens are within the limit."""
    model = NotingModel()
    talk, prompt = await run_long(model)
    assert len(model.notes) >= 2
    assert prompt[0].role is Role.SYSTEM
    assert f"Notes number {len(model.notes)}." in prompt[0].text
    assert f"Notes number {len(model.notes) - 1}." in model.notes[-1].messages[0].text
    assert "question 0" in model.notes[0].messages[0].text
    assert all(turn.response_us < 1_000_000 for turn in talk.line.turns())


@pytest.mark.parametrize("model", [NotingModel(fails=True), NotingModel(notes_s=1e6)], ids=["fails", "never"])
async def test_a_summary_that_is_not_there_in_time_is_done_without(model):
    """The plain step is taken; a model that can't is not asked for ever."""
    _, prompt = await run_long(model)
    assert prompt[0].role is not Role.SYSTEM
    assert 1 <= len(model.notes) <= 3


async def test_nothing_that_was_said_is_in_the_log_of_a_summary(caplog):
    """What it is made of, and what it says, are personal."""
    caplog.set_level("DEBUG")
    await run_long(NotingModel(), turns=50)
    assert any(record.message == "context.summarised" for record in caplog.records)
    told = " ".join(str(vars(record)) for record in caplog.records)
    assert "question" not in told
    assert "Notes number" not in told


STORY = " ".join(f"This is sentence {number} of a rather long story." for number in range(15))


async def test_a_reply_whose_text_waits_for_its_voice_can_be_interrupted():
    """The model has written more than is spoken ahead, and is held back."""
    async with conversation(Stagehands(), "tell me a story", "no wait", replies=[STORY, "Yes?"]) as talk:
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(5)
        await talk.caller.speaks(0.6)
        await talk.caller.is_silent(3)
        story, answer = talk.line.turns()
    assert story.status is TurnStatus.INTERRUPTED
    assert 40 < len(story.heard_text) < 120
    assert answer.heard_text == "Yes?"


async def test_ten_minutes_of_pauses_rapid_exchanges_and_long_replies():
    """Every turn is answered, no sound runs dry, one line serves to the end, and nothing grows."""
    settings = SessionSettings(context=ContextPolicy(1_500))
    model = ScriptedModel([STORY, "Yes.", "No.", "At nine.", "At six.", "Of course."] * 200, word_s=0.02)
    found = [Passage(title="Hours", source="hours.md", text="nine to six " * 20, score=0.9)]
    hands = Stagehands(model=model, retriever=ScriptedRetriever(found, 0.05), settings=settings)
    hands.voice.chunk_s = 0.05
    rounds = 6
    questions = [f"question {number} is about the hours" for number in range(rounds * 6)]
    async with conversation(hands, *[Utterance(each) for each in questions]) as talk:
        began_s = LoopClock().now_s()
        kept = []
        for _ in range(rounds):
            await talk.caller.speaks(1.0)
            await talk.caller.is_silent(50)  # 135 words of 0.3 s
            assert talk.session.floor is Floor.OPEN
            for _ in range(5):  # in 10 s
                await talk.caller.speaks(0.7)
                await talk.caller.is_silent(1.3)
            await talk.caller.is_silent(20)
            await talk.caller.sends_nothing(20)
            kept.append(sum(each.kept_s for each in gc.get_objects() if isinstance(each, Playing)))
        assert LoopClock().now_s() - began_s > 600
    turns = talk.line.turns()
    assert [turn.user_text for turn in turns] == questions
    assert all(turn.heard_text for turn in turns)
    assert sum(turn.underruns for turn in turns) == 0
    assert hands.recogniser.opened == 1
    assert kept == [0] * rounds
    prompts = [sum(map(message_tokens, request.messages)) for request in model.requests]
    assert max(prompts) <= 1_500
    begins_anew = sum(
        list(now.messages[:2]) != list(before.messages[:2])
        for before, now in itertools.pairwise(model.requests)
    )
    assert begins_anew <= len(questions) / 4

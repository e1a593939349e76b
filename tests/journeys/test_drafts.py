"""Answers that are begun before the turn is over: when they are, what becomes of them, what they cost."""

from typing import Any

import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.errors import ProviderUnavailable
from warmline.interfaces.channel import (
    FloorChanged,
    ReplyStarted,
    ReplyText,
    SessionFailure,
    SourcesFound,
    SpeechStarted,
)
from warmline.interfaces.llm import LlmRequest, Role
from warmline.interfaces.retriever import Passage
from warmline.session.settings import SessionSettings
from warmline.testing.scripted import (
    ScriptedModel,
    ScriptedRecogniser,
    ScriptedRetriever,
    ScriptedVoice,
    Utterance,
)
from warmline.timeline.marks import Mark
from warmline.timeline.notes import NoteKind
from warmline.timeline.report import TurnStatus
from warmline.turns.debounce import DebouncePolicy
from warmline.turns.draft import DraftEvent
from warmline.turns.drafting import DraftingPolicy
from warmline.turns.floor import Floor

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

PASSAGE = Passage("We open at nine.", "Hours", "hours.md", 0.8)
LONG = "We open at nine in the morning on every day of the week but Sunday. On Sundays we are closed."


def hands_with(first_word_s: float, first_audio_s: float, **fields: Any) -> Stagehands:
    """Return far ends with these delays."""
    return Stagehands(
        retriever=ScriptedRetriever([PASSAGE], delay_s=0.05),
        model=ScriptedModel(["We open at nine."], first_word_s=first_word_s),
        voice=ScriptedVoice(first_audio_s=first_audio_s),
        **fields,
    )


def outcomes(turn) -> list[str]:
    return [draft.outcome for draft in turn.drafts]


async def test_the_sound_of_a_draft_is_there_when_the_turn_is_committed():
    """It leaves in the same call, and not a moment earlier."""
    hands = hands_with(0.05, 0.05)
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(0.48)
        assert hands.voice.spoken == ["We open at nine."]
        assert not talk.line.played_bytes
        heard_of = (ReplyStarted, ReplyText, SourcesFound)
        assert not [event for _, event in talk.line.events if isinstance(event, heard_of)]
        assert talk.said() == []
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    ms = {name: round(us / 1000) for name, us in turn.marks_us.items()}
    assert ms["draft_begun"] == ms["transcript_final"] == 360
    assert ms["tts_first_audio"] == 460
    assert ms["turn_committed"] == ms["audio_sent"] == 540
    assert turn.response_us == pytest.approx(550_000, abs=20)
    charged = {c.name: c.duration_us for c in turn.contributions}
    assert sum(charged.values()) == turn.response_us
    assert charged["endpointing"] == pytest.approx(540_000, abs=20)
    assert charged["model"] == charged["voice"] == charged["retrieval"] == 0
    assert outcomes(turn) == [DraftEvent.COMMITTED.value]
    assert turn.waste.prompt_tokens == turn.waste.tokens == turn.waste.characters == 0
    assert len(hands.model.requests) == 1
    assert talk.said() == [("user", "when do you open"), ("agent", "We open at nine.")]
    kinds = [type(event) for _, event in talk.line.events]
    assert kinds.index(ReplyStarted) < kinds.index(SourcesFound) < kinds.index(ReplyText)


async def test_what_a_draft_has_not_done_by_the_commit_is_all_that_is_waited_for():
    """360 + 250 + 120, where it would have been 540 + 250 + 120."""
    async with conversation(hands_with(0.25, 0.12), "when do you open") as talk:
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert turn.marks_us["audio_sent"] == pytest.approx(730_000, abs=1000)
    assert sum(c.duration_us for c in turn.contributions) == turn.response_us
    assert {c.name: round(c.duration_us / 1000) for c in turn.contributions if c.duration_us} == {
        "endpointing": 540,
        "model": 70,
        "voice": 120,
        "delivery": 10,
    }


async def test_a_draft_dies_with_the_first_sound_of_a_user_who_goes_on():
    """Its request, its speech and its sound are dropped, and what it cost is counted."""
    hands = hands_with(0.02, 0.02)
    hands.model = ScriptedModel([f"We open at nine. {LONG}", "We close at five."], word_s=0.008)
    async with conversation(hands, "when do you open", "and when do you close") as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(0.44)
        assert hands.voice.spoken
        cancelled = hands.model.cancelled + hands.voice.cancelled
        await talk.caller.speaks(0.12)
        assert talk.session.floor is Floor.USER
        assert hands.model.cancelled + hands.voice.cancelled > cancelled
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert turn.user_text == "when do you open and when do you close"
    assert outcomes(turn) == [DraftEvent.USER_WENT_ON.value, DraftEvent.COMMITTED.value]
    assert turn.waste.characters > 0
    assert turn.waste.tokens > 0
    assert turn.waste.prompt_tokens > 0
    dropped = next(note for note in turn.notes if note.kind is NoteKind.DRAFT_DROPPED)
    went_on = [at for at, e in talk.line.events if isinstance(e, FloorChanged) and e.floor is Floor.USER]
    spoke_us = round(went_on[1] * 1e6)
    committed_s = next(at for at, e in talk.line.events if isinstance(e, ReplyStarted))
    assert committed_s * 1e6 - turn.marks_us["turn_committed"] + dropped.at_us == pytest.approx(
        spoke_us, abs=5
    )
    assert talk.said() == [
        ("user", "when do you open and when do you close"),
        ("agent", "We close at five."),
    ]
    assert [m.text for m in hands.model.requests[-1].messages] == ["when do you open and when do you close"]


@pytest.mark.parametrize(
    ("final_after_s", "events"),
    [
        (0.26, [DraftEvent.WORDS_CHANGED, DraftEvent.COMMITTED]),
        (0.6, [DraftEvent.COMMITTED_OTHERWISE]),
    ],
)
async def test_words_that_come_out_otherwise_drop_the_draft_and_no_word_of_it_is_heard(final_after_s, events):
    """The partial was the whole of it as far as was known; the final knows a word more."""
    hands = hands_with(0.0, 0.0)
    hands.model.replies = ["Never heard.", "We open at ten."]
    late = Utterance("when do you open tomorrow", final_after_s=final_after_s)
    async with conversation(hands, late) as talk:
        await talk.caller.speaks(1.28)  # four words
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    assert outcomes(turn) == [event.value for event in events]
    assert turn.heard_text == "We open at ten."
    assert talk.said() == [("user", "when do you open tomorrow"), ("agent", "We open at ten.")]
    assert all("Never" not in event.delta for event in talk.line.of_type(ReplyText))


async def test_a_partial_that_stands_is_drafted_for_and_the_final_need_not_look_the_same():
    """Capitals and a full stop cost nothing."""
    hands = hands_with(0.05, 0.05)
    async with conversation(hands, Utterance("When do you open.", final_after_s=0.7)) as talk:
        await talk.caller.speaks(1.28)
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    [draft] = turn.drafts
    assert (draft.trigger, draft.outcome) == ("partial", DraftEvent.COMMITTED.value)
    assert draft.begun_us < 480_000
    assert turn.marks_us["audio_sent"] == turn.marks_us["turn_committed"] > 900_000
    assert len(hands.model.requests) == 1


async def test_an_eager_hint_begins_a_draft_and_the_end_by_the_recogniser_opens_the_gate():
    """As Flux does it: a hint after 200 ms of what a detector takes for silence, the end after 600."""
    hands = hands_with(0.25, 0.12, recogniser=ScriptedRecogniser(ends_turns=True))
    flux = Utterance("when do you open", eager_end_after_s=0.2, end_after_s=0.6, confidence=0.6)
    async with conversation(hands, flux) as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    [draft] = turn.drafts
    assert (draft.trigger, draft.outcome) == ("eager end", DraftEvent.COMMITTED.value)
    assert draft.begun_us == pytest.approx(240_000, abs=1_000)
    assert turn.marks_us["turn_committed"] == pytest.approx(600_000, abs=40_000)
    assert turn.marks_us["audio_sent"] == turn.marks_us["turn_committed"]


async def test_a_hint_that_is_taken_back_drops_the_draft():
    """The recogniser hears the user go on before the voice activity detector would say so."""
    hands = hands_with(0.05, 0.05, recogniser=ScriptedRecogniser(ends_turns=True))
    flux = Utterance("when do you open on Sundays", eager_end_after_s=0.1, end_after_s=0.6)
    async with conversation(hands, flux) as talk:
        await talk.caller.speaks(0.7)
        await talk.caller.is_silent(0.14)  # shorter than a stop of speech
        await talk.caller.speaks(1.2)
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    assert outcomes(turn) == [DraftEvent.USER_WENT_ON.value, DraftEvent.COMMITTED.value]
    assert turn.user_text == "when do you open on Sundays"


async def test_silence_ends_a_turn_that_the_recogniser_does_not_end():
    """It never says so: after the longest silence it is asked for what it has."""
    hands = hands_with(0.05, 0.05, recogniser=ScriptedRecogniser(ends_turns=True))
    hands.settings = SessionSettings(longest_silence_ms=2_000)
    async with conversation(hands, Utterance("when do you open")) as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(5)
    [turn] = talk.line.turns()
    assert turn.marks_us["turn_committed"] == pytest.approx(2_100_000, abs=60_000)
    assert turn.user_text == "when do you open"


async def test_somebody_who_thinks_aloud_is_waited_for_longer():
    """Two dropped of two move the debounce, by a policy that is quick to learn."""
    hands = hands_with(0.02, 0.02)
    debounce = DebouncePolicy(min_samples=2)
    hands.settings = SessionSettings(drafting=DraftingPolicy(debounce=debounce))
    pauses = ["I would like", "to know when", "you open"]
    async with conversation(hands, *pauses) as talk:
        for _ in pauses[:2]:
            await talk.caller.speaks(1.0)
            await talk.caller.is_silent(0.44)
        await talk.caller.speaks(1.0)
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    [changed] = [note.text for note in turn.notes if note.kind is NoteKind.DEBOUNCE_CHANGED]
    assert changed == "400 -> 450 ms: cancellation 100 % of 2 > 40 %"
    assert outcomes(turn) == [DraftEvent.USER_WENT_ON.value] * 2 + [DraftEvent.COMMITTED.value]


async def test_nothing_is_looked_up_twice():
    """The earlier system asked again after a search that had found nothing."""
    hands = hands_with(0.02, 0.02)
    hands.retriever.passages = ()
    async with conversation(hands, "when do you open", "When do you open?") as talk:
        for _ in range(2):
            await talk.caller.speaks(1.5)
            await talk.caller.is_silent(4)
    assert [turn.user_text for turn in talk.line.turns()] == ["when do you open", "When do you open?"]
    asked = [query.text.lower().rstrip("?") for query in hands.retriever.queries]
    assert asked == ["when do", "when do you", "when do you open"]
    assert [n.kind for n in talk.line.turns()[1].notes].count(NoteKind.RETRIEVAL_REUSED) == 1


async def test_a_draft_that_fails_is_begun_again_and_nobody_is_told_of_an_error():
    """What it had of a head start is lost, and no more."""

    class Fails(ScriptedModel):
        def stream(self, request: LlmRequest, on_line=None):
            # As often as a model is asked for one reply.
            self.error_after_words = 0 if len(self.requests) < 2 else None
            return super().stream(request, on_line)

    hands = hands_with(0.0, 0.0)
    hands.model = Fails(["We open at nine."])
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4)
    [turn] = talk.line.turns()
    assert turn.status is TurnStatus.COMPLETED
    assert outcomes(turn) == [DraftEvent.PROVIDER_FAILED.value, DraftEvent.COMMITTED.value]
    assert not talk.line.of_type(SessionFailure)
    assert NoteKind.SETBACK in [note.kind for note in turn.notes]


async def test_a_session_that_ends_with_a_draft_under_way_leaves_nothing():
    """The draft was never anybody's turn."""
    hands = hands_with(0.02, 5.0)
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(0.44)
        assert hands.voice.spoken
    assert talk.line.turns() == []
    assert hands.voice.cancelled == 1
    assert talk.said() == []


async def test_an_agent_without_drafts_waits_for_the_end_of_the_turn():
    """`drafting` is None."""
    hands = hands_with(0.05, 0.05, settings=SessionSettings(drafting=None))
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert turn.drafts == ()
    assert Mark.DRAFT_BEGUN.value not in turn.marks_us
    assert turn.marks_us["llm_started"] == turn.marks_us["turn_committed"]


async def test_a_draft_is_asked_with_the_conversation_so_far():
    """What was said before it, and the passages that were found for it."""
    hands = hands_with(0.02, 0.02)
    async with conversation(hands, "when do you open", "and on Sundays") as talk:
        for _ in range(2):
            await talk.caller.speaks(1.5)
            await talk.caller.is_silent(4)
    asked = hands.model.requests[1].messages
    assert [(m.role, m.text) for m in asked] == [
        (Role.USER, "when do you open"),
        (Role.ASSISTANT, "We open at nine."),
        (Role.USER, "and on Sundays"),
    ]
    assert asked[0].passages == asked[2].passages == (PASSAGE,)


async def test_a_reply_that_nobody_asked_for_is_not_drafted():
    """The client takes turns itself."""
    hands = hands_with(0.02, 0.02)
    async with conversation(hands, "when do you open") as talk:
        talk.session.configure(
            hands.settings.turns.__class__(replies_by_itself=False), hands.settings.instructions
        )
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3)
        assert hands.model.requests == []
        assert talk.session.request_reply()
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert turn.status is TurnStatus.COMPLETED
    assert len(talk.line.of_type(SpeechStarted)) == 1


async def test_a_provider_that_cannot_look_up_is_noted_and_answered_without():
    """An answer without passages beats no answer."""
    hands = hands_with(0.02, 0.02)
    hands.retriever.error = ProviderUnavailable("down", provider="scripted", phase="stream")
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert turn.heard_text == "We open at nine."
    assert NoteKind.RETRIEVAL_FAILED in [note.kind for note in turn.notes]


async def test_a_draft_that_has_nothing_to_say_waits_for_its_turn_all_the_same():
    """Nothing of it is sent that would have to wait, and it is not over before the turn is."""
    hands = hands_with(0.0, 0.0)
    hands.model.replies = [""]
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(0.48)
        assert len(hands.model.requests) == 1
        assert talk.session.floor is Floor.ENDPOINTING
        await talk.caller.is_silent(3)
    [turn] = talk.line.turns()
    assert (turn.status, turn.reply_text, turn.response_us) == (TurnStatus.COMPLETED, "", None)
    assert outcomes(turn) == [DraftEvent.COMMITTED.value]

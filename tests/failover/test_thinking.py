"""An answer is had whatever its language models do, and in time; on the jumping clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio
import pytest

from warmline.core.setback import ProviderRole, Remedy, Setback, SetbackKind
from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.failover.health import LegEvent, LegState
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.patience import Wait
from warmline.failover.settings import FailoverSettings, HedgeSettings
from warmline.failover.thinking import stream
from warmline.interfaces.llm import (
    CallProgress,
    LanguageModel,
    LlmPiece,
    LlmRequest,
    Message,
    Role,
    ToolCall,
    ToolSpec,
)
from warmline.testing.scripted import ScriptedFault, ScriptedModel
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

ASKED = LlmRequest([Message(Role.USER, "When do you open?")], conversation_id="sess_1")
WORDS = "We open at nine in the morning and close at five."
CALL = ToolCall("call_1", "look_up", "{}")
FIRST_S, WORD_S = 0.2, 0.05
LATE_S, AGAIN_S, STALL_S = 0.7, 0.25, 1.0


def model(*faults: ScriptedFault, replies: Sequence[str] = (WORDS,)) -> ScriptedModel:
    return ScriptedModel(list(replies), first_word_s=FIRST_S, word_s=WORD_S, faults=list(faults))


def mute(**more) -> ScriptedFault:
    return ScriptedFault("mute", **more)


@dataclass
class Heard:
    pieces: list[LlmPiece] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    setbacks: list[Setback] = field(default_factory=list)
    problem: ProviderError | None = None
    took_s: float = 0.0

    @property
    def text(self) -> str:
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def first_s(self) -> float:
        return round(self.at_s[0], 2)

    @property
    def story(self) -> list[tuple[str, SetbackKind, Remedy, str]]:
        return [(each.leg, each.kind, each.remedy, each.taken_by) for each in self.setbacks]


async def ask(
    *models: LanguageModel,
    state: FailoverState | None = None,
    request: LlmRequest = ASKED,
    pause_s: float = 0.0,
    can_continue: bool = True,
) -> Heard:
    """Ask the first of the models, and note what comes and when."""
    names = ["first", "second", "third"]
    legs = [
        Leg(each, name, can_continue=can_continue or name == "first")
        for each, name in zip(models, names, strict=False)
    ]
    heard = Heard()
    clock = LoopClock()
    began_s = clock.now_s()
    try:
        async with stream(
            legs, request, state or FailoverState(), clock, on_setback=heard.setbacks.append
        ) as pieces:
            async for piece in pieces:
                heard.pieces.append(piece)
                heard.at_s.append(clock.now_s() - began_s)
                await anyio.sleep(pause_s)
    except ProviderError as problem:
        heard.problem = problem
    heard.took_s = clock.now_s() - began_s
    return heard


async def test_answer_of_one_leg_is_passed_on_as_it_comes():
    only = model()
    heard = await ask(only)
    assert (heard.text, heard.first_s, heard.setbacks) == (WORDS, FIRST_S, [])
    assert only.requests == [ASKED]
    assert len(heard.pieces) == len(WORDS.split())


async def test_mute_line_is_left_for_another_of_the_same_leg():
    """The dead air that is added is the deadline."""
    only = model(mute())
    heard = await ask(only)
    assert heard.text == WORDS
    assert heard.first_s == pytest.approx(FIRST_S + LATE_S)
    assert heard.story == [("first", SetbackKind.LATE, Remedy.RETRY, "first")]
    assert heard.setbacks[0].lost_s == pytest.approx(LATE_S, abs=0.01)
    assert only.requests == [ASKED, replace(ASKED, conversation_id="")]


async def test_mute_leg_is_left_for_another_within_a_second():
    first, second = model(mute(times=math.inf)), model()
    heard = await ask(first, second)
    assert heard.text == WORDS
    assert heard.first_s == pytest.approx(FIRST_S + LATE_S + AGAIN_S)
    assert heard.first_s - FIRST_S < 1.0
    assert heard.story == [
        ("first", SetbackKind.LATE, Remedy.RETRY, "first"),
        ("first", SetbackKind.LATE, Remedy.RETRY, "second"),
    ]
    assert heard.setbacks[1].is_fallback
    assert first.cancelled == 2


async def test_deadline_is_learned_from_what_the_leg_takes():
    state = FailoverState()
    for _ in range(20):
        await ask(model(), state=state)
    heard = await ask(model(mute()), state=state)
    assert heard.first_s == pytest.approx(FIRST_S + 0.35)  # 1.5 x 0.2 s is below the floor


async def test_leg_that_is_only_late_is_not_lost_if_it_answers_first():
    only = model(mute(for_s=0.6))
    heard = await ask(only)
    assert (heard.text, heard.first_s) == (WORDS, 0.8)
    assert only.cancelled == 1
    assert len(only.requests) == 2


@pytest.mark.parametrize("legs", [1, 2])
async def test_dropped_request_is_made_again_at_once(legs):
    heard = await ask(*[model(ScriptedFault("cut")), model()][:legs])
    assert heard.text == WORDS
    assert heard.first_s == pytest.approx(FIRST_S * 2)
    assert heard.story == [("first", SetbackKind.UNAVAILABLE, Remedy.RETRY, "first")]


async def test_refusal_that_another_try_cannot_cure_goes_at_once_to_the_next_leg():
    first, second = model(ScriptedFault("refuse", times=math.inf)), model()
    state = FailoverState()
    heard = await ask(first, second, state=state)
    assert heard.text == WORDS
    assert heard.first_s == pytest.approx(FIRST_S * 2)
    assert heard.story == [("first", SetbackKind.REFUSED, Remedy.RETRY, "second")]
    assert "key is wrong" in heard.setbacks[0].detail
    assert len(first.requests) == 1
    assert state.health.state(ProviderRole.LLM, "first") is LegState.DOWN


async def test_leg_that_is_down_costs_the_next_turn_nothing():
    state = FailoverState()
    await ask(model(mute(times=math.inf)), model(), state=state)
    first, second = model(mute(times=math.inf)), model()
    heard = await ask(first, second, state=state)
    assert (heard.text, heard.first_s) == (WORDS, FIRST_S)
    assert heard.story == [("first", SetbackKind.SKIPPED, Remedy.NONE, "second")]


async def test_leg_that_is_down_is_tried_beside_a_turn_and_is_the_first_choice_when_it_works_again():
    """No user waits for the trial."""
    state = FailoverState()
    await ask(model(mute(times=math.inf)), model(), state=state)
    await anyio.sleep(1.0)
    first, second = model(mute(times=math.inf)), model()
    heard = await ask(first, second, state=state)
    assert (heard.text, heard.first_s, len(first.requests)) == (WORDS, FIRST_S, 1)
    assert state.health.state(ProviderRole.LLM, "first") is LegState.DOWN
    await anyio.sleep(10.0)
    first, second = model(), model()
    heard = await ask(first, second, state=state)
    assert (heard.text, heard.first_s, first.cancelled) == (WORDS, FIRST_S, 1)
    assert state.health.state(ProviderRole.LLM, "first") is LegState.SUSPECT
    heard = await ask(first, second, state=state)
    assert (heard.text, heard.story, len(second.requests)) == (WORDS, [], 1)
    assert state.health.state(ProviderRole.LLM, "first") is LegState.HEALTHY


async def test_trial_that_is_not_over_when_the_turn_is_says_nothing_about_the_leg():
    state = FailoverState()
    await ask(model(mute(times=math.inf)), model(), state=state)
    await anyio.sleep(1.0)
    await ask(model(mute()), ScriptedModel(["Yes."]), state=state)
    assert state.health.state(ProviderRole.LLM, "first") is LegState.DOWN
    assert state.health.due_in_s((ProviderRole.LLM, "first"), LoopClock().now_s()) == 0.0


@pytest.mark.parametrize("legs", [1, 2])
async def test_answer_that_is_cut_off_is_continued_and_nothing_is_said_twice(legs):
    """The rest repeats the last words, as models do."""
    cut = ScriptedFault("cut", after=4)
    models = [model(cut, replies=[WORDS, "at nine in the morning and close at five."]), model()]
    heard = await ask(*models[:legs])
    assert heard.text == WORDS
    assert heard.story == [("first", SetbackKind.CUT, Remedy.CONTINUATION, "first")]
    assert max(b - a for a, b in zip(heard.at_s, heard.at_s[1:], strict=False)) < 0.4
    rest = models[0].requests[1]
    assert [m.text for m in rest.messages[:2]] == ["When do you open?", "We open at nine"]


async def test_answer_that_stalls_is_continued_by_another_line():
    only = model(ScriptedFault("stall", after=4), replies=[WORDS, "in the morning and close at five."])
    heard = await ask(only)
    assert heard.text == WORDS
    assert heard.story == [("first", SetbackKind.STALLED, Remedy.CONTINUATION, "first")]
    assert heard.setbacks[0].lost_s == pytest.approx(STALL_S, abs=0.01)
    assert heard.at_s[4] - heard.at_s[3] == pytest.approx(STALL_S + FIRST_S, abs=0.01)


async def test_answer_that_stalls_on_every_line_is_continued_by_another_leg():
    first = model(ScriptedFault("stall", after=4), mute(times=math.inf))
    second = model(replies=["nine in the morning and close at five."])
    heard = await ask(first, second)
    assert heard.text == WORDS
    assert [remedy for _, _, remedy, _ in heard.story] == [Remedy.CONTINUATION] * 2
    assert heard.at_s[4] - heard.at_s[3] < STALL_S + AGAIN_S + FIRST_S + 0.1


async def test_answer_that_comes_back_in_time_goes_on_by_itself():
    """What was asked for meanwhile is thrown away."""
    only = model(ScriptedFault("stall", after=4, for_s=1.1), replies=[WORDS, "something else."])
    heard = await ask(only)
    assert heard.text == WORDS
    assert only.cancelled == 1


async def test_answer_that_is_cut_again_and_again_is_continued_each_time():
    cuts = [ScriptedFault("cut", after=3), ScriptedFault("cut", after=3), ScriptedFault("cut", after=3)]
    rests = [WORDS, "nine in the morning", "morning and close at five.", "at five."]
    heard = await ask(model(*cuts, replies=rests))
    assert heard.text == WORDS
    assert len(heard.setbacks) == 3


async def test_continuations_that_only_repeat_what_was_said_are_not_asked_for_without_end():
    """Everybody breaks off at the same place."""
    cut = ScriptedFault("cut", after=4, times=math.inf)
    first, second = model(cut), model(cut)
    heard = await ask(first, second)
    assert isinstance(heard.problem, ProviderUnavailable)
    assert heard.text == "We open at nine "
    assert [len(first.requests), len(second.requests)] == [2, 2]
    assert heard.took_s < 2.0


async def test_refusal_in_the_middle_is_continued_by_another_leg():
    class Declining(ScriptedModel):
        def stream(self, request, on_line=None):
            return _declining()

    heard = await ask(Declining(), model(replies=["nine in the morning."]))
    assert heard.text == "We open at nine in the morning."
    assert heard.story == [("first", SetbackKind.REFUSED, Remedy.CONTINUATION, "second")]


class _declining:  # noqa: N801 - a context manager
    async def __aenter__(self):
        async def pieces():
            yield "We open at ni"
            raise ProviderRejected("it declined to go on", provider="scripted", phase="stream")

        return pieces()

    async def __aexit__(self, *exc):
        return None


async def test_leg_that_cannot_go_on_with_anothers_words_is_not_asked_to():
    first = model(ScriptedFault("cut", after=4), mute(times=math.inf))
    second = model()
    heard = await ask(first, second, can_continue=False)
    assert second.requests == []
    assert isinstance(heard.problem, ProviderUnavailable)
    assert heard.text == "We open at nine "
    second = model()
    heard = await ask(model(mute(times=math.inf)), second, can_continue=False)
    assert heard.text == WORDS


async def test_nobody_who_answers_is_an_error_after_a_bounded_time():
    models = [model(mute(times=math.inf)), model(mute(times=math.inf))]
    heard = await ask(*models, state=FailoverState(FailoverSettings(give_up_s=5.0)))
    assert isinstance(heard.problem, ProviderUnavailable)
    assert heard.took_s == pytest.approx(5.0, abs=0.01)
    assert [len(each.requests) for each in models] == [2, 2]
    assert heard.story[-1] == ("second", SetbackKind.LATE, Remedy.NONE, "")


async def test_everybody_who_refuses_is_an_error_at_once():
    refuse = ScriptedFault("refuse", times=math.inf)
    heard = await ask(model(refuse), model(refuse))
    assert isinstance(heard.problem, ProviderRejected)
    assert heard.took_s == pytest.approx(FIRST_S * 2, abs=0.01)


async def test_reader_who_is_slow_is_not_taken_for_a_leg_that_stalls():
    """The pieces wait for the reader, and the leg for room."""
    long = "word " * 300
    only = model(replies=[long])
    heard = await ask(only, pause_s=0.5)
    assert (heard.text, heard.setbacks, len(only.requests)) == (long, [], 1)


async def test_stall_that_lasted_while_the_reader_was_away_is_acted_on_at_once():
    only = model(ScriptedFault("stall", after=1), replies=[WORDS, "open at nine."])
    heard = await ask(only, pause_s=3.0)
    assert heard.text == "We open at nine."
    assert heard.at_s[1] == pytest.approx(FIRST_S + 3.0 + FIRST_S, abs=0.01)


async def test_leaving_early_cancels_every_attempt():
    first, second = model(mute(times=math.inf)), model(mute(times=math.inf))
    legs = [Leg(first, "first"), Leg(second, "second")]
    async with stream(legs, ASKED, FailoverState(), LoopClock()) as pieces:
        with anyio.move_on_after(1.5):
            await anext(pieces)
    assert (first.cancelled, second.cancelled) == (2, 2)


async def test_error_of_whoever_reads_is_raised_as_it_is():
    async def read() -> None:
        async with stream([Leg(model(), "first")], ASKED, FailoverState(), LoopClock()) as pieces:
            async for _ in pieces:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()


class Calling:
    """Says something, calls a tool, and then does as it is told."""

    def __init__(self, ending: str, call_s: float = 0.1, progress_s: float = 10.0):
        self.ending = ending
        self.call_s = call_s
        self.progress_s = progress_s
        self.asked = 0

    def stream(self, request, on_line=None):
        self.asked += 1
        return self

    async def __aenter__(self):
        return self._pieces()

    async def __aexit__(self, *exc):
        return None

    async def _pieces(self):
        await anyio.sleep(0.1)
        yield "Let me see"
        for _ in range(int(self.call_s / self.progress_s)):
            await anyio.sleep(self.progress_s)
            yield CallProgress()
        await anyio.sleep(self.call_s % self.progress_s)
        yield CALL
        if self.ending == "cut":
            raise ProviderUnavailable("cut", provider="scripted", phase="stream")
        if self.ending == "stall":
            await anyio.sleep_forever()


@pytest.mark.parametrize("ending", ["", "cut", "stall"])
async def test_answer_that_breaks_off_behind_a_call_is_over_and_nothing_is_called_twice(ending):
    calling, second = Calling(ending), model()
    heard = await ask(calling, second)
    assert heard.pieces == ["Let me ", "see", CALL]
    assert (calling.asked, second.requests, heard.problem) == (1, [], None)
    assert heard.took_s < 1.5


async def test_call_whose_arguments_take_their_time_is_waited_for():
    request = replace(ASKED, tools=[ToolSpec("look_up", "", {})])
    calling = Calling("", call_s=2.4, progress_s=0.3)
    heard = await ask(calling, request=request)
    assert (heard.setbacks, heard.pieces[-1], calling.asked) == ([], CALL, 1)


async def test_call_of_which_nothing_more_comes_is_asked_for_again():
    second = model()
    assert (await ask(Calling("", call_s=9.0), second)).setbacks[0].kind is SetbackKind.STALLED


async def learned(state: FailoverState, took_s: Sequence[float]) -> FailoverState:
    for each in took_s:
        state.times.add("first", Wait.LLM_FIRST_TEXT, each)
        state.hedges.asked()
    return state


async def test_slow_answer_is_asked_for_a_second_time_if_that_is_wanted():
    """At the measured percentile, well before the deadline; whoever is first is passed on."""
    hedging = FailoverSettings(hedge=HedgeSettings(is_on=True, percent=90, share=0.05))
    times = [0.2] * 92 + [0.45] * 8
    state = await learned(FailoverState(hedging), times)
    only = model(mute(for_s=0.9))
    heard = await ask(only, state=state)
    assert heard.first_s == pytest.approx(0.4)
    assert heard.story == [("first", SetbackKind.SLOW, Remedy.HEDGE, "first")]
    assert state.health.state(ProviderRole.LLM, "first") is LegState.HEALTHY
    off = await learned(FailoverState(), times)
    assert (await ask(model(mute(for_s=0.9)), state=off)).first_s == pytest.approx(0.875, abs=0.01)


async def test_hedges_are_no_more_than_the_share_of_requests():
    hedging = FailoverSettings(hedge=HedgeSettings(is_on=True, percent=90, share=0.02))
    state = await learned(FailoverState(hedging), [0.2] * 92 + [0.45] * 8)
    hedged = 0
    for _ in range(10):
        heard = await ask(model(mute(for_s=0.2)), state=state)
        hedged += sum(kind is SetbackKind.SLOW for _, kind, _, _ in heard.story)
    assert hedged == 2


async def test_one_session_learns_from_another_that_a_leg_is_down():
    """The second caller does not learn of an outage from zero."""
    state = FailoverState()
    heard: dict[int, Heard] = {}

    async def call(number: int) -> None:
        heard[number] = await ask(model(mute(times=math.inf)), model(), state=state)

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(call, number)
            await anyio.sleep(0.5)
    first_s = [heard[number].first_s for number in range(3)]
    # Late at 0.7 and at 0.95, when the leg is down. The second, late at 1.2, does not ask it again; the
    # third does not ask it at all.
    assert first_s == pytest.approx([FIRST_S + LATE_S + AGAIN_S, FIRST_S + LATE_S, FIRST_S])
    assert all(each.text == WORDS for each in heard.values())


async def test_late_success_makes_a_leg_healthy_again():
    state = FailoverState()
    state.health.note(ProviderRole.LLM, "first", LegEvent.MISSED, 0.0)
    await ask(model(), model(), state=state)
    assert state.health.state(ProviderRole.LLM, "first") is LegState.HEALTHY

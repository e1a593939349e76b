"""What is said is recognised whatever the recognisers do; on the jumping clock."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.core.setback import ProviderRole, Remedy, Setback, SetbackKind
from warmline.errors import ProviderError
from warmline.failover.health import LegEvent, LegState
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.settings import FailoverSettings
from warmline.interfaces.stt import Transcript
from warmline.session.stt_line import SttLine
from warmline.testing.scripted import ScriptedFault, ScriptedRecogniser, Utterance
from warmline.testing.virtual_time import LoopClock, VirtualTimeLoop

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

FRAME_S = 0.02
FINAL_S = 0.1
SAID = "when do you open"
ALWAYS = math.inf


@dataclass
class Ears:
    """A line to recognisers, and what came of it."""

    line: SttLine
    transcripts: list[Transcript] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    troubles: list[ProviderError] = field(default_factory=list)
    setbacks: list[Setback] = field(default_factory=list)
    asked_at_s: float = 0.0
    number: int = 0

    @property
    def finals(self) -> list[str]:
        return [each.text for each in self.transcripts if each.is_final]

    @property
    def final_after_s(self) -> float:
        """From the end of the last utterance to its final."""
        return round(self.at_s[-1] - self.asked_at_s, 3)

    @property
    def story(self) -> list[tuple[str, SetbackKind, Remedy, str]]:
        return [(each.leg, each.kind, each.remedy, each.taken_by) for each in self.setbacks]

    async def hear(self, duration_s: float) -> None:
        for _ in range(round(duration_s / FRAME_S)):
            await anyio.sleep(FRAME_S)
            self.line.push(b"\x01\x00" * 320)

    async def utter(self, duration_s: float = 1.5, wait_s: float = 3.0) -> None:
        """Speak, be silent, and wait for the final."""
        await self.hear(0.6)
        self.number += 1
        self.line.begin_utterance(self.number)
        await self.hear(duration_s)
        self.line.finish_utterance()
        self.asked_at_s = LoopClock().now_s()
        await self.hear(wait_s)

    def assert_no_flicker(self) -> None:
        """No partial has fewer words than the one before it, of the same utterance."""
        for before, after in zip(self.transcripts, self.transcripts[1:], strict=False):
            if before.utterance == after.utterance and not after.is_final:
                assert len(after.text.split()) >= len(before.text.split())


@asynccontextmanager
async def ears(*recognisers: ScriptedRecogniser, state: FailoverState | None = None) -> AsyncIterator[Ears]:
    """Listen by the first recogniser, with the others behind it, and see that all lines are closed."""
    clock = LoopClock()
    fallbacks = [Leg(each, name) for each, name in zip(recognisers[1:], ("second", "third"), strict=False)]

    def heard(transcript: Transcript) -> None:
        found.transcripts.append(transcript)
        found.at_s.append(clock.now_s())

    def trouble(problem: ProviderError) -> None:
        found.troubles.append(problem)

    found = Ears(
        SttLine(
            recognisers[0],
            heard,
            trouble,
            clock,
            name="first",
            fallbacks=fallbacks,
            state=state or FailoverState(),
            on_setback=lambda setback: found.setbacks.append(setback),
        )
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(found.line.run)
        await anyio.sleep(0.001)
        yield found
        tasks.cancel_scope.cancel()
    assert [each.opened for each in recognisers] == [each.closed for each in recognisers]


def recogniser(*said: str | Utterance, faults=(), open_faults=(), open_s: float = 0.0) -> ScriptedRecogniser:
    found = ScriptedRecogniser([*(said or (SAID,))])
    found.faults = list(faults)
    found.open_faults = list(open_faults)
    found.open_s = open_s
    return found


async def test_utterance_is_recognised_and_its_line_stays():
    only = recogniser(SAID, "and on Sundays")
    async with ears(only) as heard:
        await heard.utter()
        await heard.utter()
    assert heard.finals == [SAID, "and on Sundays"]
    assert (heard.final_after_s, heard.setbacks, heard.troubles) == (FINAL_S, [], [])
    assert only.opened == 1


@pytest.mark.parametrize("after", [0, 2, 4])
@pytest.mark.parametrize("legs", [1, 2])
async def test_line_that_drops_while_the_user_speaks_is_replaced_and_loses_nothing(legs, after):
    """After `after` words of four; the rest is heard as it is spoken, and the user waits for nothing."""
    first = recogniser(faults=[ScriptedFault("cut", after=after)])
    async with ears(*[first, recogniser()][:legs]) as heard:
        await heard.utter()
    assert heard.finals == [SAID]
    assert heard.final_after_s == FINAL_S
    assert heard.story == [("first", SetbackKind.CUT, Remedy.REPLAY, "first")]
    assert heard.troubles == []
    assert first.heard_bytes[1] == 32_000 * 1.5
    heard.assert_no_flicker()


async def test_line_that_drops_before_its_final_costs_less_than_150_ms():
    first = recogniser(Utterance(SAID, fails=True))
    async with ears(first) as heard:
        await heard.utter()
    assert heard.finals == [SAID]
    assert heard.final_after_s - FINAL_S <= 0.15
    assert heard.story == [("first", SetbackKind.CUT, Remedy.REPLAY, "first")]


async def test_line_that_drops_while_nothing_is_said_is_replaced():
    first = recogniser(Utterance("yes", final_after_s=0.1), "no")
    async with ears(first) as heard:
        await heard.utter()
        first.streams[0].drop()
        await heard.utter()
    assert heard.finals == ["yes", "no"]
    assert heard.story == [("first", SetbackKind.CUT, Remedy.RETRY, "first")]


@pytest.mark.parametrize("fault", [ScriptedFault("mute"), ScriptedFault("stall", after=2)])
async def test_recogniser_that_says_nothing_is_asked_again_on_another_line(fault):
    first = recogniser(faults=[fault])
    async with ears(first) as heard:
        await heard.utter()
    assert heard.finals == [SAID]
    assert heard.final_after_s <= 1.2 + FINAL_S + 0.02
    assert heard.story == [("first", SetbackKind.LATE, Remedy.REPLAY, "first")]
    assert heard.setbacks[0].lost_s == pytest.approx(1.2, abs=0.03)
    heard.assert_no_flicker()


async def test_patience_with_finals_is_learned():
    """Finals come after 0.1 s as a rule, so half a second is enough."""
    state = FailoverState()
    said = ["one two three"] * 21
    async with ears(recogniser(*said), state=state) as heard:
        for _ in said:
            await heard.utter(0.9, 0.4)
    stalling = recogniser(faults=[ScriptedFault("stall", after=3)])
    async with ears(stalling, state=state) as heard:
        await heard.utter()
    assert heard.final_after_s == pytest.approx(0.5 + FINAL_S, abs=0.02)


async def test_final_that_is_only_late_is_taken_if_it_comes_first():
    first = recogniser(Utterance(SAID, final_after_s=1.25))
    async with ears(first) as heard:
        await heard.utter(wait_s=5.0)
    assert heard.finals == [SAID]
    assert heard.final_after_s == pytest.approx(1.25, abs=0.01)
    assert first.opened == 2


async def test_recogniser_that_stays_mute_is_left_for_the_next_leg():
    first = recogniser(faults=[ScriptedFault("mute", times=ALWAYS)])
    second = recogniser()
    state = FailoverState()
    async with ears(first, second, state=state) as heard:
        await heard.utter(wait_s=5.0)
        assert heard.finals == [SAID]
        assert heard.story == [
            ("first", SetbackKind.LATE, Remedy.REPLAY, "first"),
            ("first", SetbackKind.LATE, Remedy.REPLAY, "second"),
        ]
        assert state.health.state(ProviderRole.STT, "first") is LegState.DOWN
    async with ears(recogniser(), recogniser(), state=state) as heard:
        await heard.utter(wait_s=0.3)
        assert heard.finals == [SAID]
    assert heard.story == [("first", SetbackKind.SKIPPED, Remedy.NONE, "second")]


async def test_leg_that_refuses_is_left_for_the_next_before_anybody_speaks():
    first = recogniser(open_faults=[ScriptedFault("refuse", times=ALWAYS)])
    second = recogniser()
    async with ears(first, second) as heard:
        await heard.utter(wait_s=0.5)
    assert heard.finals == [SAID]
    assert heard.story == [("first", SetbackKind.REFUSED, Remedy.RETRY, "second")]
    assert heard.troubles == []


async def test_line_that_takes_long_to_open_is_overtaken_by_the_next_leg():
    first, second = recogniser(open_s=5.0), recogniser()
    async with ears(first, second) as heard:
        await heard.utter(wait_s=0.5)
        assert heard.finals == [SAID]
        assert heard.final_after_s == FINAL_S
    assert first.opened == 0


async def test_nobody_who_listens_is_told_once_and_what_was_said_is_recognised_later():
    first = recogniser(open_faults=[ScriptedFault("unavailable", times=3)])
    async with ears(first) as heard:
        await heard.utter(wait_s=5.0)
    assert heard.finals == [SAID]
    assert len(heard.troubles) == 1
    assert heard.setbacks[0].kind is SetbackKind.UNAVAILABLE


async def test_recogniser_that_breaks_with_every_try_is_given_up_with_what_it_understood():
    first = recogniser(faults=[ScriptedFault("cut", after=3, times=ALWAYS)])
    async with ears(first, state=FailoverState(FailoverSettings(replays=2))) as heard:
        await heard.utter(wait_s=10.0)
    assert heard.finals == ["when do"]
    assert len(heard.troubles) == 1
    assert "no recogniser finished it, of 3" in str(heard.troubles[0])
    assert len(first.begun) == 1
    heard.assert_no_flicker()


async def test_recogniser_that_stays_mute_is_given_up_after_a_bounded_number_of_lines():
    first = recogniser(faults=[ScriptedFault("mute", times=ALWAYS)])
    async with ears(first) as heard:
        await heard.utter(wait_s=20.0)
    assert heard.finals == [""]
    assert first.opened == 4
    assert len(heard.troubles) == 1


async def test_lines_that_drop_at_once_are_not_opened_over_and_over():
    first = recogniser()
    async with ears(first) as heard:
        for _ in range(200):
            if first.opened > first.closed:
                first.streams[-1].drop()
            await anyio.sleep(0.1)
    assert first.opened < 10
    assert len(heard.troubles) == 1


async def test_two_utterances_that_wait_for_their_finals_are_both_sent_again():
    first = recogniser(Utterance("I would like to know", fails=True), "when you open")
    async with ears(first) as heard:
        await heard.utter(1.5, 0.04)
        await heard.utter(1.0, 1.0)
    assert heard.finals == ["I would like to know", "when you open"]
    assert first.opened == 2


async def test_discarded_utterance_is_not_sent_again_and_says_nothing_more():
    first = recogniser(SAID, "thank you", faults=[ScriptedFault("mute")])
    async with ears(first) as heard:
        heard.line.begin_utterance(1)
        await heard.hear(1.0)
        heard.line.finish_utterance()
        await heard.hear(0.5)
        heard.line.discard_utterance()
        heard.number = 1
        await heard.hear(3.0)
        await heard.utter()
    assert heard.finals == ["thank you"]
    assert (first.opened, heard.setbacks) == (1, [])


async def test_session_moves_back_to_the_leg_that_works_again_between_utterances():
    first = recogniser(open_faults=[ScriptedFault("unavailable", times=2)])
    second = recogniser("one", "two", "three")
    state = FailoverState()
    state.health.note(ProviderRole.STT, "first", LegEvent.MISSED, LoopClock().now_s())
    async with ears(first, second, state=state) as heard:
        await heard.utter(wait_s=0.3)
        assert (first.opened, second.opened) == (0, 1)
        first.open_faults.clear()
        await anyio.sleep(5)
        await heard.utter(wait_s=0.3)  # Its pause is when the first is tried and moved to.
        assert (first.opened, second.closed) == (1, 1)
        await heard.utter(wait_s=0.3)
    assert heard.finals == ["one", "two", SAID]
    assert state.health.state(ProviderRole.STT, "first") is LegState.HEALTHY


async def test_better_leg_is_not_moved_to_while_somebody_speaks():
    first, second = recogniser(SAID, SAID, SAID), recogniser("one", "two")
    state = FailoverState()
    for _ in range(2):
        state.health.note(ProviderRole.STT, "first", LegEvent.MISSED, LoopClock().now_s())
    state.health.watch([(ProviderRole.STT, "first")])
    async with ears(first, second, state=state) as heard:
        await heard.utter(wait_s=0.3)
        heard.line.begin_utterance(2)
        state.health.note(ProviderRole.STT, "first", LegEvent.SUCCEEDED, 0.0)
        await heard.hear(1.0)
        assert first.opened == 0
        heard.line.finish_utterance()
        await heard.hear(0.5)
        assert (first.opened, second.closed) == (1, 1)
    assert heard.finals == ["one", "two"]


async def test_line_that_is_late_and_alone_is_waited_for_without_a_word():
    """All processes of this machine's recogniser may be in use; nobody is told of what works out."""
    first = recogniser(Utterance(SAID, final_after_s=2.5), open_faults=[ScriptedFault("unavailable", skip=1)])
    async with ears(first) as heard:
        await heard.utter(wait_s=5.0)
    assert heard.finals == [SAID]
    assert heard.troubles == []


async def test_two_lines_are_open_only_until_the_final():
    first = recogniser(faults=[ScriptedFault("mute")])
    async with ears(first) as heard:
        await heard.utter()
        assert (first.opened, first.closed) == (2, 1)


kinds = st.sampled_from(["mute", "stall", "cut"])
faults = st.one_of(st.just(ScriptedFault("stall", 99)), st.builds(ScriptedFault, kinds, st.integers(0, 6)))
opening = st.one_of(
    st.just(ScriptedFault("mute", for_s=0.0)),
    st.just(ScriptedFault("mute", for_s=1.0)),
    st.just(ScriptedFault("unavailable")),
    st.just(ScriptedFault("refuse")),
)


@given(
    st.lists(faults, max_size=5),
    st.lists(faults, max_size=3),
    st.lists(opening, max_size=4),
    st.lists(opening, max_size=4),
    st.lists(st.tuples(st.floats(0.1, 2.5), st.sampled_from([0.06, 0.5, 4.0])), min_size=1, max_size=3),
)
def test_whatever_fails_every_utterance_has_one_final_and_no_words_are_taken_back(
    of_first, of_second, opening_first, opening_second, utterances
):
    said = ["one two three four", "five six", "seven eight nine ten eleven"]

    async def journey() -> None:
        first = recogniser(*said, faults=of_first, open_faults=opening_first)
        second = recogniser(*said, faults=of_second, open_faults=opening_second)
        second.script, second.begun = [], {n: Utterance(text) for n, text in enumerate(said, 1)}
        first.script, first.begun = [], {n: Utterance(text) for n, text in enumerate(said, 1)}
        async with ears(first, second) as heard:
            for duration_s, wait_s in utterances:
                await heard.utter(duration_s, wait_s)
            await heard.hear(30.0)
        assert [each.utterance for each in heard.transcripts if each.is_final] == list(
            dict.fromkeys(each.utterance for each in heard.transcripts if each.is_final)
        )
        finals = {each.utterance: each.text for each in heard.transcripts if each.is_final}
        assert sorted(finals) == list(range(1, len(utterances) + 1))
        for number, text in finals.items():
            assert text == said[number - 1] or heard.troubles
        heard.assert_no_flicker()

    anyio.run(journey, backend_options={"loop_factory": VirtualTimeLoop})


async def test_end_of_an_utterance_too_long_to_be_kept_is_joined_to_what_was_understood():
    """It is cut off at 2.7 s, of which 1.5 are kept."""
    words = "one two three four five six seven eight nine ten"
    first, second = recogniser(words), recogniser()
    second.begun = {1: Utterance("four five six seven eight nine ten eleven")}
    first.faults = [ScriptedFault("cut", after=9)]
    first.open_faults = [ScriptedFault("refuse", skip=1)]
    async with ears(first, second, state=FailoverState(FailoverSettings(replay_s=1.5))) as heard:
        await heard.utter(6.0)
    assert heard.finals == [f"{words} eleven"]
    assert second.heard_bytes[1] <= 32_000 * 4.9

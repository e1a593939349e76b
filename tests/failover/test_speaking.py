"""A reply is spoken to its end whatever its voices do; on the jumping clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.core.formats import PCM_16K
from warmline.core.setback import ProviderRole, Remedy, Setback, SetbackKind
from warmline.errors import ProviderError, ProviderRejected, ProviderUnavailable
from warmline.failover.health import LegState
from warmline.failover.legs import FailoverState, Leg
from warmline.failover.settings import FailoverSettings
from warmline.failover.speaking import LegsVoice, SpeakingLegs
from warmline.interfaces.clause_voice import ClauseVoice
from warmline.interfaces.tts import SpeechChunk, SpokenWord
from warmline.testing.scripted import ScriptedFault
from warmline.testing.virtual_time import LoopClock, VirtualTimeLoop

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

CLAUSES = ("We open at nine in the morning, ", "and close at five. ", "On Sundays we are closed.")
TEXT = "".join(CLAUSES)
WORDS = TEXT.split()
FIRST_S, LATE_S, AGAIN_S, STALL_S = 0.1, 0.6, 0.25, 0.8
WORD_S, CHUNK_S = 0.3, 0.1
SECONDS = PCM_16K.size_bytes(1)


class SpellingVoice:
    """Says each word as 300 ms of one byte, so that what is heard can be told from the audio alone.

    Each `open` is a line; each clause on one is a request, unless it reads ahead: then each reply is.
    """

    def __init__(
        self,
        *faults: ScriptedFault | None,
        reads_ahead: bool = False,
        has_places: bool = True,
        chunk_s: float = 0.02,
    ):
        self.faults = list(faults)
        self.reads_ahead = reads_ahead
        self.has_places = has_places
        self.chunk_s = chunk_s
        self.opened = self.closed = 0
        self.given: list[str] = []

    def open(self, audio_format=None):
        self.opened += 1
        return _AheadLine(self) if self.reads_ahead else _ClauseLine(self)

    @asynccontextmanager
    async def synthesise(self, text, audio_format) -> AsyncIterator[AsyncIterator[SpeechChunk]]:
        async def clause() -> AsyncIterator[str]:
            yield text

        async with aclosing(self.chunks(clause())) as chunks:
            yield chunks

    async def chunks(self, clauses):
        fault = self.faults.pop(0) if self.faults else None
        text, said, pieces = "", 0, 0
        async for clause in clauses:
            if not text:
                await anyio.sleep(FIRST_S)
            self.given.append(clause)
            text += clause
            for word in clause.split():
                start = text.index(word, said)
                said = start + len(word)
                for third in range(3):
                    if fault is not None:
                        await fault.meet(pieces)
                    place = SpokenWord(start, said, round(pieces * CHUNK_S * 1000))
                    words = (place,) if third == 0 and self.has_places else ()
                    yield SpeechChunk(bytes([WORDS.index(word) + 1]) * PCM_16K.size_bytes(CHUNK_S), words)
                    pieces += 1
                    await anyio.sleep(self.chunk_s)


class _ClauseLine(ClauseVoice):
    def __init__(self, voice):
        super().__init__(voice)
        self._voice = voice

    async def aclose(self):
        self._voice.closed += 1


class _AheadLine:
    def __init__(self, voice):
        self._voice = voice

    @asynccontextmanager
    async def speak(self, clauses, audio_format, on_line=None):
        send, receive = anyio.create_memory_object_stream[str](math.inf)

        async def read():
            async with send:
                async for clause in clauses:
                    await send.send(clause)

        async with anyio.create_task_group() as tasks, receive:
            tasks.start_soon(read)
            async with aclosing(self._voice.chunks(receive)) as chunks:
                yield self._safe(chunks)
            tasks.cancel_scope.cancel()

    async def _safe(self, chunks):
        async for chunk in chunks:
            yield chunk

    async def aclose(self):
        self._voice.closed += 1


@dataclass
class Spoken:
    audio: bytes = b""
    places: list[SpokenWord] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    """When each chunk of audio came."""

    setbacks: list[Setback] = field(default_factory=list)
    problem: Exception | None = None
    took_s: float = 0.0

    @property
    def words(self) -> list[str]:
        """What a listener makes of it: a word cut short is understood, and a click is not."""
        runs = [(code, len(list(run))) for code, run in itertools.groupby(self.audio)]
        return [WORDS[code - 1] for code, size in runs if size >= SECONDS * 0.05]

    @property
    def placed(self) -> list[str]:
        return [TEXT[each.text_start : each.text_end] for each in self.places]

    @property
    def story(self) -> list[tuple[str, SetbackKind, Remedy, str]]:
        return [(each.leg, each.kind, each.remedy, each.taken_by) for each in self.setbacks]

    @property
    def longest_gap_s(self) -> float:
        return max((b - a for a, b in itertools.pairwise(self.at_s)), default=0.0)


def legs_voice(*voices: SpellingVoice, state: FailoverState | None = None) -> LegsVoice:
    legs = [Leg(voice, name) for voice, name in zip(voices, ("first", "second"), strict=False)]
    return SpeakingLegs(legs, state or FailoverState(), LoopClock()).open(PCM_16K)


async def speak(
    voice: LegsVoice,
    clauses: Sequence[str | Exception] = CLAUSES,
    *,
    clause_s: float = 0.0,
    pause_s: float = 0.0,
) -> Spoken:
    """Have it spoken, and note what comes and when."""
    spoken, clock = Spoken(), LoopClock()
    began_s = clock.now_s()

    async def given() -> AsyncGenerator[str, None]:
        for clause in clauses:
            if isinstance(clause, Exception):
                raise clause
            yield clause
            await anyio.sleep(clause_s)

    try:
        async with (
            aclosing(given()) as text,
            voice.speak(text, PCM_16K, on_setback=spoken.setbacks.append) as chunks,
        ):
            async for chunk in chunks:
                spoken.audio += chunk.audio
                spoken.places += chunk.words
                spoken.at_s += [clock.now_s() - began_s] if chunk.audio else []
                await anyio.sleep(pause_s)
    except (ProviderError, ZeroDivisionError) as problem:
        spoken.problem = problem
    spoken.took_s = clock.now_s() - began_s
    return spoken


def assert_whole(spoken: Spoken) -> None:
    """Every word is heard, once and in order, and its place is where it is heard."""
    assert spoken.words == WORDS
    assert_placed(spoken)


def assert_placed(spoken: Spoken) -> None:
    assert spoken.placed == WORDS
    for place in spoken.places:
        at = place.start_ms * SECONDS // 1000
        assert spoken.audio[at] == WORDS.index(TEXT[place.text_start : place.text_end]) + 1


@pytest.mark.parametrize("reads_ahead", [False, True])
async def test_reply_of_one_leg_is_passed_on_as_it_comes(reads_ahead):
    voice = legs_voice(SpellingVoice(reads_ahead=reads_ahead))
    spoken = await speak(voice)
    assert_whole(spoken)
    assert spoken.setbacks == []
    assert spoken.at_s[0] == pytest.approx(FIRST_S, abs=0.001)
    await voice.aclose()


@pytest.mark.parametrize("reads_ahead", [False, True])
@pytest.mark.parametrize("legs", [1, 2])
async def test_mute_voice_is_left_for_another_line_and_every_word_is_said(legs, reads_ahead):
    first = SpellingVoice(ScriptedFault("mute"), reads_ahead=reads_ahead)
    voice = legs_voice(*[first, SpellingVoice()][:legs])
    spoken = await speak(voice)
    assert_whole(spoken)
    assert spoken.at_s[0] == pytest.approx(LATE_S + FIRST_S, abs=0.01)
    assert spoken.story == [("first", SetbackKind.LATE, Remedy.RETRY, "first")]
    await voice.aclose()
    assert first.opened == first.closed == 2


async def test_mute_leg_is_left_for_another_within_a_second():
    mute = ScriptedFault("mute")
    first, second = SpellingVoice(mute, mute), SpellingVoice()
    state = FailoverState()
    voice = legs_voice(first, second, state=state)
    spoken = await speak(voice)
    assert_whole(spoken)
    assert spoken.at_s[0] - FIRST_S < 1.0
    assert state.health.state(ProviderRole.TTS, "first") is LegState.DOWN
    again = await speak(voice)
    assert again.words == WORDS
    assert again.at_s[0] == pytest.approx(FIRST_S, abs=0.001)
    assert again.story == [("first", SetbackKind.SKIPPED, Remedy.NONE, "second")]
    await voice.aclose()
    assert first.opened == first.closed
    assert second.opened == second.closed == 1


@pytest.mark.parametrize("reads_ahead", [False, True])
@pytest.mark.parametrize("kind", ["cut", "stall"])
@pytest.mark.parametrize("legs", [1, 2])
async def test_voice_that_fails_in_the_middle_is_gone_on_with_from_the_word_where_it_stopped(
    legs, kind, reads_ahead
):
    first = SpellingVoice(ScriptedFault(kind, after=7), reads_ahead=reads_ahead)
    voice = legs_voice(*[first, SpellingVoice()][:legs])
    spoken = await speak(voice)
    assert_whole(spoken)
    expected = SetbackKind.CUT if kind == "cut" else SetbackKind.STALLED
    assert spoken.story == [("first", expected, Remedy.CONTINUATION, "first")]
    assert spoken.longest_gap_s < (FIRST_S if kind == "cut" else STALL_S + FIRST_S) + 0.05
    # The third word had begun, and is not said again.
    assert first.given[1] == "nine in the morning, "
    assert len(spoken.audio) == SECONDS * (len(WORDS) * WORD_S - 0.2)
    await voice.aclose()
    assert first.opened == first.closed == 2


async def test_voice_that_comes_back_in_time_goes_on_by_itself():
    first = SpellingVoice(ScriptedFault("stall", after=7, for_s=0.85))
    voice = legs_voice(first)
    spoken = await speak(voice)
    assert_whole(spoken)
    assert len(spoken.audio) == SECONDS * len(WORDS) * WORD_S
    assert spoken.longest_gap_s < 0.9
    await voice.aclose()


async def test_refusal_goes_at_once_to_the_next_leg():
    first, second = SpellingVoice(ScriptedFault("refuse")), SpellingVoice()
    voice = legs_voice(first, second)
    spoken = await speak(voice)
    assert_whole(spoken)
    assert spoken.at_s[0] == pytest.approx(FIRST_S * 2, abs=0.001)
    assert spoken.story == [("first", SetbackKind.REFUSED, Remedy.RETRY, "second")]
    await voice.aclose()


async def test_voice_that_waits_for_text_is_not_taken_for_one_that_stalls():
    """A model that takes 3 s for each clause, and a listener who takes 0.3 s for each tenth."""
    for reads_ahead in (False, True):
        voice = legs_voice(SpellingVoice(reads_ahead=reads_ahead))
        slow_model = await speak(voice, clause_s=3.0)
        slow_listener = await speak(voice, pause_s=0.3)
        for spoken in (slow_model, slow_listener):
            assert_whole(spoken)
            assert spoken.setbacks == []
        await voice.aclose()


async def test_stall_is_known_although_more_text_keeps_coming():
    """Each new clause is one more reason to speak, and none to wait longer."""
    first = SpellingVoice(ScriptedFault("stall", after=4), reads_ahead=True)
    voice = legs_voice(first)
    spoken = await speak(voice, clause_s=0.5)
    assert_whole(spoken)
    assert spoken.longest_gap_s < STALL_S + FIRST_S + 0.05
    await voice.aclose()


async def test_stall_is_hidden_by_the_audio_that_was_sent_ahead():
    """A listener with a second in hand waits less than the stall lasted."""
    voice = legs_voice(SpellingVoice(ScriptedFault("stall", after=9), chunk_s=0.0))
    spoken = await speak(voice, pause_s=0.1)
    assert_whole(spoken)
    assert spoken.longest_gap_s < STALL_S
    await voice.aclose()


class Quitting(SpellingVoice):
    """Ends its first reply after a piece, as if it had said everything."""

    has_quit = False

    async def chunks(self, clauses):
        async for chunk in super().chunks(clauses):
            yield chunk
            if not self.has_quit:
                self.has_quit = True
                return


class Silent(SpellingVoice):
    """Takes all text, and ends."""

    async def chunks(self, clauses):
        async for clause in clauses:
            if not clause:
                yield SpeechChunk(b"")


async def test_voice_that_ends_before_the_text_or_without_a_sound_has_failed():
    voice = legs_voice(Quitting(reads_ahead=True))
    spoken = await speak(voice, clause_s=0.5)
    assert_whole(spoken)
    assert spoken.setbacks[0].detail == "speaking by first: it ended before the text did"
    await voice.aclose()

    voice = legs_voice(Silent(), SpellingVoice())
    spoken = await speak(voice)
    assert_whole(spoken)
    assert spoken.setbacks[0].detail == "speaking by first: it ended without a sound"
    await voice.aclose()


async def test_nothing_to_say_is_no_failure():
    voice = legs_voice(SpellingVoice())
    spoken = await speak(voice, [])
    assert (spoken.audio, spoken.setbacks, spoken.problem) == (b"", [], None)
    await voice.aclose()


async def test_text_that_breaks_off_is_spoken_as_far_as_it_goes_and_then_raised():
    voice = legs_voice(SpellingVoice())
    spoken = await speak(voice, [CLAUSES[0], ZeroDivisionError()])
    assert spoken.words == CLAUSES[0].split()
    assert isinstance(spoken.problem, ZeroDivisionError)
    await voice.aclose()


@pytest.mark.parametrize("reads_ahead", [False, True])
async def test_voice_without_places_is_gone_on_with_by_clause(reads_ahead):
    """The clause that was being spoken is begun again: nothing is lost."""
    fault = ScriptedFault("cut", after=7 if reads_ahead else 3)
    faults = [fault] if reads_ahead else [None, fault]
    first = SpellingVoice(*faults, has_places=False, reads_ahead=reads_ahead)
    voice = legs_voice(first)
    spoken = await speak(voice)
    said_s = len(spoken.audio) / SECONDS
    if reads_ahead:
        assert spoken.words == ["We", "open", "at", *WORDS]
        assert said_s == pytest.approx(len(WORDS) * WORD_S + 0.7)
    else:
        assert spoken.words == WORDS
        assert said_s == pytest.approx(len(WORDS) * WORD_S + 0.3)
    await voice.aclose()


async def test_nobody_who_speaks_is_an_error_after_a_bounded_time():
    mute = [ScriptedFault("mute")] * 9
    voice = legs_voice(
        SpellingVoice(*mute), SpellingVoice(*mute), state=FailoverState(FailoverSettings(give_up_s=5.0))
    )
    spoken = await speak(voice)
    assert isinstance(spoken.problem, ProviderUnavailable)
    assert spoken.took_s == pytest.approx(5.0, abs=0.01)
    await voice.aclose()
    refuse = [ScriptedFault("refuse")] * 9
    voice = legs_voice(SpellingVoice(*refuse), SpellingVoice(*refuse))
    assert isinstance((await speak(voice)).problem, ProviderRejected)
    await voice.aclose()


async def test_barge_in_leaves_no_voice_open_that_has_failed():
    mute = [ScriptedFault("mute")] * 9
    first, second = SpellingVoice(*mute), SpellingVoice(*mute)
    voice = legs_voice(first, second)
    with anyio.move_on_after(1.5):
        await speak(voice)
    await voice.aclose()
    assert (first.opened, second.opened) == (first.closed, second.closed)
    assert first.opened >= 3


async def test_leg_that_was_down_is_tried_beside_a_reply():
    state = FailoverState()
    mute = ScriptedFault("mute")
    first, second = SpellingVoice(mute, mute), SpellingVoice()
    voice = legs_voice(first, second, state=state)
    await speak(voice)
    await anyio.sleep(1.0)
    trial = await speak(voice)
    assert trial.words == WORDS
    assert trial.at_s[0] == pytest.approx(FIRST_S, abs=0.001)
    assert state.health.state(ProviderRole.TTS, "first") is LegState.SUSPECT
    back = await speak(voice)
    assert (back.words, back.setbacks) == (WORDS, [])
    await voice.aclose()
    assert (first.opened, second.opened) == (first.closed, second.closed)


kinds = st.sampled_from(["mute", "stall", "cut", "unavailable"])
faults = st.one_of(st.none(), st.builds(ScriptedFault, kinds, st.integers(0, 40)))


@given(
    st.lists(faults, max_size=3),
    st.lists(faults, max_size=2),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.02, 0.15]),
    st.sampled_from([0.0, 0.4]),
)
def test_whatever_fails_no_word_is_lost_and_none_is_said_twice(
    of_first, of_second, first_ahead, second_ahead, pause_s, clause_s
):
    async def journey() -> None:
        first = SpellingVoice(*of_first, reads_ahead=first_ahead)
        second = SpellingVoice(*of_second, reads_ahead=second_ahead)
        voice = legs_voice(first, second)
        spoken = await speak(voice, pause_s=pause_s, clause_s=clause_s)
        await voice.aclose()
        if spoken.problem is None:
            assert_whole(spoken)
        else:  # Both lines of both legs have failed at one place.
            assert spoken.words == WORDS[: len(spoken.words)]
        assert (first.opened, second.opened) == (first.closed, second.closed)

    anyio.run(journey, backend_options={"loop_factory": VirtualTimeLoop})

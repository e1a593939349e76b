"""Telephone calls: G.711 both ways, a greeting for whoever picks up, formats known only then."""

import math
from dataclasses import dataclass, field, replace

import anyio
import anyio.lowlevel
import pytest

from tests.journeys.conversation import Stagehands, conversation
from warmline.core.formats import PCM_24K, PCMA_8K, PCMU_8K, AudioFormat, Encoding
from warmline.failover.legs import FailoverState
from warmline.failover.settings import FailoverSettings
from warmline.interfaces.channel import EndReason, SpeechStopped
from warmline.interfaces.llm import Role
from warmline.session.ready_made import make_ahead
from warmline.session.session import Session
from warmline.session.settings import Providers, SessionSettings
from warmline.testing.caller import Caller
from warmline.testing.line import Line
from warmline.testing.scripted import (
    ScriptedFault,
    ScriptedModel,
    ScriptedRecogniser,
    ScriptedVoice,
    Utterance,
)
from warmline.testing.virtual_time import LoopClock
from warmline.timeline.report import TurnReport, TurnStatus
from warmline.turns.floor import Floor
from warmline.turns.idling import IdlePolicy

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

GREETING = "Good morning, this is the library."
TELEPHONE = SessionSettings(greeting=GREETING, playout_lead_s=0.4)
PCM_8K = AudioFormat(Encoding.PCM16, 8_000)


def telephone(audio_format: AudioFormat = PCMU_8K, *, is_ringing: bool = False) -> Line:
    return Line(
        reports_playout=False,
        input_format=audio_format,
        output_format=audio_format,
        is_ringing=is_ringing,
        keeps_audio=True,
    )


def words_bytes(count: int, audio_format: AudioFormat = PCMU_8K) -> int:
    return count * 3 * audio_format.size_bytes(0.1)


def charged_ms(turn: TurnReport) -> dict[str, int]:
    assert sum(c.duration_us for c in turn.contributions) == turn.response_us
    return {c.name: round(c.duration_us / 1000) for c in turn.contributions if c.duration_us}


@dataclass
class Caching(Stagehands):
    """Everybody, in a process that keeps what was made ahead."""

    state: FailoverState = field(default_factory=lambda: FailoverState(FailoverSettings(apology="")))

    def providers(self) -> Providers:
        return replace(super().providers(), failover=self.state)


@pytest.mark.parametrize("audio_format", [PCMU_8K, PCMA_8K, PCM_8K], ids=lambda f: f.encoding.value)
async def test_a_call_is_held_in_its_own_format_from_ear_to_mouth(audio_format):
    """To the millisecond as in a browser, where the same is said at 16 kHz."""
    hands = Stagehands(line=telephone(audio_format), settings=SessionSettings(playout_lead_s=0.4))
    async with conversation(hands, "when do you open", replies=["It opens at nine."]) as talk:
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4.0)
    [turn] = talk.line.turns()
    assert (turn.user_text, turn.heard_text) == ("when do you open", "It opens at nine.")
    # From 0.992 s on there is sound in a slice of 32 ms, and up to 2.528 s.
    assert talk.line.of_type(SpeechStopped)[0].audio_end_ms == 2528
    # 512 ms of slices without speech, the first of which begins 28 ms in.
    assert charged_ms(turn) == {"endpointing": 540}
    [stream] = hands.recogniser.streams
    assert stream.audio_format == audio_format
    # From the slice in which 64 ms of speech were complete, to 200 ms after the speech.
    assert hands.recogniser.heard_bytes[1] == pytest.approx(audio_format.size_bytes(1.7), rel=0.03)
    played = b"".join(audio for _, audio in talk.line.plays)
    assert played == b"\x01" * words_bytes(4, audio_format)


async def test_frames_of_20_ms_and_a_lead_of_400_never_run_dry():
    """A voice that makes sound three times as fast as it is played, and a telephone that buffers little."""
    voice = ScriptedVoice(first_audio_s=0.1, chunk_s=0.007, length_s=0.02)
    hands = Stagehands(line=telephone(), voice=voice, settings=SessionSettings(playout_lead_s=0.4))
    text = "The library opens at nine in the morning and closes at six in the evening every day."
    async with conversation(hands, "when do you open", replies=[text]) as talk:
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(8.0)
    [turn] = talk.line.turns()
    assert (turn.underruns, turn.heard_text) == (0, text)
    leads_s, ends_s = [], 0.0
    for at_s, audio in talk.line.plays:
        ends_s = max(ends_s, at_s) + PCMU_8K.duration_s(len(audio))
        leads_s.append(ends_s - at_s)
    assert {len(audio) for _, audio in talk.line.plays} == {160}
    assert max(leads_s) <= 0.4 + 0.02 + 1e-6
    assert min(leads_s[25:]) > 0.3


async def test_a_reply_that_a_cough_stopped_goes_on_at_the_word_byte_for_byte():
    """Rewound at whole samples: what is sent again is what was sent before."""
    hands = Stagehands(line=telephone(), settings=TELEPHONE)
    async with conversation(hands, "") as talk:
        await talk.caller.is_silent(0.98)
        await talk.caller.speaks(0.1)
        await talk.caller.is_silent(4.0)
    [turn] = talk.line.turns()
    assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, GREETING)
    [(stopped_s, _)] = talk.line.stops
    before = sum(len(audio) for at_s, audio in talk.line.plays if at_s < stopped_s)
    after = sum(len(audio) for at_s, audio in talk.line.plays if at_s >= stopped_s)
    whole = words_bytes(6)
    heard_s = stopped_s - talk.line.plays[0][0]
    # It goes on at the word in progress, at 900 ms.
    assert 0.9 <= heard_s < 1.2
    assert after == whole - words_bytes(3)
    assert before > PCMU_8K.size_bytes(heard_s)


async def test_an_interruption_leaves_what_was_heard_to_the_word():
    """Nothing is asked of the carrier: what was played is reckoned."""
    hands = Stagehands(line=telephone(), settings=TELEPHONE)
    async with conversation(hands, "what about sunday", replies=["Closed."]) as talk:
        await talk.caller.is_silent(1.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3.0)
    assert talk.said() == [
        ("agent", "Good morning, this is"),
        ("user", "what about sunday"),
        ("agent", "Closed."),
    ]


async def test_a_greeting_is_at_the_channel_within_the_call_that_answers():
    """The voice takes 400 ms, and the person waits for none of it."""
    hands = Stagehands(
        line=telephone(is_ringing=True), voice=ScriptedVoice(first_audio_s=0.4), settings=TELEPHONE
    )
    async with conversation(hands, "when do you open") as talk:
        await anyio.sleep(5.0)
        assert (talk.line.events, talk.line.plays, talk.said()) == ([], [], [])
        assert hands.recogniser.opened == 1
        talk.line.answer()
        assert talk.line.plays
        assert talk.session.floor is Floor.AGENT
        talk.line.answer()  # Again: nothing happens.
        await talk.caller.is_silent(4.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4.0)
    greeting, answer = talk.line.turns()
    assert (greeting.heard_text, greeting.number) == (GREETING, 1)
    assert greeting.response_us == 0
    assert charged_ms(greeting) == {}
    assert greeting.marks_us["answered"] == 0
    assert greeting.marks_us["ringing"] < greeting.marks_us["tts_first_audio"] < -4_000_000
    assert answer.heard_text == "It is open."
    assert talk.said()[0] == ("agent", GREETING)


async def test_what_is_not_made_when_it_is_answered_is_all_that_is_waited_for():
    """Picked up after 150 ms: the voice needs 250 ms more."""
    hands = Stagehands(
        line=telephone(is_ringing=True), voice=ScriptedVoice(first_audio_s=0.4), settings=TELEPHONE
    )
    async with conversation(hands) as talk:
        await anyio.sleep(0.149)
        talk.line.answer()
        assert not talk.line.plays
        await talk.caller.is_silent(4.0)
    [turn] = talk.line.turns()
    assert charged_ms(turn) == {"voice": 250}
    assert turn.heard_text == GREETING


async def test_a_greeting_that_the_process_has_needs_no_provider():
    """Made once, before the first call; then every voice is gone."""
    hands = Caching(line=telephone(is_ringing=True), settings=TELEPHONE)
    assert await make_ahead(hands.providers(), hands.settings, PCMU_8K)
    hands.voice.faults = [ScriptedFault("refuse", times=math.inf)]
    for ringing_s in (0.0, 3.0):
        hands.line = telephone(is_ringing=True)
        async with conversation(hands) as talk:
            await anyio.sleep(ringing_s)
            talk.line.answer()
            assert talk.line.plays
            await talk.caller.is_silent(4.0)
        [turn] = talk.line.turns()
        assert (turn.status, turn.heard_text, turn.response_us) == (TurnStatus.COMPLETED, GREETING, 0)
        assert talk.line.played_bytes == {turn.reply_id: words_bytes(6)}
    assert hands.voice.spoken == [GREETING]


async def test_a_greeting_is_made_by_the_first_call_and_kept_for_all_others():
    """Also where nobody answered that call; and no voice is asked for it twice."""
    hands = Caching(settings=TELEPHONE, voice=ScriptedVoice(first_audio_s=0.4))
    heard = []
    for answers in (False, True, True):
        hands.line = telephone(is_ringing=True)
        async with conversation(hands) as talk:
            await anyio.sleep(1.0)
            if answers:
                talk.line.answer()
                assert talk.line.plays
                await talk.caller.is_silent(4.0)
        heard += [turn.heard_text for turn in talk.line.turns()]
    assert heard == [GREETING, GREETING]
    assert hands.voice.spoken == [GREETING]


async def test_a_greeting_that_was_cut_short_is_not_kept():
    """The voice broke off, and the rest was spoken anew: the seam would be heard in every call."""
    hands = Caching(settings=TELEPHONE)
    hands.voice.faults = [ScriptedFault("cut", after=4)]
    for _ in range(2):
        hands.line = telephone()
        async with conversation(hands) as talk:
            await talk.caller.is_silent(4.0)
        assert talk.said() == [("agent", GREETING)]
    assert hands.voice.spoken == [GREETING, "this is the library.", GREETING]


async def test_a_call_that_nobody_answers_leaves_nothing():
    hands = Stagehands(line=telephone(is_ringing=True), settings=TELEPHONE)
    async with conversation(hands) as talk:
        await anyio.sleep(20.0)
    assert talk.line.ended is EndReason.HUNG_UP
    assert (talk.line.plays, talk.line.stops, talk.line.turns(), talk.said()) == ([], [], [], [])
    assert [type(event).__name__ for _, event in talk.line.events] == ["FloorChanged"]


async def test_a_call_that_is_answered_after_it_was_over_says_nothing():
    hands = Stagehands(line=telephone(is_ringing=True), settings=TELEPHONE)
    async with conversation(hands) as talk:
        await anyio.sleep(1.0)
        talk.session.hang_up()
        talk.line.answer()
    assert talk.line.plays == []


async def test_a_greeting_that_failed_while_it_rang_is_made_when_it_is_answered():
    hands = Stagehands(line=telephone(is_ringing=True), settings=TELEPHONE)
    hands.voice.faults = [ScriptedFault("refuse")]
    async with conversation(hands) as talk:
        await anyio.sleep(5.0)
        assert hands.voice.faults == []
        talk.line.answer()
        await talk.caller.is_silent(4.0)
    [turn] = talk.line.turns()
    assert (turn.status, turn.heard_text) == (TurnStatus.COMPLETED, GREETING)
    assert charged_ms(turn) == {}


async def test_a_call_answered_in_other_formats_than_expected_is_held_in_those():
    """The carrier has A-law: the recogniser's line and the greeting are made anew."""
    hands = Stagehands(line=telephone(is_ringing=True), settings=TELEPHONE)
    hands.voice.first_audio_s = 0.1
    async with conversation(hands, "when do you open", replies=["At nine."]) as talk:
        await anyio.sleep(2.0)
        talk.line.answer(PCMA_8K, PCM_24K)
        assert not talk.line.plays
        talk.caller = Caller(talk.session, PCMA_8K)
        await talk.caller.is_silent(4.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(4.0)
    greeting, answer = talk.line.turns()
    assert greeting.heard_text == GREETING
    assert charged_ms(greeting) == {"voice": 100}
    assert (answer.user_text, answer.heard_text) == ("when do you open", "At nine.")
    assert talk.line.played_bytes[greeting.reply_id] == words_bytes(6, PCM_24K)
    assert [stream.audio_format for stream in hands.recogniser.streams] == [PCMU_8K, PCMA_8K]


@pytest.mark.parametrize("open_s", [0.0, 3.0])
async def test_a_line_that_is_being_opened_for_the_wrong_format_is_not_used(open_s):
    recogniser = ScriptedRecogniser(["when do you open"])
    recogniser.open_s = open_s
    hands = Stagehands(line=telephone(is_ringing=True), recogniser=recogniser)
    async with conversation(hands) as talk:
        await anyio.sleep(1.0)
        talk.line.answer(PCMA_8K, PCMA_8K)
        talk.caller = Caller(talk.session, PCMA_8K)
        await talk.caller.is_silent(7.0)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3.0)
    assert [stream.audio_format for stream in recogniser.streams] == [PCMU_8K, PCMA_8K]
    assert [turn.user_text for turn in talk.line.turns()] == ["when do you open"]


async def test_a_format_that_turns_out_with_the_first_audio_is_followed():
    """A channel that does not ring and learns its format late."""
    line = telephone()
    hands = Stagehands(line=line)
    async with conversation(hands, "when do you open") as talk:
        await anyio.sleep(0.5)
        line.input_format = PCM_8K
        talk.caller = Caller(talk.session, PCM_8K)
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3.0)
    assert [turn.user_text for turn in line.turns()] == ["when do you open"]


async def test_audio_before_the_answer_is_nobodys():
    """Ringing tones and announcements reach some carriers' streams early."""
    hands = Stagehands(line=telephone(is_ringing=True))
    async with conversation(hands, "when do you open") as talk:
        await talk.caller.speaks(2.0)
        assert talk.session.floor is Floor.OPEN
        talk.line.answer()
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3.0)
    [turn] = talk.line.turns()
    assert turn.marks_us["speech_started"] == pytest.approx(-1_500_000, abs=40_000)


async def test_ringing_counts_neither_as_idleness_nor_against_the_longest_call():
    settings = SessionSettings(
        idle=IdlePolicy(after_s=8.0), session_s=30.0, expiry_farewell="Goodbye now.", expiry_farewell_s=5.0
    )
    hands = Stagehands(line=telephone(is_ringing=True), settings=settings)
    async with conversation(hands) as talk:
        await anyio.sleep(60.0)
        assert talk.line.events == []
        talk.line.answer()
        await talk.caller.is_silent(7.9)
        assert talk.said() == []
        await talk.caller.is_silent(1.0)
        assert talk.session.floor is Floor.AGENT
        await anyio.lowlevel.checkpoint()


async def test_the_longest_call_is_reckoned_from_the_answer():
    settings = SessionSettings(session_s=30.0, expiry_farewell="Goodbye now.", expiry_farewell_s=5.0)
    hands = Stagehands(line=telephone(is_ringing=True), settings=settings)
    async with conversation(hands) as talk:
        await anyio.sleep(60.0)
        talk.line.answer()
        await talk.caller.is_silent(24.9)
        assert talk.said() == []
        await talk.caller.is_silent(4.0)
        assert talk.said() == [("agent", "Goodbye now.")]
    assert talk.line.ended is EndReason.EXPIRED


async def test_a_call_that_is_answered_before_the_session_runs_is_greeted_all_the_same():
    hands = Stagehands(line=telephone(is_ringing=True), settings=TELEPHONE)
    session = Session(hands.line, hands.providers(), hands.settings, LoopClock())
    hands.line.conversation = session
    hands.line.answer()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        await anyio.sleep(4.0)
        session.hang_up()
    assert [turn.heard_text for turn in hands.line.turns()] == [GREETING]


async def test_a_call_without_a_greeting_waits_for_the_person():
    hands = Stagehands(line=telephone(is_ringing=True), model=ScriptedModel(["At nine."]))
    async with conversation(hands, "when do you open") as talk:
        await anyio.sleep(1.0)
        talk.line.answer()
        assert talk.session.floor is Floor.OPEN
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3.0)
    assert talk.said() == [("user", "when do you open"), ("agent", "At nine.")]


async def test_a_greeting_by_the_model_is_made_while_it_rings_from_what_is_known_of_the_call():
    """Nothing of it is paid for when it is answered, and the model is not asked again."""
    settings = SessionSettings(instructions="Be brief.", greeting_instructions="Say why you call.")
    hands = Stagehands(
        line=telephone(is_ringing=True),
        settings=settings,
        model=ScriptedModel(["Your book is here.", "Until six."], first_word_s=0.4),
        voice=ScriptedVoice(first_audio_s=0.2),
    )
    hands.recogniser.script = [Utterance("when do you close")]
    session = Session(hands.line, hands.providers(), settings, LoopClock())
    hands.line.conversation = session
    assert session.add_message(Role.SYSTEM, "The call is about a book.", "item_1")
    caller = Caller(session, PCMU_8K)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.run)
        await anyio.sleep(3.0)
        hands.line.answer()
        assert hands.line.plays
        await caller.is_silent(3.0)
        await caller.speaks(1.5)
        await caller.is_silent(3.0)
        session.hang_up()
    greeting, _ = hands.line.turns()
    assert (greeting.heard_text, greeting.response_us) == ("Your book is here.", 0)
    assert [m.text for m in session.context.messages] == [
        "The call is about a book.",
        "Your book is here.",
        "when do you close",
        "Until six.",
    ]
    first, second = hands.model.requests
    assert first.instructions == "Be brief.\n\nSay why you call."
    assert [m.text for m in first.messages] == [
        "The call is about a book.",
        "(The person has just been connected.)",
    ]
    assert second.instructions == "Be brief."
    assert "(The person has just been connected.)" not in [m.text for m in second.messages]


async def test_a_greeting_by_the_model_is_the_first_thing_a_browser_hears_too():
    settings = SessionSettings(greeting_instructions="Say hello.")
    hands = Stagehands(settings=settings, model=ScriptedModel(["Hello there."]))
    async with conversation(hands) as talk:
        await talk.caller.is_silent(3.0)
    assert talk.said() == [("agent", "Hello there.")]


async def test_a_model_that_has_nothing_to_say_for_a_greeting_says_nothing_before_the_answer_either():
    settings = SessionSettings(greeting_instructions="Be silent.")
    hands = Stagehands(
        line=telephone(is_ringing=True), settings=settings, model=ScriptedModel(["", "At nine."])
    )
    async with conversation(hands, "when do you open") as talk:
        await anyio.sleep(3.0)
        assert talk.line.events == []
        talk.line.answer()
        await talk.caller.speaks(1.5)
        await talk.caller.is_silent(3.0)
    assert [turn.status for turn in talk.line.turns()] == [TurnStatus.COMPLETED] * 2
    assert talk.line.turns()[1].heard_text == "At nine."

"""A person on a telephone, and how a call with them is measured: no clock, no network."""

import msgspec
import numpy as np
import pytest

from warmline.errors import InvalidTransition
from warmline.simulators.telephone.caller import Caller, Utterance
from warmline.simulators.telephone.line import Stretch
from warmline.simulators.telephone.measuring import measured_turns
from warmline.simulators.telephone.placing import Callee, PlacedCall
from warmline.simulators.telephone.sound import SoundMeter, speech_span_s
from warmline.simulators.telephone.states import CallEvent, CallState, next_state
from warmline.simulators.telephone.steps import (
    HangUp,
    Interrupt,
    Press,
    Say,
    Stay,
    Wait,
    WaitForReply,
)

pytestmark = pytest.mark.unit

HELLO = Say(text="Hello.")


def tone(seconds, level=4000):
    return np.full(round(seconds * 8000), level, np.int16).tobytes()


def silence(seconds):
    return tone(seconds, 0)


def heard(*spans, until=None):
    """Return what is noted of somebody who is audible from, until, from, until."""
    meter = SoundMeter()
    end = 0.0
    for from_s, until_s in spans:
        meter.update(silence(from_s - end) + tone(until_s - from_s))
        end = until_s
    if until is not None:
        meter.update(silence(until - end))
    return meter


class Conversation:
    """A caller, and an agent who speaks at times that are given."""

    def __init__(self, *steps, recording=None, agent=(), **options):
        self.meter = SoundMeter()
        said = recording or silence(0.1) + tone(0.3) + silence(0.1)
        recordings = {step: said for step in steps if isinstance(step, Say)}
        self.caller = Caller(steps, recordings, self.meter, **options)
        self.agent = agent
        self.sent = bytearray()
        self.pressed = []
        self.hung_up_s = None

    def last(self, seconds):
        for tick in range(round(seconds * 50)):
            now_s = tick * 0.02
            act = self.caller.next()
            if act.hangs_up:
                self.hung_up_s = round(now_s, 3)
                break
            self.sent += act.pcm
            if act.pressed:
                self.pressed.append((round(now_s, 3), act.pressed))
            is_speaking = any(from_s <= now_s < until_s for from_s, until_s in self.agent)
            self.meter.update(tone(0.02) if is_speaking else silence(0.02))
        return self


def test_a_telephone_never_stops_sending():
    talk = Conversation(Wait(wait_s=0.5), HELLO, Stay()).last(2)
    assert len(talk.sent) == 2 * 2 * 8000
    assert talk.hung_up_s is None
    assert np.flatnonzero(np.frombuffer(bytes(talk.sent), np.int16))[[0, -1]].tolist() == [4800, 7199]
    (utterance,) = talk.caller.utterances
    assert (utterance.began_s, utterance.ended_s, utterance.said) == (0.6, 0.9, "Hello.")


def test_who_waits_for_a_reply_waits_until_it_is_over():
    """A pause inside the reply is shorter than the silence that is waited for."""
    talk = Conversation(HELLO, WaitForReply(silence_ms=400), HangUp(), agent=[(1, 1.5), (1.8, 2.4)]).last(5)
    assert talk.hung_up_s == pytest.approx(2.8, abs=0.03)


def test_who_waits_for_a_reply_that_does_not_come_goes_on():
    assert Conversation(HELLO, WaitForReply(within_s=1), HangUp()).last(5).hung_up_s == 1.5


def test_a_greeting_is_no_reply_to_what_is_said_after_it():
    talk = Conversation(
        WaitForReply(silence_ms=200), HELLO, WaitForReply(silence_ms=200), agent=[(0, 0.5), (2, 2.5)]
    ).last(5)
    assert [round(u.began_s, 2) for u in talk.caller.utterances] == [pytest.approx(0.8, abs=0.03)]
    assert talk.hung_up_s == pytest.approx(2.7, abs=0.03)


def test_who_interrupts_does_so_so_far_into_the_agents_speech():
    talk = Conversation(
        HELLO, Interrupt(text="Stop.", after_ms=300), Stay(), agent=[(1, 1.4)], recording=tone(0.2)
    ).last(3)
    first, second = talk.caller.utterances
    assert (first.was_interruption, second.was_interruption) == (False, True)
    assert second.began_s == pytest.approx(1.3, abs=0.021)


def test_who_is_to_interrupt_an_agent_that_says_nothing_speaks_all_the_same():
    talk = Conversation(Interrupt(text="Hello?", within_s=0.6), Stay()).last(2)
    (only,) = talk.caller.utterances
    assert (only.began_s, only.was_interruption) == (pytest.approx(0.7), False)


def test_keys_are_pressed_one_after_another():
    talk = Conversation(Press(digits="1*#", each_ms=200), HangUp()).last(2)
    assert talk.pressed == [(0.0, "1"), (0.2, "*"), (0.4, "#")]
    assert talk.hung_up_s == 0.6


@pytest.mark.parametrize(("gives_up", "at_s"), [("speaking", 0.4), ("replying", 1.3)])
def test_a_caller_hangs_up_within_somebodys_speech(gives_up, at_s):
    recording = silence(0.1) + tone(0.7)
    talk = Conversation(HELLO, Stay(), recording=recording, agent=[(1, 2)], gives_up=gives_up).last(3)
    assert talk.hung_up_s == pytest.approx(at_s, abs=0.021)


def test_speech_is_where_a_recording_is_louder_than_its_room():
    room = (np.random.default_rng(1).normal(0, 150, 16_000)).astype(np.int16)
    room[4000:8000] += (6000 * np.sin(np.arange(4000) / 3)).astype(np.int16)
    began_s, ended_s = speech_span_s(room.tobytes())
    assert [began_s, ended_s] == pytest.approx([0.5, 1.0], abs=0.006)
    assert speech_span_s(silence(0.3)) == (0.0, 0.3)


def test_sounds_are_noted_whatever_pieces_they_come_in():
    pcm = silence(0.3) + tone(0.2) + silence(0.05) + tone(0.1) + silence(0.4) + tone(0.1)
    whole, pieces = SoundMeter(), SoundMeter()
    whole.update(pcm)
    for begin in range(0, len(pcm), 34):
        pieces.update(pcm[begin : begin + 34])
    assert whole.sounds == pieces.sounds == [(0.3, 0.65), (1.05, 1.15)]
    assert whole.onset_after_s(0.31, apart_s=0.2) == 1.05
    assert whole.onset_after_s(0.31, apart_s=0.5) is None


def test_a_turn_is_measured_from_the_last_sample_said_to_the_first_one_heard():
    said = Utterance(said="When?", began_s=2.0, ended_s=2.6)
    agent = heard((0.4, 1.0), (3.35, 4.0), (4.5, 5.0))
    stretches = [
        Stretch(started_s=0.3, ended_s=1.1),
        Stretch(started_s=3.3, ended_s=4.1),
        Stretch(started_s=4.4, ended_s=5.1, is_underrun=True),
    ]
    greeting, turn = measured_turns([said], agent, stretches)
    assert (greeting.said, greeting.response_ms, greeting.reply_ended_s) == ("", 400.0, 1.0)
    assert (greeting.underruns, greeting.silenced_after_ms) == (0, None)
    assert (turn.response_ms, turn.reply_began_s, turn.reply_ended_s) == (750.0, 3.35, 5.0)
    assert (turn.longest_silence_ms, turn.longest_gap_ms, turn.underruns) == (500.0, 300.0, 1)
    assert (turn.cut_ins, turn.was_interruption) == (0, False)
    assert msgspec.json.decode(msgspec.json.encode(turn))["response_ms"] == 750.0


def test_an_interruption_is_measured_from_its_first_sample_to_silence():
    """A pause for breath of the agent's is no silence."""
    stop = Utterance(said="Stop.", began_s=2.0, ended_s=2.5, was_interruption=True)
    _, turn = measured_turns([stop], heard((1.0, 2.1), (2.3, 2.45), (3.0, 3.5)), [])
    assert turn.silenced_after_ms == 450.0
    assert turn.response_ms == 500.0
    _, ignored = measured_turns([stop], heard((1.0, 4.0)), [])
    assert (ignored.silenced_after_ms, ignored.response_ms) == (2000.0, None)


def test_an_agent_that_does_not_let_the_caller_finish_has_answered_too_early():
    said = Utterance(said="I would", began_s=1.0, ended_s=2.0)
    _, cut_off, and_again = (
        *measured_turns([said], heard((1.8, 3.0)), []),
        measured_turns([said], heard((1.3, 1.5), (2.4, 3.0)), [])[1],
    )
    assert (cut_off.response_ms, cut_off.cut_ins) == (-200.0, 1)
    assert (and_again.response_ms, and_again.cut_ins) == (400.0, 1)


def test_no_reply_is_no_figure():
    _, turn = measured_turns([Utterance(said="Hello?", began_s=0.0, ended_s=0.5)], heard(until=9.0), [])
    assert (turn.response_ms, turn.reply_began_s, turn.longest_silence_ms) == (None, None, 0.0)


def test_a_script_is_json():
    steps = [
        {"step": "wait_for_reply", "silence_ms": 500},
        {"step": "say", "text": "When are you open?"},
        {"step": "interrupt", "audio": "AAAA", "after_ms": 700},
        {"step": "press", "digits": "12#"},
        {"step": "wait", "wait_s": 1},
        {"step": "hang_up"},
    ]
    placed = msgspec.convert(
        {"webhook_url": "http://x", "from": "+1", "caller": steps, "faults": {"hang_up_at": "replying"}},
        PlacedCall,
    )
    assert placed.caller == (
        WaitForReply(silence_ms=500),
        Say(text="When are you open?"),
        Interrupt(audio=b"\0\0\0", after_ms=700),
        Press(digits="12#"),
        Wait(wait_s=1),
        HangUp(),
    )
    assert msgspec.json.decode(msgspec.json.encode(placed), type=PlacedCall) == placed


@pytest.mark.parametrize(
    "wrong",
    [
        {"caller": [{"step": "say"}]},
        {"caller": [{"step": "say", "text": "a", "recording": "b.wav"}]},
        {"caller": [{"step": "sing"}]},
        {"caller": [{"step": "press", "digits": "1a"}]},
        {"faults": {"hang_up_at": "lunch"}},
        {"start_order": ["answered", "socket"]},
        {"codec": "OPUS"},
        {"extra": 1},
    ],
)
def test_what_no_script_can_say_is_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"webhook_url": "http://x", **wrong}, PlacedCall)


def test_a_callee_answers_unless_told_otherwise():
    assert Callee().answer == "answered"


@pytest.mark.parametrize("state", list(CallState))
@pytest.mark.parametrize("event", list(CallEvent))
def test_every_pair_of_state_and_event_is_in_the_table_or_refused(state, event):
    allowed = {
        (CallState.RINGING, CallEvent.ANSWERED): CallState.ANSWERED,
        (CallState.RINGING, CallEvent.HUNG_UP): CallState.ENDED,
        (CallState.ANSWERED, CallEvent.HUNG_UP): CallState.ENDED,
    }
    if (state, event) in allowed:
        assert next_state(state, event) is allowed[state, event]
    else:
        with pytest.raises(InvalidTransition):
            next_state(state, event)

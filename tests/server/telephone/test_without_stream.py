"""Calls for which no media stream comes, on the jumping clock: the network listens, and plays files."""

from contextlib import asynccontextmanager

import anyio
import pytest

from tests.server.telephone.house import BASE, INCOMING, house
from warmline.channels.telephone.lifecycle import CallEvent, CallState
from warmline.interfaces.llm import Role
from warmline.server.telephone.machines import MachinePolicy
from warmline.session.settings import SessionSettings
from warmline.testing.scripted import ScriptedModel, ScriptedVoice
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

GREETING = "Hello, this is the library."
"""Five words of 300 ms."""

ANSWER = "It is open on Monday until noon, and on Tuesday it is open until six in the evening."
"""Eighteen words: 5.4 s."""


@asynccontextmanager
async def without_stream(*replies, greeting=GREETING, voice=None, **options):
    """A call whose stream failed three times, and whose greeting begins to be played."""
    settings = SessionSettings(greeting=greeting, playout_lead_s=0.4)
    model = ScriptedModel(replies or (ANSWER,))
    async with house(settings=settings, model=model, voice=voice, **options) as there:
        call = there.rings()
        await anyio.sleep(0.1)
        call.happened(CallEvent.ANSWERED)
        for _ in range(3):
            call.happened(CallEvent.STREAM_FAILED)
            await anyio.sleep(0.1)
        assert call.state is CallState.WITHOUT_STREAM
        yield there, call
        there.calls.hung_up("scripted", INCOMING.network_id, by="caller", reason="")
        await anyio.sleep(0.1)
        assert there.calls.live == []


def said(call):
    names = {Role.USER: "caller", Role.ASSISTANT: "agent"}
    return [(names[each.role], each.text) for each in call.session.context.messages]


async def test_a_whole_conversation_is_held_over_files_and_words():
    """The same session goes on: its greeting, an answer, one that is interrupted, and the goodbye."""
    async with without_stream(ANSWER, ANSWER, "Yes, at nine.") as (there, call):
        session = call.session
        assert there.network.done[-2:] == ["transcribe", "play"]
        await anyio.sleep(3.0)
        assert there.network.heard_s() == pytest.approx(1.5)
        call.heard("when do", is_final=False)
        call.heard("when do you open", is_final=True)
        await anyio.sleep(8.0)
        assert there.network.heard_s() == pytest.approx(1.5 + 5.4)
        call.heard("and after that", is_final=True)
        await anyio.sleep(3.0)
        call.heard("and on", is_final=False)
        await anyio.sleep(0.2)
        interrupted_s = there.network.heard_s()
        await anyio.sleep(0.5)
        assert there.network.heard_s() == interrupted_s
        call.heard("and on wednesday", is_final=True)
        await anyio.sleep(4.0)
        assert said(call) == [
            ("agent", GREETING),
            ("caller", "when do you open"),
            ("agent", ANSWER),
            ("caller", "and after that"),
            # 3 s, less 20 ms for the command and 100 ms for being told: the tenth word was half heard.
            ("agent", "It is open on Monday until noon, and on Tuesday"),
            ("caller", "and on wednesday"),
            ("agent", "Yes, at nine."),
        ]
        assert call.session is session
        record = call.record
        assert (record.streams, record.without_stream, record.state) == (0, True, "without stream")
        assert (record.figures.turns, record.figures.interrupted) == (3, 1)
        assert record.figures.underruns == 0
    assert there.network.done.count("stop playing") == 1
    assert there.calls.over[0].without_stream


async def test_an_answer_is_a_short_file_first_and_then_what_came_meanwhile():
    """In order, and without a silence between."""
    async with without_stream(greeting="") as (there, call):
        call.heard("when do you open", is_final=True)
        await anyio.sleep(8.0)
        lengths = [round(file.ends_s - file.begins_s, 2) for file in there.network.files]
        assert lengths[0] == pytest.approx(0.6, abs=0.1)
        assert lengths[1] > 3.0
        assert sum(lengths) == pytest.approx(5.4)
        assert set(there.network.gaps_s()) == {0.0}


async def test_a_voice_that_is_barely_faster_than_speech_makes_more_files_and_few_gaps():
    """Each file is what was made while the one in front of it was played."""
    async with without_stream(greeting="", voice=ScriptedVoice(chunk_s=0.09)) as (there, call):
        call.heard("when do you open", is_final=True)
        await anyio.sleep(10.0)
        assert there.network.heard_s() == pytest.approx(5.4)
        assert len(there.network.files) > 3
        assert sum(gap > 0 for gap in there.network.gaps_s()) <= 1


@pytest.mark.parametrize(
    ("speed", "gathered_s"),
    [(float("inf"), 0.0), (10.0, 0.05), (3.0, 0.167), (1.5, 0.333)],
)
async def test_the_first_sound_is_later_than_a_streams_by_the_gathering_and_a_command(speed, gathered_s):
    """0.6 s of sound have to be made, of which the first 0.1 s would leave on a stream at once."""
    voice = ScriptedVoice(first_audio_s=0.2, chunk_s=0.1 / speed)
    async with without_stream(greeting="", voice=voice) as (there, call):
        there.network.answer_s = 0.1
        asked_s = LoopClock().now_s()
        call.heard("when do you open", is_final=True)
        await anyio.sleep(8.0)
        first_s = there.network.files[0].begins_s - asked_s
        assert first_s == pytest.approx(0.2 + gathered_s + 0.1, abs=0.002)
        assert set(there.network.gaps_s()) == {0.0}
        far = there.connects()
        far.starts()
        asked_s = LoopClock().now_s()
        call.session.receive_text("when do you open")
        await anyio.sleep(8.0)
        assert far.first_sound_s - asked_s == pytest.approx(0.2, abs=0.002)


async def test_what_is_known_to_have_been_heard_is_what_was_played():
    """To a frame, less the time that it takes to be told."""
    async with without_stream(greeting="") as (there, call):
        there.network.tell_s = 0.0
        there.network.answer_s = 0.0
        call.heard("when do you open", is_final=True)
        await anyio.sleep(2.05)
        call.heard("stop", is_final=False)
        heard_s = there.network.heard_s()
        await anyio.sleep(0.1)
        assert heard_s == pytest.approx(2.05)
        assert said(call)[-1] == (
            "agent",
            "It is open on Monday until noon,",
        )  # whose last word ends at 2.1 s


async def test_words_that_are_not_final_silence_nobody_who_is_silent():
    async with without_stream() as (there, call):
        await anyio.sleep(3.0)
        call.heard("hm", is_final=False)
        call.heard("  ", is_final=True)
        await anyio.sleep(1.0)
        assert said(call) == [("agent", GREETING)]
        assert "stop playing" not in there.network.done


async def test_keys_that_the_network_tells_of_are_collected_as_a_streams_are():
    async with without_stream("Good.") as (_there, call):
        await anyio.sleep(3.0)
        for digit in "12#":
            call.without_stream.pressed(digit)
        await anyio.sleep(1.0)
        assert said(call)[1] == ("caller", "Keys pressed: 1 2")


async def test_a_stream_that_comes_after_all_takes_over_where_the_files_are():
    """The caller hears each word once, but for what the network had not told yet."""
    async with without_stream(ANSWER) as (there, call):
        await anyio.sleep(3.0)
        call.heard("when do you open", is_final=True)
        await anyio.sleep(2.0)
        far = there.connects()
        heard_s = there.network.heard_s() - 1.5
        await anyio.sleep(0.0)
        assert there.network.heard_s() > 0
        far.starts()
        assert call.state is CallState.TALKING
        await anyio.sleep(0.2)
        assert there.network.done[-2:] == ["stop playing", "transcribe"]
        assert there.network.commands[-1] == ("transcribe", "False")
        files_s = there.network.heard_s()
        call.heard("an echo", is_final=True)
        call.without_stream.pressed("1")
        await anyio.sleep(6.0)
        assert there.network.heard_s() == files_s
        # What was told lags by the webhook and by a mark's distance.
        assert far.heard_s == pytest.approx(5.4 - heard_s, abs=0.35)
        assert said(call)[-1] == ("agent", ANSWER)
        assert (call.record.streams, call.record.without_stream) == (1, True)


async def test_a_socket_on_which_no_stream_starts_disturbs_no_file():
    async with without_stream(ANSWER) as (there, call):
        await anyio.sleep(3.0)
        call.heard("when do you open", is_final=True)
        await anyio.sleep(1.0)
        there.connects().lost()
        await anyio.sleep(7.0)
        assert call.state is CallState.WITHOUT_STREAM
        assert there.network.heard_s() == pytest.approx(1.5 + 5.4)


async def test_a_stream_that_came_late_and_breaks_gives_the_call_back_to_files():
    async with without_stream(ANSWER) as (there, call):
        await anyio.sleep(3.0)
        far = there.connects()
        far.starts()
        await anyio.sleep(0.5)
        far.lost()
        await anyio.sleep(2.0)
        assert call.state is CallState.WITHOUT_STREAM
        call.heard("when do you open", is_final=True)
        await anyio.sleep(7.0)
        assert said(call)[-1] == ("agent", ANSWER)


@pytest.mark.parametrize("refused", ["play", "stop playing"])
async def test_a_command_that_fails_ends_the_call(refused):
    """A caller who hears nothing, or can't be silenced for, is better hung up on."""
    async with without_stream() as (there, call):
        there.network.fails.add(refused)
        await anyio.sleep(0.5)
        call.heard("when", is_final=False)
        call.heard("when do you open", is_final=True)
        await anyio.sleep(1.0)
        assert there.network.done[-1] == "hang up"
        assert call.ended_by == "server"
        assert f"{refused} is refused" in call.reason


async def test_a_file_that_can_not_be_played_ends_the_call():
    async with without_stream() as (there, call):
        call.without_stream.file_ended(there.network.files[0].state, "failed")
        await anyio.sleep(0.5)
        assert (call.ended_by, call.reason) == ("server", "a file was not played: failed")


async def test_a_network_that_tells_nothing_of_its_files_is_reckoned_with():
    """The conversation goes on; what is told of an old file is no news of another."""
    async with without_stream(ANSWER) as (there, call):
        there.network.tell_s = 1e6
        await anyio.sleep(30.0)
        call.heard("when do you open", is_final=True)
        call.without_stream.file_ended("files 1", "completed")
        await anyio.sleep(40.0)
        assert there.network.heard_s() == pytest.approx(1.5 + 5.4)


async def test_on_hold_nobody_is_heard():
    async with without_stream() as (there, call):
        call.hold(is_on=True)
        await anyio.sleep(0.5)
        heard_s = there.network.heard_s()
        call.heard("when do you open", is_final=True)
        await anyio.sleep(3.0)
        assert there.network.heard_s() == heard_s
        call.hold(is_on=False)
        call.heard("when do you open", is_final=True)
        await anyio.sleep(8.0)
        assert said(call)[-1] == ("agent", ANSWER)


async def test_who_is_handed_over_is_listened_to_no_more():
    async with without_stream() as (there, call):
        await anyio.sleep(0.5)
        await call.transfer("+4930200")
        await anyio.sleep(0.5)
        assert there.network.commands[-3:] == [
            ("transfer", "+4930200"),
            ("stop playing",),
            ("transcribe", "False"),
        ]


@pytest.mark.parametrize(("result", "is_human"), [("human", True), ("machine", False)])
async def test_who_answered_a_call_of_ours_is_found_out_without_a_stream_too(result, is_human):
    """A person is greeted, and a machine is left a message after its tone."""
    settings = SessionSettings(greeting=GREETING, playout_lead_s=0.4)
    async with house(settings=settings, public_url=BASE, machines=MachinePolicy("Call us.")) as there:
        record = await there.calls.dial("+4915550002")
        call = there.calls.find(record.id)
        call.happened(CallEvent.ANSWERED)
        for _ in range(3):
            call.happened(CallEvent.STREAM_FAILED)
            await anyio.sleep(0.1)
        assert call.state is CallState.WITHOUT_STREAM
        call.heard("hello?", is_final=True)
        assert there.network.heard_s() == 0
        call.answered_by(result, is_human=is_human)
        if not is_human:
            await anyio.sleep(3.0)
            assert there.network.heard_s() == 0
            call.machine_is_ready()
        await anyio.sleep(3.0)
        assert there.network.heard_s() == pytest.approx(1.5 if is_human else 0.6)
        assert said(call) == [("agent", GREETING if is_human else "Call us.")]
        assert (call.state is CallState.WITHOUT_STREAM) == is_human

"""Calls on the jumping clock: a network in memory, whole sessions, every order of events."""

import json
from dataclasses import replace

import anyio
import pytest

from tests.server.telephone.house import BASE, INCOMING, house
from warmline.channels.telephone.admission import AdmissionPolicy
from warmline.channels.telephone.lifecycle import CallEvent, CallState
from warmline.errors import ConfigError, ProviderRejected, ToolError
from warmline.server.access import Refusal
from warmline.server.telephone.calls import NoRoom, NoSuchCall
from warmline.server.telephone.machines import MachinePolicy
from warmline.session.settings import SessionSettings

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


async def test_a_call_is_answered_talked_through_and_hung_up_on_by_the_caller():
    """While it rings its session begins; afterwards nothing of it is left but the record."""
    async with house() as there:
        call = there.rings()
        assert call.state is CallState.ANSWERING
        await anyio.sleep(0.5)
        assert there.network.commands == [("answer", "v3:one")]
        assert there.sessions.count == 1
        call.happened(CallEvent.ANSWERED)
        far = there.connects()
        far.starts()
        assert far.heard_s > 0  # the greeting, in the same call
        assert call.record.state == "talking"
        await anyio.sleep(3.0)
        far.stops()
        there.calls.hung_up("scripted", "v3:one", by="caller", reason="normal_clearing")
        await anyio.sleep(0.1)
        [record] = there.calls.over
        assert there.calls.live == []
        assert there.sessions.count == 0
        with pytest.raises(NoSuchCall):
            there.calls.find(call.id)
    assert (record.state, record.ended_by, record.reason) == ("ended", "caller", "normal_clearing")
    assert (record.caller, record.number, record.streams) == ("+4915550001", "+4930100", 1)
    assert record.talked_s == pytest.approx(3.0, abs=0.05)
    assert record.figures.greeting_ms is not None
    assert "hang up" not in there.network.done


async def test_everything_that_is_told_may_come_twice_and_in_any_order():
    async with house() as there:
        call = there.rings()
        assert there.rings() is call
        await anyio.sleep(0.1)
        far = there.connects()
        far.starts()
        call.happened(CallEvent.ANSWERED)
        call.happened(CallEvent.ANSWERED)
        assert call.state is CallState.TALKING
        there.calls.hung_up("scripted", "v3:one", by="caller", reason="")
        there.calls.hung_up("scripted", "v3:one", by="caller", reason="")
        far.stops()
        far.lost()
        await anyio.sleep(0.1)
        assert there.rings() is None  # told late
        assert there.network.done == ["answer"]
        there.calls.hung_up("scripted", "v3:two", by="caller", reason="")
        assert there.rings(replace(INCOMING, network_id="v3:two")) is None
        assert len(there.calls.over) == 1


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.03, 0.2])
async def test_whoever_hangs_up_while_it_rings_leaves_nothing(after_s):
    async with house() as there:
        there.rings()
        await anyio.sleep(after_s)
        there.calls.hung_up("scripted", "v3:one", by="caller", reason="originator_cancel")
        await anyio.sleep(0.2)
        assert there.sessions.count == 0
        [record] = there.calls.over
        assert record.answered_at == ""
        assert record.talked_s == 0


async def test_the_agent_hangs_up_when_its_session_is_over():
    async with house(
        settings=SessionSettings(greeting="Hello.", session_s=20.0, expiry_farewell="")
    ) as there:
        call = there.rings()
        await anyio.sleep(0.1)
        there.connects().starts()
        await anyio.sleep(21.0)
        assert there.network.commands[-1] == ("hang up", "v3:one")
        assert call.state is CallState.ENDING
        there.calls.hung_up("scripted", "v3:one", by="callee", reason="normal_clearing")
        await anyio.sleep(0.1)
        [record] = there.calls.over
        assert (record.ended_by, record.reason) == ("agent", "expired")


async def test_a_call_whose_end_the_network_keeps_to_itself_is_over_all_the_same():
    async with house() as there:
        call = there.rings()
        await anyio.sleep(0.1)
        there.connects().starts()
        call.hang_up("operator")
        await anyio.sleep(6.0)
        [record] = there.calls.over
        assert (record.ended_by, there.network.done) == ("operator", ["answer", "hang up"])


@pytest.mark.parametrize(
    ("policy", "text", "reason"),
    [
        ({"blocked": frozenset({"+4915550001"})}, "", "caller blocked"),
        ({"numbers": frozenset({"+4930999"})}, "", "number unknown"),
    ],
)
async def test_who_is_not_answered_costs_no_session(policy, text, reason):
    async with house(admission=AdmissionPolicy(**policy)) as there:
        call = there.rings()
        assert there.sessions.count == 0
        await anyio.sleep(0.1)
        assert there.network.commands == [("refuse", reason, text)]
        there.calls.hung_up("scripted", "v3:one", by="network", reason="")
        await anyio.sleep(0.1)
        assert there.calls.record(call.id).refusal == reason


async def test_a_call_too_many_is_busy_and_disturbs_nobody():
    async with house(most=1) as there:
        first = there.rings()
        second = there.rings(replace(INCOMING, network_id="v3:two"))
        await anyio.sleep(0.1)
        assert (first.admission.refusal, second.record.refusal) == (None, "full")
    async with house(most=1, public_url=BASE) as there:
        there.rings()
        with pytest.raises(NoRoom):
            await there.calls.dial("+4915550002")


async def test_a_place_is_good_for_one_stream_and_is_not_to_be_guessed():
    async with house() as there:
        there.rings()
        await anyio.sleep(0.1)
        assert isinstance(there.calls.accept("/scripted/media/guess", {}), Refusal)
        assert len(there.network.places[0].rsplit("/", 1)[-1]) >= 32
        there.connects()
        path = there.network.places[0].removeprefix("wss://voice.example.com")
        assert isinstance(there.calls.accept(path, {}), Refusal)


async def test_a_stream_that_breaks_is_asked_for_again_and_the_conversation_goes_on():
    async with house() as there:
        call = there.rings()
        await anyio.sleep(0.1)
        far = there.connects()
        far.starts()
        session = call.session
        far.lost()
        await anyio.sleep(1.5)
        assert there.network.done == ["answer", "stream again"]
        again = there.connects()
        again.starts()
        await anyio.sleep(0.2)
        assert again.heard_s > 0  # what was not heard of the greeting
        assert call.session is session
        assert (call.state, call.record.streams) == (CallState.TALKING, 2)
        there.calls.hung_up("scripted", "v3:one", by="caller", reason="")


async def test_a_stream_that_is_told_to_have_failed_is_asked_for_again_at_once():
    """The end of the call is waited for behind a stream that ended, and not behind one that never began."""
    async with house() as there:
        call = there.rings()
        await anyio.sleep(0.1)
        call.happened(CallEvent.STREAM_FAILED)
        await anyio.sleep(0.05)
        assert there.network.done == ["answer", "stream again"]
        there.connects().starts()
        assert call.state is CallState.TALKING


async def test_a_stream_whose_loss_is_told_twice_is_asked_for_once():
    """By its socket, and by the network."""
    async with house() as there:
        call = there.rings()
        await anyio.sleep(0.1)
        far = there.connects()
        far.starts()
        far.lost()
        await anyio.sleep(0.2)
        call.happened(CallEvent.STREAM_FAILED)
        await anyio.sleep(1.5)
        assert there.network.done == ["answer", "stream again"]
        there.connects().starts()
        assert (call.state, call.record.streams) == (CallState.TALKING, 2)


async def test_a_stream_that_never_comes_is_given_up_where_the_network_can_do_no_more():
    async with house() as there:
        there.network.fails.add("transcribe")
        call = there.rings()
        await anyio.sleep(0.1)
        call.happened(CallEvent.ANSWERED)
        await anyio.sleep(60.0)
        assert there.network.done == ["answer", "stream again", "stream again", "transcribe", "hang up"]
        record = there.calls.record(call.id)
        assert (record.reason, record.without_stream) == ("no media stream", False)


async def test_a_command_that_is_refused_ends_the_call():
    async with house() as there:
        there.network.fails.add("answer")
        call = there.rings()
        await anyio.sleep(0.2)
        assert "answer is refused" in there.calls.record(call.id).reason
        assert there.sessions.count == 0


async def test_a_caller_who_is_handed_over_is_left_to_talk():
    async with house() as there:
        call = there.rings()
        await anyio.sleep(0.1)
        far = there.connects()
        far.starts()
        await call.transfer("+4930200")
        await anyio.sleep(0.1)
        assert there.sessions.count == 0
        far.lost()
        await anyio.sleep(10.0)
        assert there.network.done == ["answer", "transfer"]
        assert there.calls.live[0].state == "handed over"
        there.calls.hung_up("scripted", "v3:one", by="caller", reason="")
        await anyio.sleep(0.1)
        assert there.calls.over[0].ended_by == "agent"


async def test_what_the_network_refuses_is_told_and_the_call_goes_on():
    async with house() as there:
        call = there.rings()
        await anyio.sleep(0.1)
        there.connects().starts()
        there.network.fails |= {"transfer", "keys"}
        with pytest.raises(ToolError, match="transfer is refused"):
            await call.transfer("+4930200")
        with pytest.raises(ToolError):
            await call.send_dtmf("1")
        await call.set_recording(is_on=True)
        assert call.state is CallState.TALKING


async def test_a_call_on_hold_is_neither_heard_nor_spoken_to():
    async with house() as there:
        call = there.rings()
        await anyio.sleep(0.1)
        far = there.connects()
        far.starts()
        await anyio.sleep(0.2)
        call.hold(is_on=True)
        heard_s = far.heard_s
        await anyio.sleep(5.0)
        assert far.heard_s == heard_s
        assert not call.session.turns.detects_turns
        call.hold(is_on=False)
        assert call.session.turns.detects_turns


async def test_a_call_of_ours_is_made_and_its_greeting_waits_for_the_answer():
    async with house(public_url=BASE) as there:
        record = await there.calls.dial("+4915550002", greeting="It is I.", metadata="order 7")
        assert (record.direction, record.caller, record.state) == ("outgoing", "+4930100", "dialling")
        call = there.calls.find(record.id)
        await anyio.sleep(5.0)
        far = there.connects()
        far.starts("v3:out")
        assert far.heard_s > 0
        call.happened(CallEvent.ANSWERED)
        there.calls.hung_up("scripted", "v3:out", by="callee", reason="normal_clearing")
        await anyio.sleep(0.1)
        [over] = there.calls.over
        assert (over.metadata, over.ended_by) == ("order 7", "callee")


@pytest.mark.parametrize(("network", "told"), [("", "public_url"), ("pigeon", "pigeon")])
async def test_a_call_that_cannot_be_made_says_what_to_set(network, told):
    async with house() as there:
        with pytest.raises(ConfigError, match=told):
            await there.calls.dial("+4915550002", network=network)


async def test_a_number_that_the_network_refuses_leaves_nothing():
    async with house(public_url=BASE) as there:
        there.network.fails.add("dial")
        with pytest.raises(ProviderRejected):
            await there.calls.dial("+4915550002")
        await anyio.sleep(0.1)
        assert there.sessions.count == 0
        assert there.calls.live == []


async def detected(there, result, *, after_s=2.0, is_human=False):
    """Return a call of ours on which it was found out who answered."""
    record = await there.calls.dial("+4915550002")
    call = there.calls.find(record.id)
    await anyio.sleep(3.0)
    far = there.connects()
    far.starts("v3:out")
    await anyio.sleep(after_s)
    assert far.heard_s == 0
    call.answered_by(result, is_human=is_human)
    return call, far


@pytest.mark.parametrize(("result", "is_human"), [("human", True), ("not_sure", False)])
async def test_a_person_is_greeted_when_it_is_known_that_it_is_one(result, is_human):
    async with house(public_url=BASE, machines=MachinePolicy()) as there:
        call, far = await detected(there, result, is_human=is_human)
        assert far.heard_s > 0
        assert call.record.machine == result
        await anyio.sleep(1.0)
        call.answered_by("machine", is_human=False)
        assert call.state is CallState.TALKING


async def test_who_answered_is_not_waited_for_in_vain():
    async with house(public_url=BASE, machines=MachinePolicy()) as there:
        record = await there.calls.dial("+4915550002")
        await anyio.sleep(1.0)
        far = there.connects()
        far.starts("v3:out")
        await anyio.sleep(5.5)
        assert far.heard_s > 0
        assert there.calls.record(record.id).machine == "not_sure"


async def test_a_machine_is_hung_up_on_without_a_word():
    async with house(public_url=BASE, machines=MachinePolicy()) as there:
        call, far = await detected(there, "machine")
        await anyio.sleep(0.5)
        assert there.network.done == ["dial", "hang up"]
        assert far.heard_s == 0
        assert (call.ended_by, call.reason) == ("agent", "machine")


async def test_a_message_is_left_after_the_tone_and_then_the_call_ends():
    message = "Please call the library."
    async with house(public_url=BASE, machines=MachinePolicy(message)) as there:
        call, far = await detected(there, "machine")
        await anyio.sleep(4.0)
        assert far.heard_s == 0
        call.machine_is_ready()
        await anyio.sleep(0.5)
        assert far.heard_s > 0
        await anyio.sleep(5.0)
        assert there.network.done == ["dial", "hang up"]
        assert call.session.context.messages[-1].text == message


async def test_a_server_that_stops_hangs_up_on_everybody():
    async with house() as there:
        there.rings()
        await anyio.sleep(0.1)
        there.connects().starts()
        await anyio.sleep(0.1)
    assert there.network.done == ["answer", "hang up"]
    assert there.calls.over[0].ended_by == "server"


async def test_a_record_is_a_line_of_json_without_a_word_of_the_call(tmp_path):
    path = tmp_path / "deep" / "calls.jsonl"
    async with house(records=path) as there:
        for name in ("v3:one", "v3:two"):
            there.rings(replace(INCOMING, network_id=name))
            there.calls.hung_up("scripted", name, by="caller", reason="")
        await anyio.sleep(0.1)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["network_id"] for line in lines] == ["v3:one", "v3:two"]
    assert "library" not in path.read_text()

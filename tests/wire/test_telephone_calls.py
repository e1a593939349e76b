"""Whole calls over real sockets: simulated networks ring, hear, talk, interrupt and hang up."""

import pytest

from tests.wire.telephone import ANSWER, HANGS_UP, LISTENS, SAYS, speech, telephone
from warmline.server.settings import PhoneTable

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.mark.parametrize("network", ["telnyx", "twilio"])
async def test_a_caller_is_answered_heard_and_told(network):
    """And what the server measured is what the caller's ear heard."""
    async with telephone("when do you open", network=network) as there:
        report = await there.call({"step": "wait", "wait_s": 0.5}, SAYS, LISTENS, HANGS_UP)
        _, turn = report["turns"]
        assert turn["underruns"] == 0
        assert 400 < turn["response_ms"] < 1_000
        assert report["ended_by"] == "person"
        assert not any(stream["errors"] for stream in report["streams"])
        record = await there.record()
    assert (record["state"], record["ended_by"], record["streams"]) == ("ended", "caller", 1)
    assert record["figures"]["turns"] == 1
    assert abs(record["figures"]["response_p50_ms"] - turn["response_ms"]) < 60


@pytest.mark.parametrize("network", ["telnyx", "twilio"])
async def test_an_interruption_is_silence_at_once(network):
    replies = (ANSWER * 3, "Yes?")
    async with telephone("when do you open", "no wait", replies=replies, network=network) as there:
        interrupts = {"step": "interrupt", "audio": speech(0.9), "after_ms": 900}
        report = await there.call(SAYS, interrupts, LISTENS, HANGS_UP)
        interruption = report["turns"][2]
        assert interruption["was_interruption"]
        assert interruption["silenced_after_ms"] < 400
        assert sum(stream["clears"] for stream in report["streams"]) >= 1
        assert (await there.record())["figures"]["interrupted"] == 1


@pytest.mark.parametrize(
    "faults",
    [
        {"duplicate_webhooks": True, "reorder_webhooks": True},
        {"duplicate_media": True, "reorder_media": True},
        {"codec": "PCMA"},
        {"codec": "L16/16000"},
        {"lose_stop": True},
        {"lose_hangup": True},
    ],
    ids=lambda faults: " ".join(faults),
)
async def test_a_network_at_its_worst_is_understood(faults):
    async with telephone("when do you open") as there:
        report = await there.call(SAYS, LISTENS, HANGS_UP, faults=faults)
        assert report["turns"][1]["response_ms"] is not None
        record = await there.record()
    assert (record["figures"]["turns"], record["state"]) == (1, "ended")


@pytest.mark.parametrize("faults", [{"forge_webhooks": True}, {"stale_webhooks": True}], ids=str)
async def test_a_network_that_is_none_begins_nothing(faults):
    async with telephone() as there:
        report = await there.call(SAYS, faults=faults, ring_s=1.5)
        assert report["answered_at_s"] is None
        assert report["commands"] == []
        assert await there.server.session_count() == 0


@pytest.mark.parametrize("moment", ["initiated", "answered", "streaming", "speaking", "replying"])
@pytest.mark.parametrize("network", ["telnyx", "twilio"])
async def test_hanging_up_at_any_moment_leaves_nothing(moment, network):
    async with telephone("when do you open", network=network) as there:
        await there.call(SAYS, LISTENS, faults={"hang_up_at": moment})
        assert (await there.record())["state"] == "ended"


async def test_a_conversation_without_a_media_stream():
    """It is held over files that the network plays, and over what it writes down."""
    asks = {"step": "say", "text": "When do you open?"}
    async with telephone(greeting="Hello, this is the library.") as there:
        report = await there.call(LISTENS, asks, LISTENS, HANGS_UP, faults={"streaming_failed": True})
        record = await there.record()
    greeting, turn = report["turns"]
    assert greeting["reply_began_s"] is not None
    assert turn["said"] == "When do you open?"
    assert turn["response_ms"] > 300
    assert [command["status"] for command in report["commands"]] == [200] * len(report["commands"])
    assert (record["state"], record["ended_by"]) == ("ended", "caller")
    assert (record["without_stream"], record["streams"]) == (True, 0)
    assert record["figures"]["turns"] == 1


async def test_the_agent_that_is_told_goodbye_hangs_up():
    async with telephone("goodbye") as there:
        report = await there.call(SAYS, {"step": "stay"})
        assert report["ended_by"] == "server"
        assert [command["name"] for command in report["commands"]][-1] == "hangup"
        assert (await there.record())["reason"] == "goodbye"


async def test_keys_are_a_turn():
    async with telephone() as there:
        report = await there.call({"step": "press", "digits": "12#"}, LISTENS, HANGS_UP)
        assert report["turns"][0]["reply_began_s"] is not None
        assert (await there.record())["figures"]["turns"] == 1


async def test_who_is_not_answered_hears_why():
    phone = PhoneTable(hours=("mon 00:00-00:01",), closed_text="We are closed.")
    async with telephone(phone=phone) as there:
        report = await there.call({"step": "stay"})
        assert [command["name"] for command in report["commands"]] == ["answer", "speak", "hangup"]
        assert report["turns"][0]["reply_began_s"] is not None
        assert (await there.record())["refusal"] == "closed"

"""Calls of ours over real sockets: who answers, who does not, machines, keys, recordings, somebody else."""

import anyio
import pytest

from tests.wire.telephone import LISTENS, SAYS, telephone
from warmline.server.settings import PhoneTable

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

STAYS = {"step": "stay"}


@pytest.mark.parametrize("network", ["telnyx", "twilio"])
async def test_somebody_who_is_called_can_talk(network):
    async with telephone("when do you open", phone=PhoneTable(machine="talk"), network=network) as there:
        record = await there.dial(SAYS, LISTENS, {"step": "hang_up"}, ring_s=0.3)
        assert (record["direction"], record["state"]) == ("outgoing", "dialling")
        report = await there.report()
        assert report["turns"][1]["response_ms"] is not None
        over = await there.record()
        assert (over["id"], over["figures"]["turns"], over["ended_by"]) == (record["id"], 1, "callee")
        await there.server.has_no_session()


@pytest.mark.parametrize("network", ["telnyx", "twilio"])
@pytest.mark.parametrize("answer", ["busy", "no_answer", "call_rejected"])
async def test_nobody_who_answers_costs_nothing(answer, network):
    async with telephone(network=network) as there:
        await there.dial(STAYS, answer=answer, ring_s=0.3)
        over = await there.record()
        assert (over["answered_at"], over["talked_s"], over["streams"]) == ("", 0, 0)
        assert over["reason"]
        await there.server.has_no_session()


async def test_a_machine_is_hung_up_on():
    async with telephone() as there:
        await there.dial(STAYS, detected="machine", ring_s=0.2, detect_s=0.5)
        report = await there.report()
        assert report["turns"][0]["reply_began_s"] is None
        over = await there.record()
        assert (over["machine"], over["ended_by"]) == ("machine", "agent")


async def test_a_message_is_left_on_a_machine():
    phone = PhoneTable(machine="leave_message", machine_text="Please call the library.")
    async with telephone(phone=phone) as there:
        await there.dial(STAYS, detected="machine", ring_s=0.2, detect_s=0.5)
        report = await there.report()
        assert report["turns"][0]["reply_began_s"] is not None
        over = await there.record()
        assert (over["machine"], over["ended_by"], over["reason"]) == ("machine", "agent", "goodbye")


async def test_a_call_is_recorded_put_on_hold_sent_keys_and_handed_over():
    async with telephone("when do you open", phone=PhoneTable(machine="talk")) as there:
        record = await there.dial(STAYS, ring_s=0.2)
        await there.until(record["id"], "talking")
        for what, body in (
            ("record", {"on": True}),
            ("dtmf", {"digits": "12#"}),
            ("hold", {"on": True}),
            ("hold", {"on": False}),
            ("record", {"on": False}),
            ("transfer", {"to": "+15550004444"}),
        ):
            answer = await there.ask(record["id"], what, **body)
            assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "handed over"
        await there.server.has_no_session()
        assert (await there.ask(record["id"], "dtmf", digits="1")).status_code == 502
        await there.ask(record["id"], "hangup")
        over = await there.record()
        assert over["reason"] == "transferred"
        await anyio.sleep(0.1)


async def test_a_server_that_stops_hangs_up():
    async with telephone("when do you open", phone=PhoneTable(machine="talk")) as there:
        record = await there.dial(STAYS, ring_s=0.2)
        await there.until(record["id"], "talking")
        there.server.stop()
        report = await there.report()
        assert report["ended_by"] == "server"

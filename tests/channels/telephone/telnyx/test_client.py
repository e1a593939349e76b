"""Commands on their way to Telnyx."""

import json
from typing import Any

import pytest

from tests.channels.telephone.answering import Answering
from warmline.channels.telephone.telnyx.client import TelnyxAnswer, TelnyxClient
from warmline.channels.telephone.telnyx.commands import dial, hangup
from warmline.errors import LineLost, NoAnswer, ProviderRejected, ProviderUnavailable
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

OK = b'{"data":{"result":"ok"}}'
OVER = b'{"errors":[{"code":"90018","title":"Call has already ended"}]}'
COMMAND = hangup("v3:abc", command_id="a")


def client(*script, **options) -> tuple[TelnyxClient, Answering]:
    far_end: Any = Answering(*script)
    return TelnyxClient(far_end, **options), far_end


async def test_a_command_that_is_taken_is_sent_once():
    """As almost all are."""
    telnyx, far_end = client((0.1, 200, OK))
    assert await telnyx.send(COMMAND) == TelnyxAnswer(data={"result": "ok"})
    assert len(far_end.requests) == 1


async def test_a_call_that_was_dialled_has_its_names():
    """Webhooks are about those."""
    data = {"call_control_id": "v3:x", "call_leg_id": "l", "call_session_id": "s", "is_alive": False}
    telnyx, _ = client((0, 200, json.dumps({"data": data}).encode()))
    answer = await telnyx.send(dial("+1", from_number="+2", connection_id="c", command_id="a"))
    assert (answer.call_control_id, answer.call_leg_id, answer.call_session_id) == ("v3:x", "l", "s")


@pytest.mark.parametrize("lost", [(0.05, LineLost("cut")), (0.05, 503, b"")])
async def test_a_command_is_sent_again_at_once_when_it_broke(lost):
    """Whether it arrived is not known; with the same id it is done once."""
    telnyx, far_end = client(lost, (0.05, 200, OK))
    await telnyx.send(COMMAND)
    (first_s, first), (second_s, second) = far_end.requests
    assert first == second
    assert second_s - first_s == pytest.approx(0.05)


async def test_a_command_is_sent_again_when_no_answer_comes():
    """Beside the first, whose answer may still be on its way."""
    telnyx, far_end = client((9, 200, OK), (0.1, 200, OK))
    await telnyx.send(COMMAND)
    assert [at_s - far_end.requests[0][0] for at_s, _ in far_end.requests] == pytest.approx([0, 0.5])
    assert far_end.cancelled == 1


async def test_a_late_answer_to_the_first_counts():
    """A dialled call's names come with it."""
    telnyx, far_end = client((0.7, 200, b'{"data":{"call_control_id":"first"}}'), (9, 200, OK))
    assert (await telnyx.send(COMMAND)).call_control_id == "first"
    assert far_end.cancelled == 1


async def test_three_tries_are_enough():
    """Then somebody has to be told."""
    telnyx, far_end = client((0, LineLost("cut")), (0, 500, b""), (0, LineLost("cut again")))
    with pytest.raises(ProviderUnavailable, match="hangup at Telnyx: cut again"):
        await telnyx.send(COMMAND)
    assert len(far_end.requests) == 3


async def test_no_answer_at_all_is_waited_for_so_long_and_no_longer():
    """A person hears nothing meanwhile."""
    telnyx, far_end = client(*[(99, 200, OK)] * 3, give_up_s=4)
    began_s = LoopClock().now_s()
    with pytest.raises(ProviderUnavailable, match="no answer came within 4 s"):
        await telnyx.send(COMMAND)
    assert LoopClock().now_s() - began_s == pytest.approx(4)
    assert len(far_end.requests) == far_end.cancelled == 3


async def test_a_try_that_fails_late_does_not_end_one_that_may_succeed():
    """Two have failed, and one is under way."""
    telnyx, _ = client((0.6, NoAnswer("mute")), (0.3, LineLost("cut")), (1, 200, OK))
    assert await telnyx.send(COMMAND) == TelnyxAnswer(data={"result": "ok"})


async def test_a_refusal_is_not_asked_for_twice():
    """It would be refused again."""
    telnyx, far_end = client((0, 422, b'{"errors":[{"code":"10015","title":"Invalid parameter"}]}'))
    with pytest.raises(ProviderRejected, match="Invalid parameter"):
        await telnyx.send(COMMAND)
    assert len(far_end.requests) == 1


async def test_a_call_that_has_ended_is_no_failure():
    """Hanging up has succeeded, and for all else it is too late."""
    telnyx, _ = client((0, 422, OVER))
    assert await telnyx.send(COMMAND) == TelnyxAnswer(is_call_over=True)

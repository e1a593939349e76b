from __future__ import annotations

from collections.abc import AsyncIterator

import dns.message
import dns.rcode
import pytest

from warmline.core.clock import SystemClock
from warmline.pool.resolver import lookup_at
from warmline.simulators.dns import NameServer
from warmline.simulators.running import SUFFIX

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

CLOCK = SystemClock()


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with NameServer(SUFFIX, delay_ms=50) as names:
        yield names


async def test_its_own_names_are_this_machine_and_it_takes_its_time(names):
    began_s = CLOCK.now_s()
    assert await lookup_at(names.address)(f"openai.{SUFFIX}") == ["127.0.0.1"]
    assert 0.05 <= CLOCK.now_s() - began_s + 0.002 < 0.5
    assert names.asked >= 1


@pytest.mark.parametrize("name", ["example.com", f"not{SUFFIX}", f"{SUFFIX}.example.com"])
async def test_other_names_do_not_exist(names, name):
    with pytest.raises(OSError, match="does not exist"):
        await lookup_at(names.address)(name)


async def test_it_answers_questions_alone(names):
    question = dns.message.make_query(f"openai.{SUFFIX}", "AAAA")
    answer = dns.message.from_wire(names.answer(question.to_wire()) or b"")
    assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])
    assert names.answer(answer.to_wire()) is None
    assert names.answer(b"no question") is None

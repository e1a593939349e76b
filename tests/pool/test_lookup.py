"""Asking a name server, over UDP."""

import pytest

from warmline.core.clock import SystemClock
from warmline.pool.resolver import lookup_at
from warmline.simulators.dns import NameServer

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


async def test_both_kinds_of_address_take_one_round_trip():
    """One after the other they would take two, before the first connection."""
    clock = SystemClock()
    async with NameServer("warmline.test", 200) as names:
        began_s = clock.now_s()
        assert await lookup_at(names.address)("voice.warmline.test") == ["127.0.0.1"]
        assert 0.2 <= clock.now_s() - began_s < 0.39
    assert names.asked == 2


async def test_unknown_name_is_an_error_that_says_who_was_asked():
    async with NameServer("warmline.test", 0) as names:
        with pytest.raises(OSError, match=names.address):
            await lookup_at(names.address)("voice.example")

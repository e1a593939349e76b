import sys

import anyio
import pytest

from warmline.core.event_loop import new_event_loop

pytestmark = pytest.mark.wire


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
def test_a_timer_is_never_early_whatever_part_of_a_millisecond_it_is_set_for():
    """What is early is set anew by anyio, hundreds of times."""
    loop = new_event_loop()
    early_s = []

    def due(when_s):
        early_s.append(when_s - loop.time())

    async def wait():
        began_s = loop.time()
        for number in range(200):
            when_s = began_s + 0.003 + number * 0.000_37
            loop.call_at(when_s, due, when_s)
        loop.call_at(began_s - 1, due, began_s - 1)
        await anyio.sleep(0.1)

    try:
        loop.run_until_complete(wait())
    finally:
        loop.close()
    assert len(early_s) == 201
    assert max(early_s) <= 0


def test_deadlines_and_sleeps_are_kept_on_it():
    async def wait():
        began_s = anyio.current_time()
        with anyio.move_on_after(0.0104) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        return anyio.current_time() - began_s

    took_s = anyio.run(wait, backend_options={"loop_factory": new_event_loop})
    assert 0.0104 <= took_s < 1

"""A pool's life, on the clock that jumps: each step is read off `repr(pool)`."""

from contextlib import AsyncExitStack

import anyio
import pytest

from warmline.core.line_use import LineUse, OpenCost
from warmline.core.urgency import in_background
from warmline.errors import LeaseTimeout, OpenFailed, PoolClosed
from warmline.pool.pool import Pool
from warmline.pool.shelf import ShelfPolicy
from warmline.testing.virtual_time import LoopClock

pytestmark = [pytest.mark.loop, pytest.mark.anyio]

OPENING_S = 0.3


class FakeLine:
    """Open until it is closed; the test says whether it can be used again."""

    capacity = 1

    def __init__(self, number: int, on_lost) -> None:
        self.id = f"line-{number}"
        self.cost = OpenCost(tcp_s=OPENING_S)
        self.is_reusable = True
        self.kept_alive = 0
        self.is_closed = False
        self.on_lost = on_lost

    async def keep_alive(self) -> float | None:
        self.kept_alive += 1
        await anyio.sleep(0.01)
        return 0.01

    async def aclose(self) -> None:
        self.is_closed = True


class FarEnd:
    """Opens lines in `OPENING_S`, or refuses."""

    def __init__(self) -> None:
        self.lines: list[FakeLine] = []
        self.refusals = 0

    async def open(self, on_lost) -> FakeLine:
        await anyio.sleep(OPENING_S)
        if self.refusals:
            self.refusals -= 1
            raise OpenFailed("connecting: refused")
        self.lines.append(FakeLine(len(self.lines) + 1, on_lost))
        return self.lines[-1]

    def pool(self, **policy) -> Pool[FakeLine]:
        settings = {"warm_target": 1, "max_lines": 3, "idle_limit_s": 30.0, **policy}
        return Pool("far", self.open, ShelfPolicy(**settings), LoopClock())


def counts(pool: Pool[FakeLine]) -> str:
    """Return what repr says: opening, idle, leased, draining."""
    return "".join(character for character in repr(pool).split(" of ")[0] if character.isdigit())


async def settle() -> None:
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


async def test_a_pool_opens_its_warm_lines_before_anybody_asks():
    """And a lease then waits for nothing."""
    uses: list[LineUse] = []
    async with FarEnd().pool(warm_target=2) as pool:
        await settle()
        assert counts(pool) == "2000"
        await anyio.sleep(OPENING_S)
        await settle()
        assert counts(pool) == "0200"
        async with pool.lease(wait_s=1, on_line=uses.append):
            assert counts(pool) == "1110", "a spare is opened in its place"
    assert (uses[0].reused, uses[0].waited_s, uses[0].cost.tcp_s) == (True, 0.0, OPENING_S)


async def test_a_lease_that_ends_well_gives_its_line_to_the_next():
    """Twenty pieces of work, and the one spare, are all the lines it takes."""
    far = FarEnd()
    uses: list[LineUse] = []
    async with far.pool() as pool:
        await anyio.sleep(1)
        for _ in range(20):
            async with pool.lease(wait_s=1, on_line=uses.append):
                pass
            await anyio.sleep(0.1)
    assert len(far.lines) == 2
    assert all(use.reused and use.waited_s == 0 for use in uses)


async def test_a_line_left_in_the_middle_is_closed_and_replaced_at_once():
    """A barge-in does not leave the next reply with a cold connection."""
    far = FarEnd()
    async with far.pool(warm_target=1) as pool:
        await anyio.sleep(1)
        async with pool.lease(wait_s=1) as line:
            await anyio.sleep(1)
            assert counts(pool) == "0110", "a spare was opened while the line was lent"
            line.is_reusable = False
        assert line.is_closed or counts(pool) == "0101"
        async with pool.lease(wait_s=0) as spare:
            assert spare.id == "line-2"
        await settle()
        assert line.is_closed


async def test_what_is_seen_of_a_pool_is_what_its_lines_do():
    """In figures, without an address."""
    far = FarEnd()
    async with far.pool(warm_target=1, max_lines=2) as pool:
        await anyio.sleep(OPENING_S + 5)
        async with pool.lease(wait_s=1):
            await settle()
            seen = pool.view(kind="socket", round_trip_s=0.02)
        assert (seen.name, seen.kind, seen.round_trip_s) == ("far", "socket", 0.02)
        assert (seen.idle, seen.leased, seen.opening, seen.waiting) == (0, 1, 1, 0)
        assert (seen.warm_target, seen.most, seen.opened) == (1, 2, 1)
        assert seen.oldest_s == pytest.approx(5, abs=0.01)
        assert (seen.is_broken, seen.problem) == (False, "")


async def test_a_pool_that_can_open_nothing_says_why():
    """Until it can."""
    far = FarEnd()
    far.refusals = 1
    async with far.pool() as pool:
        await anyio.sleep(OPENING_S + 0.01)
        seen = pool.view(kind="http")
        assert (seen.problem, seen.oldest_s) == ("connecting: refused", None)
        await anyio.sleep(30)
        assert pool.view(kind="http").problem == ""


async def test_callers_are_served_in_the_order_they_came():
    """The longest waiter first."""
    served = []
    async with FarEnd().pool(warm_target=0, max_lines=1) as pool, anyio.create_task_group() as callers:

        async def call(name: str) -> None:
            async with pool.lease(wait_s=10):
                served.append(name)
                await anyio.sleep(0.1)

        for name in "abcd":
            callers.start_soon(call, name)
            await anyio.sleep(0.01)
    assert "".join(served) == "abcd"


async def test_a_full_pool_refuses_after_the_deadline_and_stays_whole():
    """The one who waited in vain leaves nothing behind."""
    async with FarEnd().pool(warm_target=0, max_lines=1) as pool:
        async with pool.lease(wait_s=1):
            with pytest.raises(LeaseTimeout, match="none was free within 2 s"):
                async with pool.lease(wait_s=2):
                    pass
            assert repr(pool) == "<Pool far: 0 opening, 0 idle, 1 leased, 0 draining of 1, 0 waiting>"


async def test_the_queue_of_callers_is_bounded():
    """Beyond it a caller is refused at once, instead of making everybody late."""
    far = FarEnd()
    pool = Pool("far", far.open, ShelfPolicy(max_lines=1), LoopClock(), max_waiting=1)
    async with pool, pool.lease(wait_s=1), anyio.create_task_group() as callers:

        async def wait() -> None:
            with pytest.raises(LeaseTimeout):
                async with pool.lease(wait_s=5):
                    pass

        callers.start_soon(wait)
        await settle()
        with pytest.raises(LeaseTimeout, match="1 callers wait already"):
            async with pool.lease(wait_s=5):
                pass


@pytest.mark.parametrize("at_s", [0.0, 0.1, OPENING_S, OPENING_S + 0.2])
async def test_cancelling_a_caller_at_any_point_leaves_the_pool_whole(at_s):
    """While it waits, as it is served, while it holds the line."""
    async with FarEnd().pool(warm_target=0, max_lines=1) as pool:
        with anyio.move_on_after(at_s):
            async with pool.lease(wait_s=10):
                await anyio.sleep(10)
        await anyio.sleep(1)
        assert repr(pool) == "<Pool far: 0 opening, 1 idle, 0 leased, 0 draining of 1, 0 waiting>"


async def test_an_unused_line_is_renewed_before_its_idle_limit():
    """At no instant of ten minutes is there no line that could be lent."""
    far = FarEnd()
    async with far.pool(idle_limit_s=20) as pool:
        await anyio.sleep(1)
        for _ in range(600):
            await anyio.sleep(1)
            assert pool.idle_count >= 1
        assert 35 <= len(far.lines) <= 45
        assert sum(not line.is_closed for line in far.lines) <= 2


async def test_a_line_that_is_kept_alive_is_not_renewed_until_it_is_too_old():
    """Keepalives cost less than handshakes."""
    far = FarEnd()
    async with far.pool(idle_limit_s=20, keep_alive_s=10, max_age_s=300) as pool:
        await anyio.sleep(290)
        assert (len(far.lines), pool.idle_count) == (1, 1)
        assert 25 <= far.lines[0].kept_alive <= 30
        await anyio.sleep(20)
        assert far.lines[0].is_closed
        assert pool.idle_count == 1


async def test_a_line_that_the_far_end_drops_is_replaced():
    """Before anybody asks for it."""
    far = FarEnd()
    async with far.pool() as pool:
        await anyio.sleep(1)
        far.lines[0].on_lost()
        assert counts(pool) == "1000"
        await anyio.sleep(OPENING_S + 0.01)
        assert counts(pool) == "0100"


async def test_a_failed_opening_is_told_to_the_caller_who_waits_for_it():
    """And the pool goes on trying by itself."""
    far = FarEnd()
    far.refusals = 1
    async with far.pool() as pool:
        with pytest.raises(OpenFailed, match="refused"):
            async with pool.lease(wait_s=5):
                pass
        assert pool.problem is not None
        await anyio.sleep(1)
        assert pool.idle_count == 1
        await pool.until_warm()


async def test_warming_up_a_far_end_that_is_down_says_so_and_does_not_stop_the_pool():
    """A warm-up that fails is never fatal."""
    far = FarEnd()
    far.refusals = 2
    async with far.pool() as pool:
        with pytest.raises(OpenFailed):
            await pool.until_warm()
        await anyio.sleep(2)
        await pool.until_warm()


async def test_while_the_breaker_is_open_callers_are_refused_at_once():
    """The second caller never learns of an outage from zero."""
    far = FarEnd()
    far.refusals = 10_000
    async with far.pool() as pool:
        await anyio.sleep(5)
        tries = 10_000 - far.refusals
        assert tries <= 7, "pauses grow between tries"
        began_s = LoopClock().now_s()
        with pytest.raises(OpenFailed, match="has kept failing"):
            async with pool.lease(wait_s=5):
                pass
        assert LoopClock().now_s() == began_s
        far.refusals = 0
        await anyio.sleep(40)
        async with pool.lease(wait_s=0):
            pass


async def test_closing_the_pool_closes_every_line_and_refuses_who_waits():
    """Nothing is left open, whatever was going on."""
    far = FarEnd()
    async with anyio.create_task_group() as callers, AsyncExitStack() as held:
        async with far.pool(warm_target=2) as pool:
            await anyio.sleep(1)
            for _ in range(3):
                await held.enter_async_context(pool.lease(wait_s=1))

            async def wait() -> None:
                with pytest.raises(PoolClosed):
                    async with pool.lease(wait_s=100):
                        pass

            callers.start_soon(wait)
            await settle()
    assert all(line.is_closed for line in far.lines)
    with pytest.raises(PoolClosed):
        async with pool.lease(wait_s=1):
            pass


async def test_lines_are_closed_even_if_whoever_holds_the_pool_is_cancelled():
    far = FarEnd()

    async def hold() -> None:
        async with far.pool(warm_target=2):
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold)
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    assert [line.is_closed for line in far.lines] == [True, True]


async def test_a_far_end_that_drops_every_line_at_once_is_not_asked_over_and_over():
    far = FarEnd()

    async def drop() -> None:
        dropped = 0
        while True:
            await anyio.sleep(0.01)
            for line in far.lines[dropped:]:
                dropped += 1
                line.is_reusable = False
                line.on_lost()

    async with far.pool(warm_target=1), anyio.create_task_group() as tasks:
        tasks.start_soon(drop)
        await anyio.sleep(30)
        assert len(far.lines) < 12
        tasks.cancel_scope.cancel()
        far.lines.clear()


async def test_closing_a_pool_that_is_opening_a_line_warns_of_nothing(caplog):
    """Some ways of opening end with an error when they are cancelled."""

    async def hung_up(on_lost) -> FakeLine:
        del on_lost
        try:
            await anyio.sleep_forever()
        finally:
            raise OpenFailed("encrypting: it hung up")

    async with Pool("far", hung_up, ShelfPolicy(), LoopClock()):
        await settle()
    assert not caplog.records


async def test_live_turns_go_before_work_that_nobody_waits_for():
    """A caller who came last and has somebody on the line is served first."""
    order: list[str] = []

    async def call(name: str) -> None:
        async with pool.lease(wait_s=10.0):
            order.append(name)
            await anyio.sleep(1.0)

    async with FarEnd().pool(max_lines=2) as pool:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, "live 1")
            tasks.start_soon(call, "live 2")
            await settle()
            with in_background():
                tasks.start_soon(call, "background")
            await anyio.sleep(0.5)
            tasks.start_soon(call, "live 3")
    assert order == ["live 1", "live 2", "live 3", "background"]


async def test_work_that_nobody_waits_for_leaves_half_of_the_lines_to_live_turns():
    """However much of it there is; and of one line it still gets its turn."""
    for max_lines, most in ((4, 2), (1, 1)):
        held = most_held = done = 0

        async def call() -> None:
            nonlocal held, most_held, done
            async with pool.lease(wait_s=60.0):
                held += 1
                most_held = max(most_held, held)
                await anyio.sleep(1.0)
                held -= 1
                done += 1

        async with FarEnd().pool(max_lines=max_lines) as pool:
            async with anyio.create_task_group() as tasks:
                with in_background():
                    for _ in range(6):
                        tasks.start_soon(call)
        assert (most_held, done) == (most, 6)

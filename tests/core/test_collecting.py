import gc
import weakref

import anyio
import pytest

from warmline.core.collecting import collect_when_calm, is_due

pytestmark = [pytest.mark.loop, pytest.mark.anyio]


class Knot:
    """Garbage that only a full look finds, once it is old."""

    def __init__(self) -> None:
        self.itself = self


def old_garbage() -> weakref.ref[Knot]:
    knot = Knot()
    gc.collect(0)
    gc.collect(1)
    return weakref.ref(knot)


@pytest.mark.parametrize(
    ("middle_looks", "since_s", "is_calm", "expected"),
    [
        (0, 100.0, True, False),
        (1, 100.0, False, False),
        (1, 9.0, True, False),
        (1, 10.0, True, True),
        (199, 1.0, False, False),
        (200, 1.0, False, True),
    ],
)
async def test_a_full_look_is_taken_in_calm_or_when_much_has_gathered(
    middle_looks, since_s, is_calm, expected
):
    assert is_due(middle_looks, since_s, is_calm=is_calm) is expected


async def test_garbage_is_left_while_somebody_waits_and_gone_in_the_next_calm():
    calm = False
    thresholds = gc.get_threshold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect_when_calm, lambda: calm)
        await anyio.sleep(0.1)
        knot = old_garbage()
        assert gc.get_threshold()[2] > 1_000_000
        await anyio.sleep(30)
        assert knot() is not None
        calm = True
        await anyio.sleep(1)
        assert knot() is None
        tasks.cancel_scope.cancel()
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0


async def test_what_was_there_from_the_beginning_is_looked_at_when_the_process_is_idle():
    idle = False
    frozen = Knot()
    knot = weakref.ref(frozen)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect_when_calm, lambda: True, lambda: idle)
        await anyio.sleep(0.1)
        del frozen
        for is_found in (False, True):
            idle = is_found
            await anyio.sleep(600)
            old_garbage()
            await anyio.sleep(30)
            assert (knot() is None) is is_found
        tasks.cancel_scope.cancel()

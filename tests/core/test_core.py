"""Formats, ids, and the clock that jumps."""

import asyncio

import anyio
import pytest

from warmline.core.clock import SystemClock
from warmline.core.formats import PCM_16K, PCM_24K, PCMA_8K, PCMU_8K, AudioFormat, Encoding
from warmline.core.ids import new_id
from warmline.testing.virtual_time import LoopClock

pytestmark = pytest.mark.loop


@pytest.mark.parametrize(
    ("audio_format", "size_bytes"),
    [(PCM_16K, 640), (PCM_24K, 960), (AudioFormat(Encoding.PCMU, 8000), 160)],
)
def test_twenty_milliseconds_are_as_many_bytes_as_the_wire_says(audio_format, size_bytes):
    """And back."""
    assert audio_format.size_bytes(0.02) == size_bytes
    assert audio_format.duration_s(size_bytes) == pytest.approx(0.02)


def test_size_is_cut_to_whole_samples():
    """Half a sample is noise."""
    assert PCM_16K.size_bytes(0.00009) == 2


def test_ids_are_told_apart_by_prefix_and_never_the_same():
    """They are shown to the far end."""
    ids = {new_id("item") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(name.startswith("item_") for name in ids)


def test_system_clock_never_runs_backwards():
    """Its resolution is far below a millisecond."""
    clock = SystemClock()
    instants = [clock.now_s() for _ in range(1000)]
    assert instants == sorted(instants)
    assert len(set(instants)) > 100


@pytest.mark.anyio
async def test_an_hour_on_the_jumping_clock_takes_no_time_and_keeps_order():
    """Timers of the same instant fire in the order they were set."""
    order: list[int] = []
    real = SystemClock().now_s()

    async def sleeper(number: int) -> None:
        await anyio.sleep(3600)
        order.append(number)

    began_s = LoopClock().now_s()
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(sleeper, number)
    assert order == list(range(50))
    assert LoopClock().now_s() - began_s == pytest.approx(3600, abs=1e-3)
    assert SystemClock().now_s() - real < 5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await asyncio.sleep(200)


@pytest.mark.parametrize(
    ("audio_format", "frame"), [(PCM_16K, bytes(640)), (PCMU_8K, b"\xff" * 160), (PCMA_8K, b"\xd5" * 160)]
)
def test_silence_of_each_format_is_written_as_its_standard_has_it(audio_format, frame):
    assert audio_format.silence(0.02) == frame
    assert audio_format.is_silence(frame)
    assert not audio_format.is_silence(frame[:-1] + b"\x10")
    assert not audio_format.is_silence(frame[:80] + b"\x10" + frame[81:])

"""The network before the simulators: what it costs, and that it loses and swaps nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import anyio
import pytest

from tests.simulators.far_ends import far_ends
from warmline.core.clock import SystemClock
from warmline.core.line_use import OpenCost
from warmline.pool.dialling import Address
from warmline.pool.http import HttpRequest
from warmline.providers.openai.chat import openai_headers
from warmline.simulators.network import Network
from warmline.simulators.profiles import Link, Profile
from warmline.simulators.running import KEY

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

CLOCK = SystemClock()
SLACK_S = 0.25
"""What a busy machine may add."""

MODELS = HttpRequest("GET", "/models", is_idempotent=True)


def between(least_s: float, taken_s: float, slack_s: float = SLACK_S) -> bool:
    """Whether something took as long as it had to; timers may be a millisecond early."""
    return least_s - 0.002 <= taken_s < least_s + slack_s


@dataclass
class FarEnd:
    """A server behind the network that sends back what it gets, unless it is told to wait."""

    network: Network
    port: int
    reads: anyio.Event
    ended: list[BaseException | None] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def ask(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask the network for a connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.network.port)
        self.writers.append(writer)
        writer.write(f"CONNECT far.test:{self.port} HTTP/1.1\r\n\r\n".encode())
        return reader, writer

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return one that stands."""
        reader, writer = await self.ask()
        status = await reader.readuntil(b"\r\n\r\n")
        assert status.startswith(b"HTTP/1.1 200"), status
        return reader, writer


@asynccontextmanager
async def far_end(link: Link, *, reads: bool = True) -> AsyncIterator[FarEnd]:
    async with anyio.create_task_group() as tasks:
        may_read = anyio.Event()
        if reads:
            may_read.set()
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await may_read.wait()
            try:
                while piece := await reader.read(65_536):
                    writer.write(piece)
                    await writer.drain()
                far.ended.append(None)
            except OSError as error:
                far.ended.append(error)
            finally:
                writer.close()

        server = await asyncio.start_server(
            lambda reader, writer: tasks.start_soon(echo, reader, writer), sock=listener
        )
        async with Network({port: link}, seed=3) as network:
            far = FarEnd(network, port, may_read)
            yield far
        for writer in far.writers:
            writer.close()
        server.close()
        tasks.cancel_scope.cancel()


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began_s = CLOCK.now_s()
    await work()
    return CLOCK.now_s() - began_s


async def test_opening_a_line_and_asking_cost_what_the_profile_says():
    link = Link(rtt_ms=80, tls_ms=180, first_ms=300)
    profile = Profile("test", "", links={"openai": link}, dns_ms=60)
    async with far_ends("openai", profile=profile) as ends:
        costs: list[OpenCost] = []
        for _ in range(2):
            _, cost = await ends.lines.dialler.open(Address.of(ends.url), asyncio.Protocol)
            costs.append(cost)
        first, second = costs
        assert between(0.060, first.dns_s)
        assert between(0.380, first.tcp_s)
        assert between(0.180, first.tls_s)
        assert second.dns_s < 0.03, "the name is known"
        assert between(0.080, second.tcp_s), "the first connection alone takes longer"
        assert between(0.180, second.tls_s)

        endpoint = await ends.endpoint(openai_headers(KEY))
        await endpoint.pool.until_warm()

        async def ask() -> None:
            async with endpoint.request(MODELS) as response:
                await response.read()

        assert between(0.080, min([await timed(ask) for _ in range(3)]), 0.05)


async def test_order_is_kept_whatever_the_jitter():
    async with far_end(Link(rtt_ms=4, jitter_ms=30)) as far:
        reader, writer = await far.connect()
        sent = b"".join(number.to_bytes(2, "big") for number in range(300))
        for begin in range(0, len(sent), 6):
            writer.write(sent[begin : begin + 6])
            await anyio.sleep(0.002)
        assert await reader.readexactly(len(sent)) == sent


async def test_jitter_comes_on_top_and_is_never_more_than_it_says():
    async with far_end(Link(rtt_ms=20, jitter_ms=40)) as far:
        reader, writer = await far.connect()
        taken_s = []
        for _ in range(12):

            async def there_and_back() -> None:
                writer.write(b"?")
                await reader.readexactly(1)

            taken_s.append(await timed(there_and_back))
        assert 0.018 <= min(taken_s) < max(taken_s) < 0.1 + SLACK_S
        assert max(taken_s) - min(taken_s) > 0.01


async def test_a_stall_holds_up_what_comes_after_it():
    async with far_end(Link(rtt_ms=10, stall_probability=0.5, stall_ms=300)) as far:
        reader, writer = await far.connect()
        arrived_s = []

        async def listen() -> None:
            for _ in range(40):
                await reader.readexactly(1)
                arrived_s.append(CLOCK.now_s())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            for _ in range(40):
                writer.write(b"?")
                await anyio.sleep(0.01)
        gaps_s = [later - earlier for earlier, later in pairwise(arrived_s)]
        # What was held up comes at once when it is released.
        assert sum(gap_s < 0.005 for gap_s in gaps_s) > 10


async def test_only_the_first_connection_to_each_far_end_takes_longer():
    async with far_end(Link(rtt_ms=20, first_ms=250)) as far:
        assert between(0.270, await timed(far.connect))
        assert between(0.020, await timed(far.connect), 0.2)
        far.network.change(far.port, Link(rtt_ms=120))
        assert between(0.120, await timed(far.connect), 0.2)


async def test_a_network_that_goes_away_resets_every_connection():
    async with far_end(Link(rtt_ms=5)) as far:
        lines = [await far.connect() for _ in range(3)]
        far.network.drop_all()
        for reader, _ in lines:
            with anyio.fail_after(2):
                assert await _end_of(reader) in {"reset", "end"}
        with anyio.fail_after(2):
            while len(far.ended) < 3:  # noqa: ASYNC110 - the far end sees it in its own time
                await anyio.sleep(0.01)


async def test_the_end_of_one_direction_is_passed_on_and_the_other_stays():
    async with far_end(Link(rtt_ms=5)) as far:
        reader, writer = await far.connect()
        writer.write(b"goodbye")
        writer.write_eof()
        assert await reader.read() == b"goodbye"
        assert far.ended == [None]


async def test_a_big_upload_waits_until_the_far_end_reads():
    """Nothing is kept that the far end has no room for, and nothing is lost."""
    size_bytes = 48 * 1024 * 1024
    async with far_end(Link(rtt_ms=5), reads=False) as far:
        reader, writer = await far.connect()

        async def upload() -> None:
            for begin in range(0, size_bytes, 1_048_576):
                writer.write(bytes([begin >> 20]) * 1_048_576)
                await writer.drain()
            writer.write_eof()
            uploaded.set()

        uploaded = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(upload)
            await anyio.sleep(0.5)
            assert not uploaded.is_set()
            far.reads.set()
            with anyio.fail_after(20):
                received = await reader.readexactly(size_bytes)
        assert [received[begin] for begin in range(0, size_bytes, 1_048_576)] == list(range(48))


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT nowhere HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT far.test:99999 HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT far.test:1 HTTP/1.1\r\n\r\n", b"502"),
    ],
)
async def test_what_it_cannot_connect_is_answered(asked, status):
    async with Network({}) as network:
        reader, writer = await asyncio.open_connection("127.0.0.1", network.port)
        writer.write(asked)
        assert (await reader.read()).split()[1] == status
        writer.close()


async def test_leaving_it_ends_connections_that_are_being_opened():
    """No task is left, which every test is watched for."""
    with anyio.fail_after(2):
        async with far_end(Link(rtt_ms=60_000)) as far:
            reader, _ = await far.ask()
            await anyio.sleep(0.05)
        assert await _end_of(reader) in {"reset", "end"}


async def _end_of(reader: asyncio.StreamReader) -> str:
    try:
        return "end" if await reader.read() == b"" else "data"
    except ConnectionError:
        return "reset"

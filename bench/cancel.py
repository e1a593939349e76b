"""What a request waits after an answer was cancelled in the middle, on HTTP/1.1 and on HTTP/2.

    python bench/cancel.py [--json] [--quick]

One after another, answers of 1.6 MB are begun and left after their first piece, as by a caller who
interrupts, and each time a small request follows at once. HTTP/1.1 pays for a cancel with its
connection, and has spares; HTTP/2 resets the stream. Both are asked in turn, in one process; the far
ends, over TLS on this machine, run in another. A connection costs more where the network is longer:
see how many lines were opened.
"""

from __future__ import annotations

import argparse
import json
import ssl
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import anyio
from aiohttp import web
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.pool.far_end import far_end  # noqa: E402
from tests.pool.http2_far_end import Stream, http2_far_end  # noqa: E402
from warmline.core.clock import SystemClock  # noqa: E402
from warmline.pool.dialling import Dialler, ssl_context  # noqa: E402
from warmline.pool.endpoint import HttpEndpoint  # noqa: E402
from warmline.pool.http import HttpRequest  # noqa: E402
from warmline.pool.resolver import Resolver  # noqa: E402
from warmline.pool.shelf import ShelfPolicy  # noqa: E402

CANCELS, QUICK_CANCELS = 500, 100
AFTERWARDS: Final = 100
"""Requests after the last cancel."""

PIECE: Final = b"x" * 16_000
PIECES: Final = 100
QUIET_S: Final = 0.02
"""A pause before each, so that no far end is still busy with the cancel before."""

SMALL: Final = HttpRequest("GET", "/small")
LARGE: Final = HttpRequest("POST", "/large")
POLICY: Final = ShelfPolicy(warm_target=2, max_lines=10)
CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class Row:
    """How long requests took."""

    protocol: str
    request: str
    count: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    p50_ratio: float
    """To the median on lines where nothing is ever cancelled."""

    lines: int
    """Connections that the pool opened, with its spares."""


class Measured:
    """One protocol: a pool where answers are cancelled, and one where none is."""

    def __init__(self, protocol: str, url: str, dialler: Dialler) -> None:
        self.protocol = protocol
        http2 = protocol == "HTTP/2"
        self.cancelled = HttpEndpoint(protocol, [url], dialler, POLICY, CLOCK, http2=http2)
        self.untouched = HttpEndpoint(protocol, [url], dialler, POLICY, CLOCK, http2=http2)
        self.base_s: list[float] = []
        self.next_s: list[float] = []
        self.afterwards_s: list[float] = []

    async def cancel_one(self) -> None:
        """Time a request after one that was read, on lines where none is cancelled; then after a cancel."""
        await anyio.sleep(QUIET_S)
        await time_s(self.untouched)
        self.base_s.append(await time_s(self.untouched))
        await anyio.sleep(QUIET_S)
        async with self.cancelled.request(LARGE) as response:
            await anext(response.chunks())
        self.next_s.append(await time_s(self.cancelled))

    def rows(self) -> list[Row]:
        """Return the protocol's part of the table."""
        return [
            self._row("none cancelled", self.base_s, self.untouched),
            self._row("after a cancel", self.next_s, self.cancelled),
            self._row("after them all", self.afterwards_s, self.cancelled),
        ]

    def _row(self, request: str, times_s: list[float], endpoint: HttpEndpoint) -> Row:
        ordered = sorted(times_s)
        median_s = statistics.median(ordered)
        return Row(
            self.protocol,
            request,
            len(ordered),
            round(median_s * 1000, 2),
            round(ordered[int(0.95 * (len(ordered) - 1))] * 1000, 2),
            round(ordered[-1] * 1000, 2),
            round(median_s / statistics.median(self.base_s), 2),
            endpoint.pool.opened_count,
        )


async def time_s(endpoint: HttpEndpoint) -> float:
    """Return how long a small request takes, from asking for a line to the end of its answer."""
    began_s = CLOCK.now_s()
    async with endpoint.request(SMALL) as response:
        await response.read()
    return CLOCK.now_s() - began_s


async def measure(cancels: int, far_ends: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """Return the table."""
    one, two = far_ends["HTTP/1.1"], far_ends["HTTP/2"]
    dialler = Dialler(
        Resolver(CLOCK),
        CLOCK,
        tls=trusting(one["certificate"], http2=False),
        http2_tls=trusting(two["certificate"], http2=True),
    )
    both = [Measured(protocol, far["url"], dialler) for protocol, far in far_ends.items()]
    async with both[0].cancelled, both[0].untouched, both[1].cancelled, both[1].untouched:
        for measured in both:
            for endpoint in (measured.cancelled, measured.untouched):
                await endpoint.pool.until_warm()
                await time_s(endpoint)
        for _ in range(cancels):
            for measured in both:
                await measured.cancel_one()
        for _ in range(AFTERWARDS):
            for measured in both:
                measured.afterwards_s.append(await time_s(measured.cancelled))
        return [row for measured in both for row in measured.rows()]


def trusting(certificate: str, *, http2: bool) -> ssl.SSLContext:
    """Return a context that trusts a far end of this benchmark."""
    context = ssl_context(http2=http2)
    context.load_verify_locations(cadata=certificate)
    return context


@asynccontextmanager
async def both_far_ends() -> AsyncIterator[dict[str, dict[str, str]]]:
    """Serve the same small and large answers by both protocols."""

    async def small(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"{}")

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(PIECES):
            await response.write(PIECE)
        return response

    async def small2(stream: Stream) -> None:
        await stream.answer(b"{}")

    async def large2(stream: Stream) -> None:
        await stream.begin()
        for _ in range(PIECES):
            await stream.send(PIECE)
        await stream.send(b"", end=True)

    async with (
        far_end({"/small": small, "/large": large}) as one,
        http2_far_end({"/small": small2, "/large": large2}) as two,
    ):
        yield {
            "HTTP/1.1": {"url": one.url, "certificate": one.certificate.decode()},
            "HTTP/2": {"url": two.url, "certificate": two.certificate.decode()},
        }


async def serve() -> None:
    """Be the far ends until standard input ends."""
    async with both_far_ends() as far_ends:
        print(json.dumps(far_ends), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CANCELS} cancels instead of {CANCELS}")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    backend = {"use_uvloop": sys.platform != "win32"}
    if options.serve:
        anyio.run(serve, backend_options=backend)
        return
    cancels = QUICK_CANCELS if options.quick else CANCELS
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        far_ends = json.loads(server.stdout.readline())
        rows = anyio.run(measure, cancels, far_ends, backend_options=backend)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    table = Table(title=f"A small request after {cancels} cancelled answers of 1.6 MB")
    for heading in ("protocol", "request", "count", "p50 ms", "p95 ms", "max ms", "ratio", "lines"):
        table.add_column(heading, justify="left" if heading in {"protocol", "request"} else "right")
    for row in rows:
        times = (f"{row.p50_ms:.2f}", f"{row.p95_ms:.2f}", f"{row.max_ms:.2f}", f"{row.p50_ratio:.2f}")
        table.add_row(row.protocol, row.request, str(row.count), *times, str(row.lines))
    Console().print(table)


if __name__ == "__main__":
    main()

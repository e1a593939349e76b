"""One provider over HTTP: its base URLs, a pool of lines to each, and retries."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from statistics import median
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock, utc_now
from warmline.core.line_use import LineUse, OnLine
from warmline.errors import LineLost, NoAnswer, OpenFailed, PoolError
from warmline.pool.dialling import Address, Dialler
from warmline.pool.http import HttpLine, HttpRequest, HttpResponse, LineResponse
from warmline.pool.http1 import Http1Line
from warmline.pool.http2 import Http2Line
from warmline.pool.line import OnLost
from warmline.pool.pool import Pool
from warmline.pool.regions import Region, nearest
from warmline.pool.retrying import RetryPolicy, retry_after_s
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.view import PoolView

__all__ = ["HttpEndpoint"]

_log = logging.getLogger(__name__)

_MEASURE_S: Final = 60.0
"""How often the base URLs that are not in use are measured."""

_ROUND_TRIPS: Final = 5
"""Measurements of which the median counts."""


class _Response:
    """A line's response, and how the line was got."""

    def __init__(self, response: LineResponse, line_use: LineUse) -> None:
        self._response = response
        self.line_use = line_use
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> AsyncIterator[bytes]:
        return self._response.chunks()

    async def read(self, *, at_most_bytes: int = 16_777_216) -> bytes:
        return await self._response.read(at_most_bytes=at_most_bytes)

    def abandon(self) -> None:
        self._response.abandon()


class _Site:
    """One base URL: its lines, and how far away it is."""

    def __init__(self, url: str, pool: Pool[HttpLine]) -> None:
        self.url = url
        self.pool = pool
        self.round_trips: deque[float] = deque(maxlen=_ROUND_TRIPS)

    def region(self) -> Region:
        trip_s = median(self.round_trips) if self.round_trips else None
        return Region(self.url, trip_s, is_broken=self.pool.breaker.is_open)


class HttpEndpoint:
    """A provider's lines over HTTP, shared by all sessions. Use as an async context manager.

    With several base URLs the nearest one is used; the next one has a warm line as well.

    What changes here: `_current`, in `_choose`; the sites' round trips, when one is measured.
    """

    def __init__(
        self,
        name: str,
        base_urls: Sequence[str],
        dialler: Dialler,
        policy: ShelfPolicy,
        clock: Clock,
        *,
        headers: Mapping[str, str] | None = None,
        probe: HttpRequest | None = None,
        retry: RetryPolicy | None = None,
        wait_s: float = 5.0,
        http2: bool = False,
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            name: For people and timelines, such as `openai`.
            base_urls: At least one; the first is used until they have been measured.
            dialler: Opens connections.
            policy: For the base URL in use.
            clock: The process's.
            headers: Sent with every request; the key is among them.
            probe: A request that costs nothing; it keeps lines alive, and measures.
            retry: For requests that may be sent twice.
            wait_s: How long a request waits for a line, in seconds, unless it says otherwise.
            http2: Speak HTTP/2, which carries many requests on one line and cancels one without
                losing it; the dialler needs its `http2_tls` for that.
        """
        if not base_urls:
            raise ValueError(f"{name} has no base URL")
        if http2 and dialler.http2_tls is None:
            raise ValueError(f"{name} is to speak HTTP/2, and the dialler has no TLS context for it")
        self.name = name
        self._dialler = dialler
        self._policy = policy
        self._clock = clock
        self._headers = {"user-agent": "warmline", "accept": "*/*", **(headers or {})}
        self._probe = probe
        self._retry = retry or RetryPolicy()
        self._wait_s = wait_s
        self._http2 = http2
        self._draw = random.Random()
        self._sites = {url: self._site(url) for url in dict.fromkeys(base_urls)}
        self._current = base_urls[0]
        self._tasks: TaskGroup | None = None

    def __repr__(self) -> str:
        return "; ".join(repr(site.pool) for site in self._sites.values())

    @property
    def base_url(self) -> str:
        """The one in use."""
        return self._current

    @property
    def pool(self) -> Pool[HttpLine]:
        """The lines to the base URL in use."""
        return self._sites[self._current].pool

    @property
    def round_trip_s(self) -> float | None:
        """To the base URL in use, as last measured; None if it has not been."""
        return self._sites[self._current].region().round_trip_s

    def views(self) -> tuple[PoolView, ...]:
        """Return what is to be seen of the lines to each base URL now."""
        kind = "http2" if self._http2 else "http"
        return tuple(
            site.pool.view(
                kind=kind, is_current=url == self._current, round_trip_s=site.region().round_trip_s
            )
            for url, site in self._sites.items()
        )

    async def __aenter__(self) -> Self:
        """Begin to open lines; returns at once."""
        self._choose()
        for site in self._sites.values():
            await site.pool.__aenter__()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        if len(self._sites) > 1 and self._probe is not None:
            self._tasks.start_soon(self._measure)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every line."""
        tasks, self._tasks = self._tasks, None
        try:
            if tasks is not None:
                tasks.cancel_scope.cancel()
                await tasks.__aexit__(None, None, None)
        finally:
            async with AsyncExitStack() as closing:
                for site in self._sites.values():
                    closing.push_async_exit(site.pool)

    @asynccontextmanager
    async def request(
        self,
        request: HttpRequest,
        *,
        first_result_s: float = 30.0,
        wait_s: float | None = None,
        on_line: OnLine | None = None,
    ) -> AsyncIterator[HttpResponse]:
        """Send a request on a warm line and return its response when its headers are there.

        Leaving before the body was read to its end cancels the rest: the line is closed and
        replaced (HTTP/1.1), or the stream is reset (HTTP/2).

        Args:
            request: What to ask.
            first_result_s: How long the headers may take, for each try.
            wait_s: How long each try waits for a line; the endpoint's by default.
            on_line: Told of each line that is used.

        Raises:
            PoolError: no line could be had, or the connection was lost before the headers came.
        """
        async with AsyncExitStack() as held:
            limit_s = self._wait_s if wait_s is None else wait_s
            response = await self._ask(request, held, first_result_s, limit_s, on_line)
            try:
                yield response
            finally:
                response.abandon()

    async def _ask(
        self,
        request: HttpRequest,
        held: AsyncExitStack,
        first_result_s: float,
        wait_s: float,
        on_line: OnLine | None,
    ) -> _Response:
        """Try until there is an answer to give; `held` keeps its line."""
        attempt = 0
        while True:
            attempt += 1
            asked_s: float | None = None
            site = self._sites[self._current]
            async with AsyncExitStack() as trying:
                uses: list[LineUse] = []
                problem: PoolError | None = None
                try:
                    line = await trying.enter_async_context(
                        site.pool.lease(wait_s=wait_s, on_line=uses.append)
                    )
                    if on_line is not None:
                        on_line(uses[0])
                    response = await line.request(request, first_result_s=first_result_s)
                except (LineLost, OpenFailed) as error:
                    problem = error
                    if isinstance(error, LineLost):
                        site.pool.breaker.failed(self._clock.now_s())
                        self._choose()
                else:
                    if response.status not in self._retry.statuses:
                        site.pool.breaker.succeeded()
                        held.push_async_exit(trying.pop_all())
                        return _Response(response, uses[0])
                    site.pool.breaker.failed(self._clock.now_s())
                    asked_s = retry_after_s(response.headers, utc_now())
                may_repeat = request.is_idempotent and not isinstance(problem, NoAnswer)
                pause_s = self._retry.delay_s(attempt, asked_s, self._draw) if may_repeat else None
                if pause_s is None:
                    if problem is not None:
                        raise problem
                    held.push_async_exit(trying.pop_all())
                    return _Response(response, uses[0])
                if problem is None:
                    response.abandon()
            await anyio.sleep(pause_s)

    def _site(self, url: str) -> _Site:
        address = Address.of(url)

        async def open_line(on_lost: OnLost) -> HttpLine:
            if self._http2:
                return await Http2Line.open(self._dialler, address, self._headers, self._clock, on_lost)
            return await Http1Line.open(
                self._dialler, address, self._headers, self._probe, self._clock, on_lost
            )

        pool: Pool[HttpLine] = Pool(
            self.name,
            open_line,
            replace(self._policy, warm_target=0),
            self._clock,
            on_round_trip=lambda trip_s: self._measured(url, trip_s),
            region=address.host,
        )
        return _Site(url, pool)

    def _measured(self, url: str, round_trip_s: float) -> None:
        site = self._sites[url]
        site.round_trips.append(round_trip_s)
        site.pool.breaker.succeeded()
        self._choose()

    def _choose(self) -> None:
        """Use the nearest base URL, and keep the next one warm."""
        regions = [site.region() for site in self._sites.values()]
        chosen = nearest(regions, self._current)
        if chosen != self._current:
            _log.info("region.changed", extra={"endpoint": self.name, "to": chosen})
        self._current = chosen
        others = [region for region in regions if region.url != chosen]
        measured = [region for region in others if region.round_trip_s is not None and not region.is_broken]
        second = min(measured or others, key=lambda region: region.round_trip_s or 0.0, default=None)
        for site in self._sites.values():
            target = self._policy.warm_target if site.url == chosen else 0
            if second is not None and site.url == second.url:
                target = min(self._policy.warm_target, 1)
            if site.pool.policy.warm_target != target:
                site.pool.policy = replace(self._policy, warm_target=target)

    async def _measure(self) -> None:
        """Ask every base URL for its probe, now and then."""
        while True:
            async with anyio.create_task_group() as asking:
                for site in self._sites.values():
                    asking.start_soon(self._measure_one, site)
            await anyio.sleep(_MEASURE_S)

    async def _measure_one(self, site: _Site) -> None:
        try:
            async with site.pool.lease(wait_s=self._wait_s) as line:
                round_trip_s = await line.keep_alive()
        except PoolError:
            return
        if round_trip_s is not None:
            self._measured(site.url, round_trip_s)

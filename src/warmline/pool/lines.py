"""All warm lines of a program: what they share, and one place where they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from os import PathLike, fspath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup

from warmline.core.clock import Clock, SystemClock
from warmline.errors import ConfigError, PoolClosed
from warmline.pool.dialling import Address, Dialler, ssl_context
from warmline.pool.endpoint import HttpEndpoint
from warmline.pool.http import HttpRequest
from warmline.pool.httpx_transport import make_transport
from warmline.pool.resolver import Resolver, lookup_at, system_lookup
from warmline.pool.retrying import RetryPolicy
from warmline.pool.shelf import ShelfPolicy
from warmline.pool.sockets import SocketEndpoint
from warmline.pool.view import PoolView

if TYPE_CHECKING:
    import httpx
    import httpx2

__all__ = ["Lines"]


class Lines:
    """The endpoints of a program, with the resolver and the dialler that they share.

    Use as an async context manager; leaving it closes every line of every endpoint.

        async with Lines() as lines:
            await lines.endpoint("openai", "https://api.openai.com/v1")
            client = AsyncOpenAI(http_client=lines.httpx2_client())

    What changes here: `_endpoints`, in `endpoint`; `_sockets`, in `sockets`; `_tasks`, on entering and
    leaving.
    """

    def __init__(
        self,
        *,
        certificate: str | PathLike[str] | None = None,
        proxy: str | None = None,
        connect_s: float = 10.0,
        dns_s: float = 300.0,
        dns_server: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; certificates are read here, nothing is opened.

        Args:
            certificate: A PEM file of authorities to trust beyond the machine's own.
            proxy: An HTTP proxy to go through by CONNECT, such as `http://10.0.0.1:3128`.
            connect_s: How long each of TCP and TLS may take.
            dns_s: How long an address is used before it is looked up again.
            dns_server: Who is asked for addresses, such as `10.0.0.2:53`; the operating system by
                default, or the proxy where there is one.
            clock: The process's; the system's by default.
        """
        self.clock = clock or SystemClock()
        lookup = lookup_at(dns_server) if dns_server else system_lookup
        self._resolver = Resolver(self.clock, lookup, life_s=dns_s)
        trusted = fspath(certificate) if certificate is not None else None
        self.dialler = Dialler(
            self._resolver,
            self.clock,
            tls=ssl_context(trusted),
            http2_tls=ssl_context(trusted, http2=True),
            proxy=proxy,
            connect_s=connect_s,
            proxy_resolves=dns_server is None,
        )
        """Opens connections, for endpoints that are made by others."""

        self._endpoints: list[tuple[Address, HttpEndpoint]] = []
        self._sockets: list[SocketEndpoint] = []
        self._tasks: TaskGroup | None = None
        self._closing = anyio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._resolver.run)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every line, whatever it is doing."""
        self._closing.set()
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            tasks.cancel_scope.cancel()
            # Without the error, which would come out inside a group.
            await tasks.__aexit__(None, None, None)

    async def endpoint(
        self,
        name: str,
        base_urls: str | Sequence[str],
        *,
        warm: int = 2,
        max_lines: int = 10,
        idle_s: float = 30.0,
        headers: Mapping[str, str] | None = None,
        probe: HttpRequest | None = None,
        retry: RetryPolicy | None = None,
        wait_s: float = 5.0,
        http2: bool = False,
    ) -> HttpEndpoint:
        """Begin to open lines to a provider; returns at once. `pool.until_warm()` waits for the first.

        Args:
            name: For people and timelines, such as `openai`.
            base_urls: Where it is; of several, the nearest by measured round trip is used.
            warm: Free lines that stand ready, beyond those in use.
            max_lines: Lines at once, in whatever state.
            idle_s: How long a line may be unused before it is replaced, or kept alive by `probe`.
            headers: Sent with every request that does not have them.
            probe: A request that costs nothing, such as `GET /models`; it keeps lines alive, and measures.
            retry: For requests that may be sent twice.
            wait_s: How long a request waits for a line, unless it says otherwise.
            http2: Speak HTTP/2: many requests on one line, and a cancel costs none.

        Raises:
            ValueError: a base URL is none.
            PoolClosed: these lines are not open.
        """
        if self._tasks is None:
            raise PoolClosed(f"opening lines to {name}: enter `async with Lines() as lines` first")
        urls = [base_urls] if isinstance(base_urls, str) else list(base_urls)
        policy = ShelfPolicy(
            warm_target=warm,
            max_lines=max_lines,
            idle_limit_s=idle_s,
            renew_margin_s=idle_s / 10,
            keep_alive_s=idle_s * 2 / 3 if probe is not None else None,
        )
        endpoint = HttpEndpoint(
            name,
            urls,
            self.dialler,
            policy,
            self.clock,
            headers=headers,
            probe=probe,
            retry=retry,
            wait_s=wait_s,
            http2=http2,
        )
        # In a task of its own, so that whoever asks may be in any task and under any deadline.
        is_open = anyio.Event()
        self._tasks.start_soon(self._keep_open, endpoint, is_open)
        await is_open.wait()
        self._endpoints.extend((Address.of(url), endpoint) for url in urls)
        return endpoint

    def sockets(
        self,
        name: str,
        url: str | Callable[[], str],
        policy: ShelfPolicy,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> SocketEndpoint:
        """Return WebSocket lines to a provider, which whoever asked for them opens and closes.

        Args:
            name: For people and timelines, such as `elevenlabs`.
            url: `wss://` with its path and query, or what returns it for each line that is opened.
            policy: How many lines, and how long one is good for.
            headers: Sent with the upgrade; the key is among them.
        """
        endpoint = SocketEndpoint(name, url, self.dialler, policy, self.clock, headers=headers)
        self._sockets.append(endpoint)
        return endpoint

    def views(self) -> tuple[PoolView, ...]:
        """Return what is to be seen of every pool now, in the order of their making."""
        endpoints = dict.fromkeys(endpoint for _, endpoint in self._endpoints)
        http = [view for endpoint in endpoints for view in endpoint.views()]
        return (*http, *(view for sockets in self._sockets for view in sockets.views()))

    def __repr__(self) -> str:
        endpoints = dict.fromkeys(endpoint for _, endpoint in self._endpoints)
        return "\n".join(map(repr, endpoints)) or "<Lines to nowhere>"

    def httpx_client(self, **settings: Any) -> httpx.AsyncClient:
        """Return a client of httpx whose requests go over these lines; elevenlabs takes it as `httpx_client`.

        It asks the endpoints of these lines and nobody else, retries nothing, and follows redirects
        as the SDKs' own clients do. A response's `extensions["line_use"]` is the `LineUse`.

        Args:
            settings: For `httpx.AsyncClient`.

        Raises:
            ConfigError: httpx is not installed.
        """
        return cast("httpx.AsyncClient", self._client("httpx", settings))

    def httpx2_client(self, **settings: Any) -> httpx2.AsyncClient:
        """Return the same for httpx2; openai takes it as `http_client`.

        Args:
            settings: For `httpx2.AsyncClient`.

        Raises:
            ConfigError: httpx2 is not installed.
        """
        return cast("httpx2.AsyncClient", self._client("httpx2", settings))

    def _client(self, library: str, settings: Mapping[str, Any]) -> object:
        try:
            module = import_module(library)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"making a client of {library}: it is not installed (pip install {library})"
            ) from error
        transport = make_transport(module, self._find)
        return module.AsyncClient(**{"transport": transport, "follow_redirects": True, **settings})

    def _find(self, url: str) -> tuple[HttpEndpoint, str]:
        """Return the endpoint that a URL belongs to, and the rest of its path, with the query.

        Raises:
            ConfigError: it belongs to none.
        """
        parts = urlsplit(url)
        path = parts.path or "/"
        asked = Address.of(url)
        place = (asked.host, asked.port, asked.is_tls)
        for address, endpoint in self._endpoints:
            is_below = path == address.path or path.startswith(f"{address.path}/")
            if (address.host, address.port, address.is_tls) == place and is_below:
                query = f"?{parts.query}" if parts.query else ""
                return endpoint, path[len(address.path) :] + query
        known = ", ".join(f"{address.authority}{address.path}" for address, _ in self._endpoints) or "nowhere"
        raise ConfigError(
            f"asking {asked.authority}{path}: these lines go to {known}; "
            "open others with `await lines.endpoint(name, base_url)`"
        )

    async def _keep_open(self, endpoint: HttpEndpoint, is_open: anyio.Event) -> None:
        # Shielded, so that its lines are closed in order even if the program is being cancelled.
        with anyio.CancelScope(shield=True):
            async with endpoint:
                is_open.set()
                await self._closing.wait()

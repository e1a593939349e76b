"""All that watches the server, from the settings: who is told of turns, what is served, what runs beside."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import anyio
from starlette.routing import Route

from warmline.core.clock import Clock, unix_now_s
from warmline.pool.states import LineState
from warmline.server.access import Access
from warmline.server.observability.alerts import Alerts, alert_goals
from warmline.server.observability.figures import Gauge
from warmline.server.observability.goal_states import AlertPolicy
from warmline.server.observability.metrics import Metrics, metrics_route
from warmline.server.observability.observer import KeptTurn, TurnSink
from warmline.server.observability.readiness import Readiness, Reason, ready_route
from warmline.server.observability.telemetry import Telemetry, opened_telemetry
from warmline.server.observability.webhook import opened_webhook
from warmline.server.services.opened import lines_of
from warmline.server.sessions import Sessions
from warmline.server.settings import Settings
from warmline.server.vitals import Vitals
from warmline.session.settings import Providers

__all__ = ["Observability"]

_SHOWN_STATES: Final[Sequence[LineState]] = [state for state in LineState if state is not LineState.CLOSED]


class Observability:
    """What an operator's tools see of one server.

    What changes here: `_sessions`, once; `_telemetry`, on entering and leaving `running`.
    """

    def __init__(
        self,
        settings: Settings,
        providers: Providers,
        access: Access,
        vitals: Vitals,
        clock: Clock,
        *,
        gauges: Callable[[], Iterable[Gauge]] = tuple,
    ) -> None:
        """Prepare; nothing runs, and nobody is connected to.

        Args:
            settings: What is in force.
            providers: Whom sessions share.
            access: Who may read the metrics.
            vitals: How the process is doing.
            clock: The process's.
            gauges: Further figures of the process; asked on the event loop.

        Raises:
            ConfigError: a goal is none.
        """
        table = settings.alerts
        self.alerts = Alerts(
            alert_goals(table),
            AlertPolicy(table.confirm_s, table.settle_s),
            clock,
            unix_now_s,
            window_s=table.window_s,
            judge_s=table.judge_s,
        )
        """How each goal stands."""

        self.readiness = Readiness(providers, clock)
        self._settings = settings
        self._providers = providers
        self._access = access
        self._vitals = vitals
        self._more_gauges = gauges
        self.metrics = Metrics(self.gauges)
        """What Prometheus reads."""

        self._sessions: Sessions | None = None
        self._telemetry: Telemetry | None = None

    @property
    def sinks(self) -> Sequence[TurnSink]:
        """Who is to be told of turns."""
        return (self.alerts.take, self.metrics.take, self._trace)

    def routes(self, sessions: Sessions) -> Sequence[Route]:
        """Return what is served: `/metrics` and `/ready`.

        Args:
            sessions: Those of the process.
        """
        self._sessions = sessions
        is_public = self._settings.metrics.public
        return (
            metrics_route(self.metrics, self._access, is_public=is_public),
            ready_route(self.reasons),
        )

    def reasons(self) -> tuple[Reason, ...]:
        """Return what stands in the way of serving somebody now."""
        return self.readiness.reasons(self._sessions) if self._sessions is not None else (Reason("starting"),)

    def gauges(self) -> Iterator[Gauge]:
        """Yield how the process is now; on the event loop."""
        if self._sessions is not None:
            yield Gauge("warmline.sessions", "Sessions that are being held.", self._sessions.count)
            yield Gauge("warmline.sessions.limit", "How many may be held at once.", self._sessions.most)
        yield Gauge("warmline.ready", "Whether the process should be given work.", float(not self.reasons()))
        figures = self._vitals.figures()
        lag = "By how much the event loop was late in its last ten seconds."
        for of in ("p95", "max"):
            yield Gauge("warmline.loop.lag", lag, figures[f"loop_lag_{of}_ms"] / 1000, (("of", of),), "s")
        yield Gauge("warmline.tasks", "Tasks of the event loop.", figures["tasks"])
        yield from self._lines()
        for row in self.alerts.states():
            is_firing = float(row.state.is_firing)
            broken = "Whether it was told that a goal is broken, and not yet that it is kept again."
            yield Gauge("warmline.goal.broken", broken, is_firing, (("goal", row.name),))
        yield from self._more_gauges()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Judge, tell and send inside."""
        async with AsyncExitStack() as held:
            self._telemetry = await held.enter_async_context(opened_telemetry(os.environ, self.gauges))
            await self._open_webhook(held)
            tasks = await held.enter_async_context(anyio.create_task_group())
            tasks.start_soon(self.alerts.run)
            tasks.start_soon(self.readiness.run)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def _open_webhook(self, held: AsyncExitStack) -> None:
        table = self._settings.alerts
        if not table.webhook_url:
            return
        secret = table.secret.reveal() if table.secret is not None else ""
        # Lines of their own, which are not counted: nobody's call needs them.
        lines = lines_of(self._settings)
        opening = opened_webhook(table.webhook_url, secret, lines, unix_now_s, window_s=table.window_s)
        self.alerts.on_change = (await held.enter_async_context(opening)).send

    def _lines(self) -> Iterator[Gauge]:
        by_name: dict[str, dict[LineState, int]] = {}
        for endpoint in self._providers.census.endpoints():
            counts = by_name.setdefault(endpoint.name, dict.fromkeys(_SHOWN_STATES, 0))
            for state in _SHOWN_STATES:
                counts[state] += endpoint.states[state]
        for name, counts in by_name.items():
            for state, count in counts.items():
                labels = (("endpoint", name), ("state", state.value))
                yield Gauge("warmline.lines", "Connections to providers.", count, labels)

    def _trace(self, kept: KeptTurn) -> None:
        if self._telemetry is not None:
            self._telemetry.take(kept)
